"""The list of alerts: what fires now, the worst first, and what was."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from .. import registry
from ..dashboard import words
from ..models import Alert, Rule
from ..templatetags.qaprod import ago
from .alert_page import AlertPageViews
from .filters import DefaultFilter, JourneyFilter, TextFilter
from .pages import Crumb, address, banner, shown
from .permissions import ReadOnlyAdmin, may

if TYPE_CHECKING:
    from django.contrib.admin.views.main import ChangeList

_State = Alert.State
# A sidebar of two hundred rules helps nobody: the search box finds them.
_MOST_RULES = 25


class StateFilter(DefaultFilter):
    """What fires or is about to, unless something else is asked for."""

    title = _("state")
    parameter_name = "state"
    default = "active"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin[Any]) -> Iterable[tuple[str, Any]]:
        return [("active", _("now")), *_State.choices, ("all", _("All"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Model]) -> QuerySet[Model]:
        chosen = self.chosen()
        if chosen == "active":
            return queryset.filter(state__in=(_State.FIRING, _State.PENDING))
        return queryset if chosen == "all" else queryset.filter(state=chosen)


class RuleFilter(TextFilter):
    """What is of a rule that is declared."""

    title = _("rule")
    parameter_name = "rule"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin[Any]) -> Iterable[tuple[str, Any]]:
        return [(spec.name, words.cut(spec.name, 60)) for spec in registry.rules()[:_MOST_RULES]]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Model]) -> QuerySet[Model]:
        value = self.value()
        return queryset.filter(rule=value) if value else queryset


class AlertAdmin(AlertPageViews, ReadOnlyAdmin):
    """Alerts. Their states change by acts that have permissions of their own."""

    change_list_template = "qaprod/alerts/list.html"
    list_display = ("how_bad", "shown_rule", "shown_words", "shown_hit", "shown_since", "shown_who")
    list_display_links = None
    list_filter = (StateFilter, "severity", RuleFilter, JourneyFilter)
    list_per_page = 50
    sortable_by = ()
    search_fields = ("rule",)
    search_help_text = _("A part of a rule's name, or of what it tells apart.")
    show_full_result_count = False
    actions = ("acknowledge", "silence", "resolve")

    def has_acknowledge_permission(self, request: HttpRequest) -> bool:
        """Whether the user may acknowledge, and say whether alerts were useful."""
        return may(request, "acknowledge", of="alert")

    def has_resolve_permission(self, request: HttpRequest) -> bool:
        """Whether the user may resolve."""
        return may(request, "resolve", of="alert")

    def has_silence_permission(self, request: HttpRequest) -> bool:
        """Whether the user may silence."""
        return may(request, "add", of="silence")

    def get_urls(self) -> list[URLPattern]:
        page = self.staff_only
        return [
            path("usefulness/", page(self.usefulness_view), name="qaprod_alert_usefulness"),
            path("<int:pk>/", page(self.detail_view), name="qaprod_alert_detail"),
            path("<int:pk>/act/", page(self.act_view), name="qaprod_alert_act"),
            *super().get_urls(),
        ]

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        # Not at every start of the host.
        from .changelist import AlertChangeList

        return AlertChangeList

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        from ..dashboard import alerts

        may_look = self.admin_site.is_registered(Rule) and may(request, "view", of="rule")
        context = {
            "title": gettext("Alerts"),
            "watch": alerts.watch(),
            "rules_url": address(self.admin_site, Rule, "changelist") if may_look else "",
            **banner(self.admin_site, request),
        }
        return super().changelist_view(request, {**context, **(extra_context or {})})

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        term = search_term.strip().replace("\x00", "")
        found = Q(rule__icontains=term) | Q(key__icontains=term)
        return (queryset.filter(found) if term else queryset), False

    # The columns

    @admin.display(description=_("severity"))
    def how_bad(self, alert: Alert) -> SafeString:
        """Return how bad it is, and its state; quietly where another alert explains it."""
        hush: Any = getattr(alert, "quiet")  # noqa: B009  (get_results puts it there)
        loud = (alert.severity, alert.state) if not hush.explained else ("held", "held")
        return format_html(
            '<span class="qaprod-state qaprod-{}">{}</span> <span class="qaprod-quiet qaprod-{}">{}</span>',
            loud[0],
            alert.get_severity_display(),
            loud[1],
            alert.get_state_display(),
        )

    @admin.display(description=_("rule"))
    def shown_rule(self, alert: Alert) -> SafeString:
        """Return the rule, leading to the alert's page, and what is wrong of those that it tells apart."""
        return format_html(
            '<a class="qaprod-title" href="{}"><bdi>{}</bdi></a>{}{}',
            self.page_url(alert),
            words.cut(alert.rule, 90),
            format_html(' <span class="qaprod-flag">{}</span>', gettext("flapping"))
            if alert.flapping
            else "",
            format_html_join(
                "",
                '<bdi class="qaprod-quiet">{}</bdi>',
                ((words.cut(text, 90),) for text in (alert.key, alert.journey) if text),
            ),
        )

    @admin.display(description=_("what happened"))
    def shown_words(self, alert: Alert) -> SafeString:
        """Return what happened, compared with what, and since when it is right again, if it is."""
        hush: Any = getattr(alert, "quiet")  # noqa: B009  (get_results puts it there)
        return format_html(
            '<bdi>{}</bdi><bdi class="qaprod-quiet">{}</bdi>{}',
            words.cut(alert.words, 160) or words.NOTHING,
            words.cut(alert.usual, 120),
            format_html('<span class="qaprod-quiet qaprod-resolved">{}</span>', hush.right)
            if hush.right
            else "",
        )

    @admin.display(description=_("whom it hit"), empty_value="")
    def shown_hit(self, alert: Alert) -> SafeString:
        """Return how many people and subjects met what failed around it; nothing where that is not known."""
        hit: Any = getattr(alert, "hit")  # noqa: B009  (get_results puts it there)
        return format_html_join("", "<span>{}</span>", ((met,) for met in hit))

    @admin.display(description=_("since"))
    def shown_since(self, alert: Alert) -> SafeString:
        """Return since when it is wrong, and when it was over."""
        over = ""
        if alert.resolved_at is not None:
            over = format_html(
                '<span class="qaprod-quiet">{} {}</span>', gettext("over"), ago(alert.resolved_at)
            )
        return format_html("{}{}", ago(alert.began_at), over)

    @admin.display(description=_("who is on it"))
    def shown_who(self, alert: Alert) -> SafeString:
        """Return who has acknowledged it, and what keeps it quiet."""
        from ..dashboard import alerts

        hush: Any = getattr(alert, "quiet")  # noqa: B009  (get_results puts it there)
        who = words.cut(alert.acknowledged_by, 60)
        return format_html(
            '<bdi{}>{}</bdi><bdi class="qaprod-quiet">{}</bdi>',
            "" if who else SafeString(' class="qaprod-wide-only"'),
            who or words.NOTHING,
            alerts.hushed(hush),
        )

    # The actions

    @admin.action(description=_("Acknowledge"), permissions=["acknowledge"])
    def acknowledge(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        """Say that somebody is on it."""
        self._act(request, queryset, "acknowledge")

    @admin.action(description=_("Silence…"), permissions=["silence"])
    def silence(self, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse | None:
        """Ask how long and why, then silence what has these rules and keys."""
        from .alert_acts import SilenceForm

        form = SilenceForm(request.POST if "confirmed" in request.POST else None)
        return self._asked(request, queryset, "silence", form)

    @admin.action(description=_("Resolve…"), permissions=["resolve"])
    def resolve(self, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse | None:
        """Ask why, then end the alerts."""
        from .alert_acts import ResolveForm

        form = ResolveForm(request.POST if "confirmed" in request.POST else None)
        return self._asked(request, queryset, "resolve", form)

    def _asked(
        self, request: HttpRequest, queryset: QuerySet[Any], do: str, form: Any
    ) -> HttpResponse | None:
        from ..dashboard import alerts

        if form.is_valid():
            self._act(request, queryset, do, **form.cleaned_data)
            return None
        context = {
            "title": gettext("Silence these alerts?")
            if do == "silence"
            else gettext("Resolve these alerts?"),
            "do": do,
            "form": form,
            "chosen": request.POST.getlist(ACTION_CHECKBOX_NAME),
            "checkbox": ACTION_CHECKBOX_NAME,
            "select_across": request.POST.get("select_across", "0"),
            "number": queryset.count(),
            "some": [alerts.title(alert) for alert in queryset[:10]],
            "back": address(self.admin_site, Alert, "changelist"),
        }
        crumbs = [Crumb.of(self.admin_site, Alert)]
        return shown(self, request, "qaprod/alerts/ask.html", context, crumbs=crumbs)

    def _act(self, request: HttpRequest, queryset: QuerySet[Any], do: str, **particulars: Any) -> None:
        from .alert_acts import Act

        ids = list(queryset.values_list("pk", flat=True))
        message, changed = Act(do=do, **particulars).perform(ids, who=request.user.get_username())
        self.message_user(request, message, messages.SUCCESS if changed else messages.WARNING)
