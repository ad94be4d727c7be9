"""Silences: who asked for quiet about what, until when and why."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from .. import clock
from ..dashboard import words
from ..models import Alert, Silence
from ..templatetags.qaprod import ago
from .filters import DefaultFilter
from .pages import Crumb, address, row_of, shown
from .permissions import ReadOnlyAdmin, may


class WhenFilter(DefaultFilter):
    """Silences that hold or are to come, unless others are asked for."""

    title = _("when")
    parameter_name = "when"
    default = "not over"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin[Any]) -> Iterable[tuple[str, Any]]:
        return [
            ("not over", _("not over")),
            ("now", _("now")),
            ("coming", _("coming")),
            ("over", _("over")),
            ("all", _("All")),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Model]) -> QuerySet[Model]:
        now = clock.now()
        match self.chosen():
            case "now":
                return queryset.filter(until__gt=now, begins_at__lte=now)
            case "coming":
                return queryset.filter(until__gt=now, begins_at__gt=now)
            case "over":
                return queryset.filter(until__lte=now)
            case "all":
                return queryset
            case _:
                return queryset.filter(until__gt=now)


class SilenceAdmin(ReadOnlyAdmin):
    """Silences and maintenance windows. To make and to end one have permissions of their own."""

    change_list_template = "qaprod/silences/list.html"
    list_display = ("shown_what", "shown_state", "shown_until", "shown_who")
    list_display_links = None
    list_filter = (WhenFilter,)
    list_per_page = 50
    sortable_by = ()
    ordering = ("-until", "-pk")
    show_full_result_count = False
    actions = ("end",)

    def get_urls(self) -> list[URLPattern]:
        view = self.staff_only
        return [
            path("<str:object_id>/end/", view(self.end_view), name="qaprod_silence_end"),
            *super().get_urls(),
        ]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return may(request, "add", of="silence")

    def has_end_permission(self, request: HttpRequest) -> bool:
        """Whether the user may end silences."""
        return may(request, "end", of="silence")

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        return super().changelist_view(request, {"title": gettext("Silences"), **(extra_context or {})})

    # The columns

    @admin.display(description=_("about what"))
    def shown_what(self, silence: Silence) -> SafeString:
        """Return about what it is, leading to its page, and why."""
        from ..dashboard import silences

        return format_html(
            '<a class="qaprod-title" href="{}"><bdi>{}</bdi></a><bdi class="qaprod-quiet">{}</bdi>',
            self._url("change", silence.pk),
            silences.about(silence),
            words.cut(silence.why, 160),
        )

    @admin.display(description=_("state"))
    def shown_state(self, silence: Silence) -> SafeString:
        """Return whether it holds."""
        from ..dashboard import silences

        state, name = silences.state(silence)
        return format_html('<span class="qaprod-state qaprod-{}">{}</span>', state, name)

    @admin.display(description=_("from, until"))
    def shown_until(self, silence: Silence) -> SafeString:
        """Return from when until when it holds."""
        return format_html(
            '{}<span class="qaprod-quiet">{}</span>',
            words.moment(silence.begins_at),
            words.moment(silence.until),
        )

    @admin.display(description=_("who"))
    def shown_who(self, silence: Silence) -> SafeString:
        """Return who asked for it, when, and who ended it."""
        ended = gettext("ended by %(who)s") % {"who": words.cut(silence.ended_by, 60)}
        return format_html(
            '<bdi>{}</bdi><span class="qaprod-quiet">{}</span><bdi class="qaprod-quiet">{}</bdi>',
            words.cut(silence.who, 60),
            ago(silence.made_at),
            ended if silence.ended_by else "",
        )

    # To make one

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Ask about what, until when and why, and by POST make a silence."""
        from ..dashboard import silences
        from .silence_forms import SilenceForm

        if not self.has_add_permission(request):
            raise PermissionDenied
        if request.method not in {"GET", "HEAD", "POST"}:
            return HttpResponseNotAllowed(["GET", "HEAD", "POST"])
        asked = {name: request.GET.get(name, "").replace("\x00", "") for name in ("rule", "key", "journey")}
        form = SilenceForm(request.POST if request.method == "POST" else None, initial=asked)
        if form.is_valid():
            silence = form.make(who=request.user.get_username())
            # Without a full stop: "2:20 p.m." has its own.
            said = gettext("It is silent until %(until)s") % {"until": words.moment(silence.until)}
            self.message_user(request, said, messages.SUCCESS)
            if not silences.names_something(silence):
                self.message_user(request, silences.unheard_of(silence), messages.WARNING)
            home = reverse("admin:index", current_app=self.admin_site.name)
            may_look = self.has_view_permission(request)
            return HttpResponseRedirect(self._url("changelist") if may_look else home)
        context = {"title": gettext("Ask for quiet"), "form": form, "back": self._url("changelist")}
        return self._shown(request, "add", context)

    # One of them

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Show a silence."""
        from ..dashboard import silences

        silence = self._silence(request, object_id)
        if request.method not in {"GET", "HEAD"}:
            return HttpResponseNotAllowed(["GET", "HEAD"])
        state, name = silences.state(silence)
        may_look = self.admin_site.is_registered(Alert) and may(request, "view", of="alert")
        context = {
            "title": words.cut(silences.about(silence), 120),
            "silence": silence,
            "state": state,
            "state_words": name,
            "quiet": silences.quieted(silence) if may_look else [],
            "end_url": self._url("end", silence.pk),
            "may_end": state in {"now", "coming"} and self.has_end_permission(request),
        }
        return self._shown(request, "silence", context)

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Lead to the page, which says who made and who ended it."""
        return HttpResponseRedirect(self._url("change", self._silence(request, object_id).pk))

    def end_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """End a silence by POST."""
        silence = self._silence(request, object_id)
        if not self.has_end_permission(request):
            raise PermissionDenied
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        self._end(request, [silence.pk])
        return HttpResponseRedirect(self._url("change", silence.pk))

    @admin.action(description=_("End now"), permissions=["end"])
    def end(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        """End silences now, or call them off."""
        self._end(request, list(queryset.values_list("pk", flat=True)))

    def _end(self, request: HttpRequest, ids: list[int]) -> None:
        from ..store import silences

        n = silences.end(ids, who=request.user.get_username())
        said = ngettext("%(n)s silence is over.", "%(n)s silences are over.", n) % {"n": words.number(n)}
        self.message_user(
            request,
            said if n else gettext("Nothing changed: that was the state already."),
            messages.SUCCESS if n else messages.WARNING,
        )

    def _shown(self, request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
        crumbs = [Crumb.of(self.admin_site, Silence)]
        return shown(self, request, f"qaprod/silences/{template}.html", context, crumbs=crumbs)

    def _url(self, view: str, *args: object) -> str:
        if not args:
            return address(self.admin_site, Silence, view)
        return reverse(f"admin:qaprod_silence_{view}", args=args, current_app=self.admin_site.name)

    def _silence(self, request: HttpRequest, object_id: str) -> Silence:
        if not self.has_view_permission(request):
            raise PermissionDenied
        return row_of(Silence, object_id, gettext("There is no such silence."))
