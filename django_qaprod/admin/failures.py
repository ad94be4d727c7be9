"""The list of failures: what is broken now, worst first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from ..dashboard import words
from ..models import Failure
from ..templatetags.qaprod import ago, seamed, sparkline
from . import filters
from .failure_page import FailurePageViews
from .pages import banner
from .permissions import ReadOnlyAdmin, may

if TYPE_CHECKING:
    from django.contrib.admin.views.main import ChangeList


class FailureAdmin(FailurePageViews, ReadOnlyAdmin):
    """Failures, the worst first. States change by acts that have permissions of their own."""

    change_list_template = "qaprod/failure_list.html"
    list_display = ("title", "how_bad", "what", "times", "seen", "drawn_numbers")
    list_display_links = None
    list_filter = (
        filters.StateFilter, "kind", "severity", filters.JourneyFilter, filters.RouteFilter,
        filters.ReleaseFilter, filters.SinceFilter,
    )  # fmt: skip
    list_per_page = 50
    ordering = ("-priority",)
    search_fields = ("message",)
    search_help_text = _(
        "Free text, or words like kind:degraded name:… severity:critical journey:… route:… release:… "
        "is:regression user:… subject:… request:…; quote what contains spaces, as in "
        'route:"a b"; put - before what to leave out.'
    )
    show_full_result_count = False
    actions = (
        "resolve", "resolve_in_next", "silence_hour", "silence_day", "silence_week", "silence_until",
        "reopen", "export_csv", "export_json",
    )  # fmt: skip

    # Permissions

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return request.user.has_perm("qaprod.delete_failure")

    def has_resolve_permission(self, request: HttpRequest) -> bool:
        """Whether the user may resolve and reopen."""
        return may(request, "resolve")

    def has_silence_permission(self, request: HttpRequest) -> bool:
        """Whether the user may silence."""
        return may(request, "silence")

    def has_export_permission(self, request: HttpRequest) -> bool:
        """Whether the user may export."""
        return may(request, "export")

    # The list

    def get_urls(self) -> list[URLPattern]:
        page = self.staff_only
        return [
            path("<int:object_id>/state/", page(self.state_view), name="qaprod_failure_state"),
            path("<int:object_id>/text/", page(self.text_view), name="qaprod_failure_text"),
            *super().get_urls(),
        ]

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        # Not at every start of the host.
        from .changelist import FailureChangeList

        return FailureChangeList

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        context = {"title": gettext("What is broken"), **banner(self.admin_site, request)}
        return super().changelist_view(request, {**context, **(extra_context or {})})

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        from . import search

        return queryset.filter(search.condition(search_term)), False

    def get_deleted_objects(
        self, objs: Any, request: HttpRequest
    ) -> tuple[list[str], dict[str, int], set[str], list[str]]:
        """Return what would go, without listing ten thousand affected people one by one."""
        failures = list(objs)
        names = [words.title(failure) for failure in failures]
        return names, {str(Failure._meta.verbose_name_plural): len(failures)}, set(), []

    # The columns

    @admin.display(description=_("failure"), ordering="error_type")
    def title(self, failure: Failure) -> SafeString:
        """Return what broke, leading to its page, its name, whose way it stands in and where it is."""
        flags = [gettext("came back")] if failure.regression else []
        flags += [gettext("critical view")] if failure.critical else []
        around = (
            words.cut(failure.name, 90),
            words.cut(" ".join(filter(None, (failure.journey, failure.method, failure.route))), 90),
            words.cut(failure.culprit, 90),
        )
        return format_html(
            '<a class="qaprod-title" href="{}"><bdi>{}</bdi></a> {}{}',
            self.page_url(failure),
            seamed(words.title(failure)),
            format_html_join("", '<span class="qaprod-flag">{}</span> ', ((flag,) for flag in flags)),
            format_html_join(
                "", '<bdi class="qaprod-quiet">{}</bdi>', ((seamed(text),) for text in around if text)
            ),
        )

    @admin.display(description=_("kind"), ordering="kind")
    def what(self, failure: Failure) -> SafeString:
        """Return its kind and how severe it is."""
        return format_html(
            '{}<span class="qaprod-quiet qaprod-{}">{}</span>',
            failure.get_kind_display(),
            failure.severity,
            failure.get_severity_display(),
        )

    @admin.display(description=_("times"), ordering="count")
    def times(self, failure: Failure) -> SafeString:
        """Return how often it happened, and how many people and subjects met it: most may be anonymous."""
        people = ngettext("%(n)s person", "%(n)s people", failure.people)
        subjects = ngettext("%(n)s subject", "%(n)s subjects", failure.subjects)
        met = ((people, failure.people), (subjects, failure.subjects))
        return format_html(
            "{}{}",
            words.number(failure.count),
            format_html_join(
                "",
                '<span class="qaprod-quiet">{}</span>',
                ((label % {"n": words.number(number)},) for label, number in met if number),
            ),
        )

    @admin.display(description=_("last seen"), ordering="last_seen")
    def seen(self, failure: Failure) -> SafeString:
        """Return how long ago it happened last, and the state with its limits."""
        return format_html(
            '{}<span class="qaprod-quiet qaprod-{}">{}</span>',
            ago(failure.last_seen),
            failure.state,
            words.state(failure),
        )

    @admin.display(description=_("24 h, 14 d"))
    def drawn_numbers(self, failure: Failure) -> SafeString:
        """Return the last 24 hours and the last 14 days."""
        drawn: Any = getattr(failure, "drawn")  # noqa: B009  (get_results puts it there)
        return format_html(
            "{}{}",
            sparkline(drawn.day, title=gettext("24 hours")),
            sparkline(drawn.fortnight, title=gettext("14 days")),
        )

    @admin.display(description=_("priority"), ordering="priority")
    def how_bad(self, failure: Failure) -> SafeString:
        """Return the priority, and on request how it came about."""
        from ..dashboard import priority

        rows = format_html_join(
            "", "<li><b>{}</b> {}</li>", ((part.signed, part.reason) for part in priority.parts(failure))
        )
        return format_html(
            '<details class="qaprod-why"><summary title="{}"><span class="qaprod-narrow">{}</span> {}'
            "</summary><ul>{}</ul></details>",
            priority.explained(failure),
            gettext("priority"),
            words.number(round(failure.priority)),
            rows,
        )

    # The actions

    @admin.action(description=_("Resolve"), permissions=["resolve"])
    def resolve(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        """Say that the failures are mended."""
        self._act(request, queryset, "resolve")

    @admin.action(description=_("Resolve in the next release"), permissions=["resolve"])
    def resolve_in_next(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        """Say that the next release mends the failures."""
        self._act(request, queryset, "resolve_in_next")

    @admin.action(description=_("Silence for an hour"), permissions=["silence"])
    def silence_hour(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        """Ask for an hour of quiet."""
        self._act(request, queryset, "silence", span=3600)

    @admin.action(description=_("Silence for a day"), permissions=["silence"])
    def silence_day(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        """Ask for a day of quiet."""
        self._act(request, queryset, "silence", span=86400)

    @admin.action(description=_("Silence for a week"), permissions=["silence"])
    def silence_week(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        """Ask for a week of quiet."""
        self._act(request, queryset, "silence", span=604800)

    @admin.action(description=_("Silence until it happens more often…"), permissions=["silence"])
    def silence_until(self, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse | None:
        """Ask above how many an hour the failures should speak up again, then silence them."""
        from .acts import SilenceForm

        form = SilenceForm(request.POST if "confirmed" in request.POST else None)
        if form.is_valid():
            self._act(request, queryset, "silence_until", **form.cleaned_data)
            return None
        request.current_app = self.admin_site.name
        chosen = request.POST.getlist(ACTION_CHECKBOX_NAME)
        context = {
            **self.admin_site.each_context(request),
            **banner(self.admin_site, request),
            "title": gettext("Silence until it happens more often"),
            "opts": self.opts,
            "form": form,
            "chosen": chosen,
            "checkbox": ACTION_CHECKBOX_NAME,
            "select_across": request.POST.get("select_across", "0"),
            "number": queryset.count(),
            "some": [words.title(failure) for failure in queryset[:10]],
        }
        return TemplateResponse(request, "qaprod/silence.html", context)

    @admin.action(description=_("Reopen"), permissions=["resolve"])
    def reopen(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        """Open the failures again."""
        self._act(request, queryset, "reopen")

    @admin.action(description=_("Export as CSV"), permissions=["export"])
    def export_csv(self, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse:
        """Hand out the failures for a spreadsheet."""
        from ..dashboard import export

        content = export.as_csv(queryset.iterator(chunk_size=500))
        return _file(content, "text/csv; charset=utf-8", "failures.csv")

    @admin.action(description=_("Export as JSON"), permissions=["export"])
    def export_json(self, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse:
        """Hand out the failures for a program."""
        from ..dashboard import export

        return _file(export.as_json(queryset.iterator(chunk_size=500)), "application/json", "failures.json")

    def _act(self, request: HttpRequest, queryset: QuerySet[Any], do: str, **particulars: Any) -> None:
        from .acts import Act

        act = Act(do=do, **particulars)
        ids = queryset.values_list("pk", flat=True)
        message, changed = act.perform(ids, who=request.user.get_username())
        self.message_user(request, message, messages.SUCCESS if changed else messages.WARNING)


def _file(content: str, content_type: str, name: str) -> HttpResponse:
    return HttpResponse(
        content,
        content_type=content_type,
        headers={
            "Content-Disposition": f'attachment; filename="{name}"',
            "X-Content-Type-Options": "nosniff",
        },
    )
