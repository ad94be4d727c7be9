"""The channels: what the settings say, how each does, and a test."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _

from ..dashboard import words
from ..models import Channel
from .pages import PageAdmin, address, outside_transactions
from .permissions import may

if TYPE_CHECKING:
    from ..dashboard.channels import ChannelsPage


class ChannelAdmin(PageAdmin):
    """The channels that are configured. Secrets are in the settings, and never here."""

    template = "qaprod/channels/list.html"

    def get_urls(self) -> list[URLPattern]:
        test = path("test/", self.staff_only(self.test_view), name="qaprod_channel_test")
        return [test, *super().get_urls()]

    def data(self, request: HttpRequest) -> ChannelsPage:
        from ..alerts import channels
        from ..alerts.channels import configured
        from ..dashboard import channels as dashboard

        return dashboard.page(
            dashboard.Declared(
                name=name, kind=configured.kind(options), fallback=channels.options(name).fallback
            )
            for name, options in configured.given().items()
        )

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, object] | None = None
    ) -> HttpResponse:
        answer = super().changelist_view(request, extra_context)
        if isinstance(answer, TemplateResponse) and answer.context_data is not None:
            answer.context_data["may_test"] = may(request, "test", of="channel")
            answer.context_data["test_url"] = self._url("test")
        return answer

    @outside_transactions
    def test_view(self, request: HttpRequest) -> HttpResponse:
        """Send a test by the channel that is named, by POST; one that is not configured is not found."""
        from ..alerts import channels
        from ..exceptions import ChannelError

        if not self.has_view_permission(request) or not may(request, "test", of="channel"):
            raise PermissionDenied
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        name = request.POST.get("channel", "")
        if name not in channels.names():
            raise Http404(_("There is no such channel."))
        try:
            channels.send_test(name, who=request.user.get_username())
        except ChannelError as error:
            said = _("It was not taken: %(why)s") % {"why": words.cut(error, 300)}
            self.message_user(request, said, messages.ERROR)
        else:
            said = _("A test is sent by %(name)s: see whether it arrives.") % {"name": words.cut(name, 60)}
            self.message_user(request, said, messages.SUCCESS)
        return HttpResponseRedirect(address(self.admin_site, Channel, "changelist"))

    def _url(self, view: str) -> str:
        return reverse(f"admin:qaprod_channel_{view}", current_app=self.admin_site.name)
