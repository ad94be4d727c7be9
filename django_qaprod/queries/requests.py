"""Requests by route."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypedDict

from django.db.models import QuerySet

from .. import clock
from ..histogram import RELATIVE_ERROR
from ..models import Series
from . import buckets
from .series import Total, Window, named, values
from .window import MINUTE

DURATION = "http.server.request.duration"
BROWSER = "qaprod.requests.browser"
_ROUTE, _OUTCOME = "http.route", "qaprod.outcome"
_STATUS, _METHOD, _FAMILY = "http.response.status_code", "http.request.method", "browser"


@dataclass(slots=True, kw_only=True)
class Numbers:
    """How requests went. ``errors`` are those answered with a server error; seconds for the quantiles."""

    count: int = 0
    errors: int = 0
    client_errors: int = 0
    degraded: int = 0
    aborted: int = 0
    p50: float | None = None
    p95: float | None = None
    p99: float | None = None

    @property
    def error_rate(self) -> float:
        """Server errors per request, between 0 and 1."""
        return self.errors / self.count if self.count else 0.0

    @property
    def degraded_rate(self) -> float:
        """Degraded requests per request, between 0 and 1."""
        return self.degraded / self.count if self.count else 0.0


@dataclass(slots=True, kw_only=True)
class RouteRow(Numbers):
    """A route in the list, beside the window before. ``trend`` holds its counts in equal steps."""

    route: str
    previous_count: int = 0
    previous_errors: int = 0
    trend: list[int] = field(default_factory=list)

    @property
    def previous_error_rate(self) -> float:
        """Server errors per request in the window before."""
        return self.previous_errors / self.previous_count if self.previous_count else 0.0


@dataclass(slots=True, kw_only=True)
class RoutePoint(Numbers):
    """One step of a route's chart."""

    start: datetime


@dataclass(slots=True, kw_only=True)
class Share(Numbers):
    """The requests that have one value of an attribute (a status, a method, a browser)."""

    value: str


@dataclass(slots=True, kw_only=True)
class RouteDetail:
    """Everything about one route. Browsers have counts, errors and degraded requests, no quantiles."""

    route: str
    window: Window
    now: RouteRow
    points: list[RoutePoint]
    by_status: list[Share]
    by_method: list[Share]
    by_browser: list[Share]
    error: float = RELATIVE_ERROR


class _Fields(TypedDict):
    count: int
    errors: int
    client_errors: int
    degraded: int
    aborted: int
    p50: float | None
    p95: float | None
    p99: float | None


class _Sum:
    """Bucket rows added up, by outcome."""

    def __init__(self) -> None:
        self.total = Total()
        self.outcomes: Counter[str] = Counter()

    def add(self, row: buckets.Row, outcome: str) -> None:
        self.total.add(row)
        self.outcomes[outcome] += row.count

    def fields(self) -> _Fields:
        return _Fields(
            count=self.total.count,
            errors=self.outcomes["server_error"],
            client_errors=self.outcomes["client_error"],
            degraded=self.outcomes["degraded"],
            aborted=self.outcomes["aborted"],
            p50=self.total.quantile(0.5),
            p95=self.total.quantile(0.95),
            p99=self.total.quantile(0.99),
        )


class _Trend:
    """Counts in equal steps of a window: ten minutes, an hour or a day, as its rows allow."""

    def __init__(self, window: Window) -> None:
        period = buckets.coarsest(window)
        self._step = 10 * MINUTE if period == MINUTE else period
        self._first = window.epochs()[0] // self._step
        self._last = max((window.epochs()[1] - 1) // self._step, self._first)
        self._counts: dict[str, list[int]] = {}

    def add(self, key: str, row: buckets.Row) -> None:
        counts = self._counts.setdefault(key, [0] * (self._last - self._first + 1))
        # A window is widened where its rows are coarse; what lies outside belongs to its first or last step.
        counts[min(max(row.start // self._step, self._first), self._last) - self._first] += row.count

    def of(self, key: str) -> list[int]:
        return self._counts.get(key, [0] * (self._last - self._first + 1))


def routes(window: Window) -> list[RouteRow]:
    """Return the routes that were asked for in the window, most requests first, beside the window before.

    Three queries, however many routes.
    """
    series = named(DURATION)
    keys = _keys(series, (_ROUTE, _OUTCOME))
    found: dict[str, _Sum] = {}
    trend = _Trend(window)
    for row in buckets.rows(series, buckets.sums(window)):
        route, outcome = keys.get(row.series, ("", ""))
        if route:
            found.setdefault(route, _Sum()).add(row, outcome)
            trend.add(route, row)
    previous = _previous(series, keys, window)
    rows = [_row(name, known, previous.get(name, Counter()), trend) for name, known in found.items()]
    return sorted(rows, key=lambda row: (-row.count, row.route))


def route(route: str, window: Window) -> RouteDetail:
    """Return what is known about one route; everything is zero for one that nobody asked for. Six queries."""
    series = named(DURATION, label=route)
    keys = _keys(series, (_ROUTE, _OUTCOME, _STATUS, _METHOD))
    whole = _Sum()
    by_status: dict[str, _Sum] = {}
    by_method: dict[str, _Sum] = {}
    trend = _Trend(window)
    for row in buckets.rows(series, buckets.sums(window)):
        name, outcome, status, method = keys.get(row.series, ("", "", "", ""))
        if name == route:
            whole.add(row, outcome)
            by_status.setdefault(status, _Sum()).add(row, outcome)
            by_method.setdefault(method, _Sum()).add(row, outcome)
            trend.add(route, row)
    previous = _previous(series, {pk: key[:2] for pk, key in keys.items()}, window)
    return RouteDetail(
        route=route,
        window=window,
        now=_row(route, whole, previous.get(route, Counter()), trend),
        points=_points(series, keys, window),
        by_status=_shares(by_status),
        by_method=_shares(by_method),
        by_browser=_browsers(route, window),
    )


def _row(route: str, found: _Sum, previous: Mapping[str, int], trend: _Trend) -> RouteRow:
    return RouteRow(
        route=route,
        previous_count=sum(previous.values()),
        previous_errors=previous.get("server_error", 0),
        trend=trend.of(route),
        **found.fields(),
    )


def _previous(
    series: QuerySet[Series], keys: Mapping[int, tuple[str, ...]], window: Window
) -> dict[str, Counter[str]]:
    found: dict[str, Counter[str]] = {}
    for row in buckets.short_rows(series, buckets.sums(window.before)):
        if row.series in keys:
            route, outcome = keys[row.series]
            found.setdefault(route, Counter())[outcome] += row.count
    return found


def _points(
    series: QuerySet[Series], keys: Mapping[int, tuple[str, ...]], window: Window
) -> list[RoutePoint]:
    step = window.step
    start, end = window.epochs(step)
    sums: dict[int, _Sum] = {at: _Sum() for at in range(start, end, step)}
    for row in buckets.rows(series, buckets.steps(start, end, step)):
        if row.series in keys:
            sums[row.start - row.start % step].add(row, keys[row.series][1])
    return [RoutePoint(start=clock.moment(at), **found.fields()) for at, found in sums.items()]


def _browsers(route: str, window: Window) -> list[Share]:
    series = named(BROWSER, label=route)
    keys = _keys(series, (_FAMILY, _OUTCOME))
    found: dict[str, _Sum] = {}
    for row in buckets.rows(series, buckets.sums(window)):
        if row.series in keys:
            family, outcome = keys[row.series]
            found.setdefault(family, _Sum()).add(row, outcome)
    return _shares(found)


def _shares(found: Mapping[str, _Sum]) -> list[Share]:
    shares = [Share(value=value, **known.fields()) for value, known in found.items()]
    return sorted(shares, key=lambda share: (-share.count, share.value))


def _keys(series: QuerySet[Series], by: tuple[str, ...]) -> dict[int, tuple[str, ...]]:
    return {pk: values(attributes, by) for pk, attributes in series.values_list("pk", "attributes")}
