"""The list of rescued submissions: who waits for what, the latest first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from ..dashboard import words
from ..models import RescuedSubmission
from ..templatetags.qaprod import ago
from .filters import JourneyFilter
from .permissions import ReadOnlyAdmin, may
from .submission_filters import FailureFilter, SentSinceFilter, StateFilter
from .submission_page import SubmissionPageViews

if TYPE_CHECKING:
    from django.contrib.admin.views.main import ChangeList

_State = RescuedSubmission.State


class RescuedSubmissionAdmin(SubmissionPageViews, ReadOnlyAdmin):
    """Rescued submissions. What was sent is no part of any list; each act has a permission of its own."""

    change_list_template = "qaprod/submissions/list.html"
    list_display = ("reference", "stands", "who", "what", "failed")
    list_display_links = None
    list_filter = (StateFilter, JourneyFilter, FailureFilter, SentSinceFilter)
    list_per_page = 50
    sortable_by = ()
    search_fields = ("id",)
    search_help_text = _(
        "The reference that the visitor was told, or words of the subject, the user, the view or the route; "
        "or id:… user:… subject:… journey:… view:… route:… state:… request:… is:doubtful is:edited "
        "is:expiring; quote what contains spaces; put - before what to leave out."
    )
    show_full_result_count = False
    actions = ("replay", "discard")

    # Permissions

    def has_replay_permission(self, request: HttpRequest) -> bool:
        """Whether the user may replay."""
        return may(request, "replay", of="rescuedsubmission")

    def has_discard_permission(self, request: HttpRequest) -> bool:
        """Whether the user may discard."""
        return may(request, "discard", of="rescuedsubmission")

    # The list

    def get_urls(self) -> list[URLPattern]:
        page = self.staff_only
        named = "qaprod_rescuedsubmission"
        return [
            path("progress/", page(self.progress_view), name=f"{named}_progress"),
            path("replay-failure/", page(self.replay_failure_view), name=f"{named}_replay_failure"),
            path("<str:object_id>/content/", page(self.content_view), name=f"{named}_content"),
            path("<str:object_id>/file/", page(self.file_view), name=f"{named}_file"),
            path("<str:object_id>/edit/", page(self.edit_view), name=f"{named}_edit"),
            path("<str:object_id>/replay/", page(self.replay_view), name=f"{named}_replay"),
            path("<str:object_id>/discard/", page(self.discard_view), name=f"{named}_discard"),
            *super().get_urls(),
        ]

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        # Not at every start of the host.
        from .changelist import SubmissionChangeList

        return SubmissionChangeList

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        from ..dashboard import submissions

        context = {
            "title": gettext("Rescued submissions"),
            "submission_warnings": submissions.warnings(),
            "expiring": submissions.expiring(),
        }
        return super().changelist_view(request, {**context, **(extra_context or {})})

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        from . import submission_search

        return queryset.filter(submission_search.condition(search_term)), False

    # The columns

    @admin.display(description=_("submission"))
    def reference(self, rescued: RescuedSubmission) -> SafeString:
        """Return its reference, leading to its page, and how long ago it was sent."""
        from ..sent import reference_of

        return format_html(
            '<a class="qaprod-title" href="{}">{}</a><span class="qaprod-quiet">{}</span>',
            self.page_url(rescued),
            reference_of(rescued.pk),
            ago(rescued.at),
        )

    @admin.display(description=_("who"))
    def who(self, rescued: RescuedSubmission) -> SafeString:
        """Return whose journey it is, and who was signed in."""
        user = gettext("user %(key)s") % {"key": words.cut(rescued.user, 60)} if rescued.user else ""
        if not rescued.subject:
            return _two(user or words.NOTHING, "")
        return _two(gettext("subject %(key)s") % {"key": words.cut(rescued.subject, 90)}, user)

    @admin.display(description=_("journey"))
    def what(self, rescued: RescuedSubmission) -> SafeString:
        """Return the journey, and the view."""
        journey, view = words.cut(rescued.journey, 60), words.cut(rescued.name, 90)
        return _two(journey or view, view if journey else "")

    @admin.display(description=_("failure"))
    def failed(self, rescued: RescuedSubmission) -> SafeString:
        """Return the failure that its view met, leading to its page while its telemetry is kept."""
        failure = getattr(rescued, "met", None)
        if failure is None:
            return _two(words.unstored(rescued.at) if rescued.failure else words.NOTHING, "")
        link = self.failure_url(failure)
        if not link:
            return _two(words.title(failure), "")
        return format_html('<a href="{}"><bdi>{}</bdi></a>', link, words.title(failure))

    @admin.display(description=_("state"))
    def stands(self, rescued: RescuedSubmission) -> SafeString:
        """Return its state, since when, and what a person should know before a replay."""
        doubt = gettext("in doubt: %(why)s") % {"why": rescued.get_in_doubt_display()}
        tried = ngettext("%(n)s attempt", "%(n)s attempts", rescued.attempts)
        return format_html(
            '<span class="qaprod-state qaprod-{}">{}</span>'
            '<span class="qaprod-quiet qaprod-bad">{}</span><span class="qaprod-quiet">{}</span>',
            rescued.state,
            rescued.get_state_display(),
            doubt if rescued.in_doubt and rescued.state == _State.WAITING else "",
            tried % {"n": words.number(rescued.attempts)} if rescued.attempts else "",
        )

    # The actions

    @admin.action(description=_("Replay"), permissions=["replay"])
    def replay(self, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse | None:
        """Ask for the replay of those that wait; what is in doubt is left out."""
        waiting = queryset.filter(state=_State.WAITING)
        doubtful = waiting.exclude(in_doubt="").count()
        if doubtful:
            left_out = ngettext(
                "%(n)s submission is in doubt and was left out: look at its page and decide.",
                "%(n)s submissions are in doubt and were left out: look at their pages and decide.",
                doubtful,
            )
            self.message_user(request, left_out % {"n": words.number(doubtful)}, messages.WARNING)
        return self.asked(request, list(waiting.values_list("pk", flat=True)))

    @admin.action(description=_("Discard…"), permissions=["discard"])
    def discard(self, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse | None:
        """Ask for the reason, then give up those that wait."""
        chosen = {
            ACTION_CHECKBOX_NAME: request.POST.getlist(ACTION_CHECKBOX_NAME),
            "action": ["discard"],
            "select_across": [request.POST.get("select_across", "0")],
            "index": ["0"],
        }
        return self.discarding(request, queryset, chosen)


def _two(first: str, second: str) -> SafeString:
    return format_html('<bdi>{}</bdi><bdi class="qaprod-quiet">{}</bdi>', first, second)
