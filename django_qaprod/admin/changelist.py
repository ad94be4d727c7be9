"""The list of failures: its order and its sparklines."""

from __future__ import annotations

from typing import Any

from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest

from ..queries.failures import sparklines


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
