"""The requests page and a route's own page."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from ..histogram import RELATIVE_ERROR
from ..models import Deploy
from ..queries import requests
from ..queries.requests import RouteDetail, RouteRow
from . import charts, windows
from .charts import Chart, Line

PER_PAGE = 200

_Key = Callable[[RouteRow], float | str]
_COLUMNS: dict[str, tuple[Promise, _Key]] = {
    "route": (gettext_lazy("route"), lambda row: row.route),
    "count": (gettext_lazy("requests"), lambda row: row.count),
    "errors": (gettext_lazy("errors"), lambda row: row.error_rate),
    "degraded": (gettext_lazy("degraded"), lambda row: row.degraded_rate),
    "aborted": (gettext_lazy("aborted"), lambda row: row.aborted),
    "p50": (gettext_lazy("median"), lambda row: row.p50 or 0.0),
    "p95": (gettext_lazy("p95"), lambda row: row.p95 or 0.0),
    "p99": (gettext_lazy("p99"), lambda row: row.p99 or 0.0),
}
_DEFAULT = "-count"


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column that the table can be sorted by: ``order`` is what its heading asks for."""

    label: Promise
    order: str
    direction: str
    numeric: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestsPage:
    """What the template shows. ``hidden`` routes did not fit on the page."""

    chosen: windows.Chosen
    columns: list[Column]
    rows: list[RouteRow]
    total: int
    errors: int
    degraded: int
    hidden: int
    search: str
    order: str
    #: Whether the window before has any numbers: else everything would be new.
    compared: bool
    error: float = RELATIVE_ERROR


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutePage:
    """What the template of a route shows."""

    chosen: windows.Chosen
    detail: RouteDetail
    counts: Chart
    times: Chart


def page(given: Mapping[str, str]) -> RequestsPage:
    """Return the routes in the window, sorted and searched as the query string asks."""
    chosen = windows.choose(given)
    known = requests.routes(chosen.window)
    search = given.get("q", "").strip()
    found = [row for row in known if search.lower() in row.route.lower()]
    order = _order(given.get("o", _DEFAULT))
    # Stable: alike rows stay with the most requests first.
    rows = sorted(found, key=_COLUMNS[order.lstrip("-")][1], reverse=order.startswith("-"))
    return RequestsPage(
        chosen=chosen,
        columns=[_column(name, order) for name in _COLUMNS],
        rows=rows[:PER_PAGE],
        total=sum(row.count for row in known),
        errors=sum(row.errors for row in known),
        degraded=sum(row.degraded for row in known),
        hidden=max(len(rows) - PER_PAGE, 0),
        search=search,
        order=order,
        compared=any(row.previous_count for row in known),
    )


def route_page(given: Mapping[str, str]) -> RoutePage:
    """Return the page of the route that ``?route=`` names."""
    chosen = windows.choose(given)
    route = given.get("route", "")[:300].replace("\x00", "")
    detail = requests.route(route, chosen.window)
    deploys = Deploy.objects.filter(at__gte=chosen.window.start, at__lt=chosen.window.end).order_by("at")
    marks = charts.marks(deploys)
    starts = [point.start for point in detail.points]
    return RoutePage(
        chosen=chosen,
        detail=detail,
        counts=Chart(
            key="qaprod-counts",
            title=_("Requests"),
            starts=starts,
            lines=[
                Line(label=_("requests"), values=[point.count for point in detail.points], filled=True),
                Line(label=_("errors"), values=[point.errors for point in detail.points], colour="error"),
                Line(
                    label=_("degraded"),
                    values=[point.degraded for point in detail.points],
                    colour="warning",
                ),
            ],
            marks=marks,
        ),
        times=Chart(
            key="qaprod-times",
            title=_("Durations"),
            unit="seconds",
            starts=starts,
            lines=[
                Line(label=_("median"), values=[point.p50 for point in detail.points]),
                Line(label=_("p95"), values=[point.p95 for point in detail.points], colour="warning"),
                Line(label=_("p99"), values=[point.p99 for point in detail.points], colour="error"),
            ],
            marks=marks,
        ),
    )


def _order(wanted: str) -> str:
    return wanted if wanted.removeprefix("-") in _COLUMNS else _DEFAULT


def _column(name: str, order: str) -> Column:
    label, _key = _COLUMNS[name]
    first = name if name == "route" else f"-{name}"
    second = f"-{name}" if name == "route" else name
    sorted_by = order.removeprefix("-") == name
    return Column(
        label=label,
        order=second if order == first else first,
        direction=("descending" if order.startswith("-") else "ascending") if sorted_by else "",
        numeric=name != "route",
    )
