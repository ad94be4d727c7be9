"""The list of events: to look at, a page at a time."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from .. import registry
from ..dashboard import words
from ..models import Event
from ..templatetags.qaprod import exactly
from . import filters
from .permissions import ReadOnlyAdmin

if TYPE_CHECKING:
    from django.contrib.admin.views.main import ChangeList


class EventAdmin(ReadOnlyAdmin):
    """Events, the latest first."""

    change_list_template = "qaprod/list.html"
    list_display = (
        "shown_at", "shown_journey", "shown_step", "shown_subject", "shown_variant", "shown_browser",
        "shown_release",
    )  # fmt: skip
    list_filter = (filters.EventSinceFilter, filters.JourneyFilter, filters.StepFilter)
    list_per_page = 100
    search_fields = ("subject",)
    search_help_text = _("The key of a subject, as a whole.")
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    fields = (
        "id", "shown_at", "shown_journey", "shown_step", "shown_subject", "shown_variant", "shown_browser",
        "shown_request", "shown_release", "shown_properties",
    )  # fmt: skip
    readonly_fields = fields

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        # Not at every start of the host.
        from .changelist import EventChangeList

        return EventChangeList

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        return super().changelist_view(request, {"title": gettext("Events"), **(extra_context or {})})

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        term = search_term.strip().replace("\x00", "")
        if not term:
            return queryset, False
        # With the journeys named, the index that begins with the journey serves.
        declared = [spec.name for spec in registry.journeys()]
        return queryset.filter(journey__in=declared, subject=term), False

    @admin.display(description=_("at"))
    def shown_at(self, event: Event) -> str:
        """Return the time to the second."""
        return exactly(event.at)

    @admin.display(description=_("journey"))
    def shown_journey(self, event: Event) -> SafeString:
        """Return the journey."""
        return _text(event.journey)

    @admin.display(description=_("step"))
    def shown_step(self, event: Event) -> SafeString:
        """Return the step."""
        return _text(event.step)

    @admin.display(description=_("subject"))
    def shown_subject(self, event: Event) -> SafeString:
        """Return whose journey it is."""
        return _text(event.subject)

    @admin.display(description=_("variant"))
    def shown_variant(self, event: Event) -> SafeString:
        """Return the variant."""
        return _text(event.variant)

    @admin.display(description=_("browser"))
    def shown_browser(self, event: Event) -> SafeString:
        """Return the browser's family."""
        return _text(event.browser)

    @admin.display(description=_("release"))
    def shown_release(self, event: Event) -> SafeString:
        """Return the release."""
        return _text(event.release)

    @admin.display(description=_("request id"))
    def shown_request(self, event: Event) -> SafeString:
        """Return the request in which it was recorded."""
        return _text(event.request_id)

    @admin.display(description=_("properties"))
    def shown_properties(self, event: Event) -> SafeString:
        """Return the properties as JSON."""
        return format_html(
            '<pre class="qaprod-text">{}</pre>',
            words.visible(json.dumps(event.properties, ensure_ascii=False, indent=1, default=str)),
        )


def _text(value: str) -> SafeString:
    return format_html("<bdi>{}</bdi>", words.cut(value, 200) or words.NOTHING)
