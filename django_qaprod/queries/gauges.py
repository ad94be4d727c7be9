"""Gauges: what was read of each, in the last day at a glance, and over time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db.models import Case, F, QuerySet, Value, When

from .. import clock, metrics
from ..models import Deploy, Failure, Series
from . import buckets
from .series import Point, Total
from .window import DAY, HOUR, MINUTE, Window

#: Seconds back from the last reading that are taken together as the present of what several processes read:
#: they do not all flush in the same minute.
_TOGETHER = MINUTE
_MOST_FAILURES = 20
# What a chart's steps may be longer than its window's own: for gauges that are read more rarely.
_STEPS = (MINUTE, 10 * MINUTE, HOUR, 6 * HOUR, DAY)


@dataclass(slots=True, kw_only=True)
class GaugeRow:
    """What was read of a gauge in the last 24 hours; ``label`` is empty for all of its series together.

    Those that each process reads of itself are together, all others apart. ``last`` is the latest reading,
    or the mean of a minute's, ``read_at`` the minute. ``trend`` has the mean of each hour.
    """

    name: str
    label: str
    unit: str = ""
    read_at: datetime
    last: Total = field(default_factory=Total)
    day: Total = field(default_factory=Total)
    trend: list[float | None] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class SeriesRow:
    """One of the series of a gauge in the window."""

    label: str
    numbers: Total


@dataclass(slots=True, kw_only=True)
class GaugeDetail:
    """What a gauge's page shows: of one label, or of all series together. ``label`` is ``None`` for all."""

    name: str
    label: str | None
    unit: str
    window: Window
    #: Seconds between two of the points.
    step: int
    points: list[Point]
    whole: Total
    series: list[SeriesRow]
    failures: list[Failure]
    deploys: list[Deploy]


def overview(*names: str) -> list[GaugeRow]:
    """Return the gauges of these names, or all, that were read in the last 24 hours, by name and label.

    One query.
    """
    start, end = Window.last(timedelta(hours=24)).epochs(HOUR)
    known = {
        "name": F("series__name"),
        "label": Case(When(series__name__in=list(metrics.UNITS), then=Value("")), default=F("series__label")),
        "unit": F("series__unit"),
    }
    series = _gauges().filter(name__in=names) if names else _gauges()
    found: dict[tuple[str, ...], list[buckets.Sum]] = {}
    for row in buckets.added_up(series, buckets.steps(start, end, HOUR), by=known):
        found.setdefault(row.key, []).append(row)
    return [_row(key, rows, start, end) for key, rows in sorted(found.items())]


def detail(name: str, label: str | None, window: Window, *, every: float = 0.0) -> GaugeDetail:
    """Return what was read of a gauge in a window; everything is empty for one that nobody reads.

    The steps are no shorter than ``every`` seconds, so that each has a reading. Four queries.
    """
    step = next((step for step in _STEPS if step >= max(window.step, every)), DAY)
    start, end = window.epochs(step)
    series = _gauges().filter(name=name)
    points = [Point(start=clock.moment(at)) for at in range(start, end, step)]
    chosen = series if label is None else series.filter(label=label)
    for row in buckets.added_up(chosen, buckets.steps(start, end, step), by={}):
        points[(row.start - start) // step].add(row)
    whole, labels, unit = _by_label(series, window)
    return GaugeDetail(
        name=name,
        label=label,
        unit=unit,
        window=window,
        step=step,
        points=points,
        whole=whole if label is None else labels.get(label, Total()),
        series=[SeriesRow(label=known, numbers=numbers) for known, numbers in sorted(labels.items())],
        failures=_failures(name),
        deploys=list(Deploy.objects.filter(at__gte=window.start, at__lt=window.end).order_by("at")),
    )


def is_known(name: str, label: str | None) -> bool:
    """Return whether there are readings of a gauge, with that label unless it is ``None``. One query."""
    series = _gauges().filter(name=name)
    return (series if label is None else series.filter(label=label)).exists()


def _failures(name: str) -> list[Failure]:
    """Return the open failures of a gauge, the latest first."""
    found = Failure.objects.filter(kind=Failure.Kind.GAUGE, state=Failure.State.OPEN, name=name)
    return list(
        found.only("pk", "error_type", "message", "last_seen").order_by("-last_seen")[:_MOST_FAILURES]
    )


def _gauges() -> QuerySet[Series]:
    return Series.objects.filter(gauge=True)


def _row(key: tuple[str, ...], rows: Iterable[buckets.Sum], start: int, end: int) -> GaugeRow:
    name, label, unit = key
    known = list(rows)
    newest = max(row.start for row in known)
    since = newest - (_TOGETHER if name in metrics.UNITS else 0)
    hours = [Total() for _ in range(start, end, HOUR)]
    found = GaugeRow(name=name, label=label, unit=unit, read_at=clock.moment(newest))
    for row in known:
        hours[(row.start - start) // HOUR].add(row)
        found.day.add(row)
        if row.start >= since:
            found.last.add(row)
    found.trend = [hour.mean for hour in hours]
    return found


def _by_label(series: QuerySet[Series], window: Window) -> tuple[Total, dict[str, Total], str]:
    """Return the numbers of the window, of all series and of each label, and their unit."""
    whole, labels, unit = Total(), dict[str, Total](), ""
    known = {"label": F("series__label"), "unit": F("series__unit")}
    for row in buckets.added_up(series, buckets.sums(window), by=known, starts=False):
        whole.add(row)
        labels.setdefault(row.key[0], Total()).add(row)
        unit = row.key[1]
    return whole, labels, unit
