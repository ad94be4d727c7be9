"""Numbers over time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from django.db.models import QuerySet

from .. import clock, histogram
from ..models import Series
from . import buckets
from .window import Window

__all__ = ["Point", "Total", "Window", "points", "totals"]


@dataclass(slots=True)
class Total:
    """Numbers added up. ``histogram`` is empty for series that have none, or when it was not asked for."""

    count: int = 0
    total: float = 0.0
    minimum: float | None = None
    maximum: float | None = None
    histogram: histogram.Buckets = field(default_factory=dict)

    @property
    def mean(self) -> float | None:
        """The mean of the values, ``None`` when there are none."""
        return self.total / self.count if self.count else None

    def quantile(self, fraction: float) -> float | None:
        """Return a quantile, right to ``histogram.RELATIVE_ERROR``."""
        return histogram.quantile(self.histogram, fraction)

    def add(self, row: buckets.Row | buckets.Sum) -> None:
        """Add a bucket row, or several that are added up already."""
        if not row.count:
            return
        self.minimum = row.minimum if self.minimum is None else min(self.minimum, row.minimum)
        self.maximum = row.maximum if self.maximum is None else max(self.maximum, row.maximum)
        self.count += row.count
        self.total += row.total
        if isinstance(row, buckets.Row) and row.histogram:
            histogram.merge_encoded(self.histogram, row.histogram)


@dataclass(slots=True)
class Point(Total):
    """The numbers of one step of a chart."""

    start: datetime = field(kw_only=True)


def points(
    name: str,
    *,
    window: Window,
    step: int,
    label: str | None = None,
    labels: Iterable[str] | None = None,
    attributes: Mapping[str, str] | None = None,
) -> list[Point]:
    """Return the numbers of a window step by step, the empty steps included.

    ``step`` is a multiple of 60 seconds; steps begin at multiples of it since the epoch, so the window is
    widened to whole ones. Series are chosen by ``label``, by several ``labels``, and by the attributes that
    they must have. Two queries at most.
    """
    start, end = window.epochs(step)
    found = [Point(start=clock.moment(at)) for at in range(start, end, step)]
    series = named(name, label=label, labels=labels)
    chosen = _having(series, attributes) if attributes else None
    for row in buckets.rows(series, buckets.steps(start, end, step)):
        if chosen is None or row.series in chosen:
            found[(row.start - start) // step].add(row)
    return found


def totals(
    name: str, *, window: Window, by: tuple[str, ...] = (), label: str | None = None, histograms: bool = True
) -> dict[tuple[str, ...], Total]:
    """Return the numbers of a window added up by the values of the attributes ``by``.

    Without ``histograms`` only counts are read, which is much cheaper. Two queries.
    """
    series = named(name, label=label)
    keys = {pk: values(attributes, by) for pk, attributes in series.values_list("pk", "attributes")}
    pieces = buckets.sums(window)
    found: dict[tuple[str, ...], Total] = {}
    # A series may be born between the two queries; its first numbers are in the next answer.
    if histograms:
        for row in buckets.rows(series, pieces):
            if row.series in keys:
                found.setdefault(keys[row.series], Total()).add(row)
    else:
        for short in buckets.short_rows(series, pieces):
            if short.series in keys:
                found.setdefault(keys[short.series], Total()).count += short.count
    return found


def named(name: str, *, label: str | None = None, labels: Iterable[str] | None = None) -> QuerySet[Series]:
    """Return the series of a name, those of a label or of several."""
    series = Series.objects.filter(name=name)
    if label is not None:
        series = series.filter(label=label)
    return series if labels is None else series.filter(label__in=list(labels))


def values(attributes: Mapping[str, object], by: tuple[str, ...]) -> tuple[str, ...]:
    """Return the values of some attributes, empty text for those that a series does not have."""
    return tuple(str(attributes.get(key, "")) for key in by)


def _having(series: QuerySet[Series], wanted: Mapping[str, str]) -> set[int]:
    return {
        pk
        for pk, attributes in series.values_list("pk", "attributes")
        if all(str(attributes.get(key)) == value for key, value in wanted.items())
    }
