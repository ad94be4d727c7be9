"""What was sent about alerts, by which channel, and what became of it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from ..dashboard import words
from ..models import Alert, Notification
from ..templatetags.qaprod import exactly
from .filters import TextFilter
from .pages import row_of
from .permissions import ReadOnlyAdmin

if TYPE_CHECKING:
    from django.contrib.admin.views.main import ChangeList


class LaneFilter(TextFilter):
    """Notifications of a channel that is configured."""

    title = _("channel")
    parameter_name = "channel"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin[Any]) -> Iterable[tuple[str, Any]]:
        from ..alerts import channels

        return [(name, words.cut(name, 60)) for name in channels.names()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Model]) -> QuerySet[Model]:
        value = self.value()
        return queryset.filter(lane=value) if value else queryset


class NotificationAdmin(ReadOnlyAdmin):
    """Notifications, the latest first. Nothing can be done to them."""

    change_list_template = "qaprod/notifications/list.html"
    list_display = ("shown_made", "shown_alert", "shown_channel", "shown_state", "shown_why")
    list_display_links = None
    list_filter = ("state", LaneFilter, "kind")
    list_per_page = 50
    list_select_related = ("alert",)
    sortable_by = ()
    search_fields = ("alert__rule",)
    search_help_text = _("A part of a rule's name.")
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        # Not at every start of the host.
        from .changelist import NotificationChangeList

        return NotificationChangeList

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        return super().changelist_view(request, {"title": gettext("Notifications"), **(extra_context or {})})

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        term = search_term.strip().replace("\x00", "")
        # Of alerts there are far fewer than of notifications.
        alerts = Alert.objects.filter(rule__icontains=term).values("pk")
        return (queryset.filter(alert__in=alerts) if term else queryset), False

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Lead to the list, which says all that there is."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        row_of(Notification, object_id, gettext("There is no such notification."))
        return HttpResponseRedirect(
            reverse("admin:qaprod_notification_changelist", current_app=self.admin_site.name)
        )

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Lead to the list."""
        return self.change_view(request, object_id)

    # The columns

    @admin.display(description=_("made"))
    def shown_made(self, one: Notification) -> SafeString:
        """Return when it was made, and when it was sent."""
        sent = gettext("sent %(at)s") % {"at": exactly(one.sent_at)} if one.sent_at else ""
        return format_html('{}<span class="qaprod-quiet">{}</span>', exactly(one.made_at), sent)

    @admin.display(description=_("alert"))
    def shown_alert(self, one: Notification) -> SafeString:
        """Return of which alert it tells, and how."""
        from ..dashboard import alerts

        url, name = self._alert_url(one), alerts.title(one.alert)
        title = format_html('<a class="qaprod-title" href="{}"><bdi>{}</bdi></a>', url, name)
        return format_html(
            '{}<span class="qaprod-quiet">{}</span><bdi class="qaprod-quiet">{}</bdi>',
            title if url else format_html('<bdi class="qaprod-title">{}</bdi>', name),
            one.get_kind_display(),
            words.cut(one.subject, 120),
        )

    @admin.display(description=_("channel"))
    def shown_channel(self, one: Notification) -> SafeString:
        """Return by which channel it goes, and by which it went in its place."""
        via = gettext("by %(name)s") % {"name": words.cut(one.via, 60)} if one.via else ""
        return format_html('<bdi>{}</bdi><bdi class="qaprod-quiet">{}</bdi>', words.cut(one.lane, 60), via)

    @admin.display(description=_("state"))
    def shown_state(self, one: Notification) -> SafeString:
        """Return its state."""
        return format_html(
            '<span class="qaprod-state qaprod-{}">{}</span>', one.state, one.get_state_display()
        )

    @admin.display(description=_("why"))
    def shown_why(self, one: Notification) -> SafeString:
        """Return why it is held or was not needed, and what went wrong."""
        return format_html(
            '<bdi>{}</bdi><bdi class="qaprod-quiet qaprod-bad">{}</bdi>',
            words.cut(one.held, 160),
            words.cut(one.error, 200),
        )

    def _alert_url(self, one: Notification) -> str:
        if not self.admin_site.is_registered(Alert):
            return ""
        return reverse("admin:qaprod_alert_detail", args=(one.alert_id,), current_app=self.admin_site.name)
