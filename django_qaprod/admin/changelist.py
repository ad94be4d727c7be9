"""The lists of failures, events, alerts and rescued submissions: their order, and what they read."""

from __future__ import annotations

from typing import Any

from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ChangeList
from django.core.paginator import Paginator
from django.db.models import Case, QuerySet, Value, When
from django.http import HttpRequest
from django.utils.functional import cached_property

from ..dashboard import alerts
from ..models import Alert
from ..queries.failures import sparklines
from ..queries.inhibition import Explanation
from ..queries.submissions import failures
from .filters import JourneyFilter

#: Further than this nobody turns the pages of events: what is further back is found by the filters.
PAGES = 100


class FailureChangeList(ChangeList):
    """The stock list, with the sparklines of the page's failures read at once."""

    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Any]) -> list[Any]:
        # Among equals the latest comes first; in ``ordering`` it would show as a second sorted column.
        wanted = list(super().get_ordering(request, queryset))
        if "-priority" in wanted:
            wanted.insert(wanted.index("-priority") + 1, "-last_seen")
        return wanted

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        rows: list[Any] = list(self.result_list)
        drawn = sparklines([row.pk for row in rows])
        for row in rows:
            row.drawn = drawn[row.pk]
        self.result_list = rows


class UncountedChangeList(ChangeList):
    """The stock list without its counts: a page reads its own rows, of a thousand or of ten million.

    ``later`` and ``earlier`` are the numbers of the pages beside it.
    """

    later: int | None
    earlier: int | None

    def get_results(self, request: HttpRequest) -> None:
        if not 1 <= self.page_num <= PAGES:
            raise IncorrectLookupParameters
        begin = (self.page_num - 1) * self.list_per_page
        found = list(self.queryset[begin : begin + self.list_per_page + 1])
        more = len(found) > self.list_per_page
        self.result_list = found[: self.list_per_page]
        self.later = self.page_num - 1 or None
        self.earlier = self.page_num + 1 if more and self.page_num < PAGES else None
        # As far as is known. Both alike, so that the search box does not tell of it as of a result.
        self.result_count = self.full_result_count = begin + len(found)
        self.paginator = Paginator(range(self.result_count), self.list_per_page)
        self.multi_page = self.result_count > self.list_per_page
        self.can_show_all = self.show_full_result_count = self.show_admin_actions = False


class EventChangeList(UncountedChangeList):
    """Events, the latest first.

    As they were recorded, which is the order of the ids; those of one journey as they were taken, because its
    index has that order.
    """

    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Any]) -> list[Any]:
        return ["-at", "-id"] if self.params.get(JourneyFilter.parameter_name) else ["-id"]


class NotificationChangeList(UncountedChangeList):
    """Notifications, the latest first, which is the order of their index."""

    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Any]) -> list[Any]:
        return ["-made_at", "-id"]


class AlertChangeList(ChangeList):
    """What fires, the worst first, then what is pending; what is over, the latest first.

    Of what fires that comes last which another rule explains that fires, too: nobody is told of it. With what
    keeps each of the page's alerts quiet, and whom what failed around them hit.
    """

    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Any]) -> list[Any]:
        # The first is the order of an index, and by luck that of the alphabet.
        active = self.params.get("state", "active") not in {Alert.State.RESOLVED, "all"}
        return ["state", *self._told_first(), "rank", "-fired_at", "-pk"] if active else ["-pk"]

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        rows: list[Any] = list(self.result_list)
        may_see_failures = request.user.has_perm("qaprod.view_failure")
        hit = alerts.hits(rows) if may_see_failures else [[] for _row in rows]
        for row, quiet, met in zip(rows, alerts.hushes(rows, self._explained), hit, strict=True):
            row.quiet, row.hit = quiet, met
        self.result_list = rows

    @cached_property
    def _explained(self) -> dict[str, Explanation]:
        return alerts.explained()

    def _told_first(self) -> list[Case]:
        # Mostly none: then the order is an index's.
        explained = self._explained.items()
        held = [When(rule=name, began_at__lte=by.until, then=Value(1)) for name, by in explained]
        return [Case(*held, default=Value(0))] if held else []


class SubmissionChangeList(ChangeList):
    """The stock list, with the failures of the page's submissions, which are telemetry, read at once."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        rows: list[Any] = list(self.result_list)
        met = failures(row.failure for row in rows)
        for row in rows:
            row.met = met.get(row.failure)
        self.result_list = rows
