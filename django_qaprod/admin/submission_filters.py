"""The filters beside the list of rescued submissions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from .. import clock
from ..dashboard import words
from ..models import RescuedSubmission
from .filters import SinceFilter, TextFilter

if TYPE_CHECKING:
    from django.contrib.admin.filters import _ListFilterChoices
    from django.contrib.admin.views.main import ChangeList

# A sidebar of a hundred failures helps nobody: a failure's own page leads here.
_MOST = 15

_Choices = Iterable[tuple[str, Any]]


class StateFilter(admin.SimpleListFilter):
    """What is not settled, unless something else is asked for, here or in the search box."""

    title = _("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin[Any]) -> _Choices:
        return [
            ("open", _("not settled")),
            ("doubtful", _("waiting, in doubt")),
            *RescuedSubmission.State.choices,
            ("all", _("All")),
        ]

    def choices(self, changelist: ChangeList) -> Iterator[_ListFilterChoices]:
        chosen = self._chosen(changelist.query)
        for value, label in self.lookup_choices:
            yield {
                "selected": value == chosen,
                "query_string": changelist.get_query_string({self.parameter_name: str(value)}),
                "display": label,
            }

    def queryset(self, request: HttpRequest, queryset: QuerySet[Model]) -> QuerySet[Model]:
        # Not at every start of the host.
        from ..queries import submissions

        match self._chosen(request.GET.get("q", "")):
            case "all":
                return queryset
            case "open":
                return queryset.filter(state__in=submissions.OPEN)
            case "doubtful":
                return queryset.filter(state=RescuedSubmission.State.WAITING).exclude(in_doubt="")
            case state:
                return queryset.filter(state=state)

    def _chosen(self, query: str) -> str:
        value = self.value()
        if value in {known for known, _label in self.lookup_choices}:
            return str(value)
        from . import submission_search

        return "all" if submission_search.names_a_state(query) else "open"


class FailureFilter(TextFilter):
    """Submissions of one of the failures for which some wait."""

    title = _("failure")
    parameter_name = "failure"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin[Any]) -> _Choices:
        from ..queries import submissions

        chosen = request.GET.get(self.parameter_name, "").replace("\x00", "")
        waiting = submissions.waiting_for(most=_MOST)
        wanted = list(dict.fromkeys([*waiting, *([chosen] if chosen else [])]))
        known = submissions.failures(wanted)
        return [
            (one, words.title(known[one]) if one in known else _unknown(one, waiting.get(one)))
            for one in wanted
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Model]) -> QuerySet[Model]:
        value = self.value()
        return queryset.filter(failure=value) if value else queryset


def _unknown(fingerprint: str, met: datetime | None) -> str:
    return f"{words.unstored(met)} {words.cut(fingerprint, 12)}"


class SentSinceFilter(SinceFilter):
    """Submissions that were sent since a time."""

    title = _("sent since")

    def queryset(self, request: HttpRequest, queryset: QuerySet[Model]) -> QuerySet[Model]:
        from ..records import first_id

        since = self.since()
        # The ids are of the time at which it was sent.
        return queryset if since is None else queryset.filter(pk__gte=first_id(clock.epoch(since)))
