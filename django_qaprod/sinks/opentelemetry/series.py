"""What was counted, by series: added up from the records of all processes until it is brought away.

Bounded by ``MAX_SERIES`` for each metric; what has no room for a series of its own is counted in one that the
attribute ``otel.metric.overflow`` tells (https://opentelemetry.io/docs/specs/otel/metrics/sdk/#overflow-attribute).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, Generic, TypeAlias, TypeVar

from ... import histogram
from ...conf import settings
from ...records import NAMED, Cell, Exemplar, FailureRecord, HealthRecord, NumbersRecord, Record

REQUEST_DURATION = "http.server.request.duration"
FAILURES = "qaprod.failures"
DEGRADATIONS = "qaprod.degradations"
ERRORS = "qaprod.internal.errors"
DROPPED = "qaprod.internal.dropped"

#: Exemplars of one series that wait to be brought away.
MOST_EXEMPLARS = 10

OVERFLOW = "__overflow__"

Attributes: TypeAlias = tuple[tuple[str, str | int | bool], ...]
Value = TypeVar("Value", "Count", "Durations", "Readings")
#: A series that is to be brought away: its metric, and its attributes.
Due: TypeAlias = tuple["Metric[Any]", Attributes]

_OVERFLOW: Attributes = (("otel.metric.overflow", True),)
# Whose name is that of a declaration, so that there are few.
_NAMED = NAMED | {"degraded"}


# Of each of these ``since``, in nanoseconds since the epoch, says when its counting began.
@dataclass(slots=True)
class Count:
    """How often something happened."""

    since: int
    value: int = 0


@dataclass(slots=True)
class Durations:
    """A histogram of seconds."""

    since: int
    count: int = 0
    total: float = 0.0
    minimum: float = float("inf")
    maximum: float = 0.0
    buckets: histogram.Buckets = field(default_factory=dict)
    exemplars: list[Exemplar] = field(default_factory=list)

    def add(self, cell: Cell) -> None:
        """Add what one process measured."""
        self.count += cell.count
        self.total += cell.total
        self.minimum = min(self.minimum, cell.minimum)
        self.maximum = max(self.maximum, cell.maximum)
        histogram.merge_encoded(self.buckets, cell.histogram)


@dataclass(slots=True)
class Readings:
    """What was read of a gauge, by all processes that share it."""

    since: int
    count: int = 0
    total: float = 0.0

    @property
    def mean(self) -> float:
        """The mean of what was read."""
        return self.total / self.count


@dataclass(slots=True, eq=False)
class Metric(Generic[Value]):
    """The series of one name. ``due`` is the queue, of all metrics, of what is to be brought away."""

    name: str
    unit: str
    make: type[Value]
    due: dict[Due, None]
    series: dict[Attributes, Value] = field(default_factory=dict)

    def of(self, attributes: Attributes, since: int) -> Value:
        """Return the series with these attributes, made if there is room for it, and have it brought away."""
        found = self.series.get(attributes)
        if found is None:
            if len(self.series) >= settings().max_series:
                attributes = _OVERFLOW
            found = self.series.setdefault(attributes, self.make(since))
        # One that waits already keeps its place.
        self.due[self, attributes] = None
        return found

    def forget(self, attributes: Attributes) -> None:
        """Begin this series anew."""
        del self.series[attributes]
        self.due.pop((self, attributes), None)


class Numbers:
    """All that was counted since the beginning, or since it was brought away.

    ``since``, in nanoseconds since the epoch, is when the counting of a series begins that is new.
    """

    def __init__(self, since: int) -> None:
        self.since = since
        # What waits longest comes first, so that nothing waits for ever behind what changes all the time.
        self._due: dict[Due, None] = {}
        self._durations: dict[str, Metric[Durations]] = {}
        self._counts: dict[str, Metric[Count]] = {}
        self._gauges: dict[str, Metric[Readings]] = {}

    def add(self, record: Record) -> None:
        """Add what a record tells; events are counted where they are recorded, as steps."""
        if isinstance(record, NumbersRecord):
            for cell in record.cells:
                self._add_cell(cell)
            for exemplar in record.exemplars:
                self._add_exemplar(exemplar)
        elif isinstance(record, FailureRecord):
            degraded = record.kind == "degraded"
            self._count(DEGRADATIONS if degraded else FAILURES, _of_failure(record))
        elif isinstance(record, HealthRecord):
            for name, found in ((ERRORS, record.errors), (DROPPED, record.dropped)):
                for part, count in found.items():
                    self._count(name, (("qaprod.part", part),), count)

    def due(self) -> list[Due]:
        """Return the series that have changed since they were brought away, what waits longest first."""
        return list(self._due)

    def renew(self) -> None:
        """Have everything brought away, changed or not."""
        metrics: Iterable[Metric[Any]] = chain(
            self._durations.values(), self._counts.values(), self._gauges.values()
        )
        for metric in metrics:
            for key in metric.series:
                self._due[metric, key] = None

    def settle(self, brought: Iterable[Due], *, cumulative: bool) -> None:
        """Begin anew with what was brought away; sums go on when they are cumulative, and gauges never do."""
        for metric, key in brought:
            value = metric.series[key]
            if not cumulative or isinstance(value, Readings):
                metric.forget(key)
                continue
            self._due.pop((metric, key), None)
            if isinstance(value, Durations):
                value.exemplars.clear()

    def _add_cell(self, cell: Cell) -> None:
        attributes = _of_cell(cell)
        if cell.gauge:
            readings = self._of(self._gauges, cell.name, cell.unit, Readings, attributes)
            readings.count += cell.count
            readings.total += cell.total
        elif cell.histogram:
            self._of(self._durations, cell.name, cell.unit or "s", Durations, attributes).add(cell)
        else:
            self._count(cell.name, attributes, cell.count)

    def _add_exemplar(self, exemplar: Exemplar) -> None:
        metric = self._durations.get(REQUEST_DURATION)
        found = metric.series.get(tuple(_of_request(exemplar.attributes))) if metric is not None else None
        if found is not None and len(found.exemplars) < MOST_EXEMPLARS:
            found.exemplars.append(exemplar)

    def _count(self, name: str, attributes: Attributes, count: int = 1) -> None:
        self._of(self._counts, name, "", Count, attributes).value += count

    def _of(
        self,
        metrics: dict[str, Metric[Value]],
        name: str,
        unit: str,
        make: type[Value],
        attributes: Attributes,
    ) -> Value:
        metric = metrics.get(name)
        if metric is None:
            metric = metrics[name] = Metric(name, unit, make, self._due)
        return metric.of(attributes, self.since)


def _of_cell(cell: Cell) -> Attributes:
    if cell.name == REQUEST_DURATION:
        return tuple(_of_request(cell.attributes))
    if cell.label == OVERFLOW and not cell.attributes:
        return _OVERFLOW
    given = [pair for pair in cell.attributes if pair[1]]
    if cell.label and cell.label != cell.name and not given:
        given = [("qaprod.name", cell.label)]
    return tuple(given)


def _of_request(attributes: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str | int]]:
    """Yield the attributes that the conventions have for requests, in their types, and ``qaprod.outcome``.

    https://opentelemetry.io/docs/specs/semconv/http/http-metrics/#metric-httpserverrequestduration
    """
    for key, value in attributes:
        if key == "http.response.status_code" and value:
            yield key, int(value)
            if int(value) >= 500:
                yield "error.type", value
        elif value:
            yield key, value


def _of_failure(record: FailureRecord) -> Attributes:
    given = (
        ("error.type", record.error_type),
        ("qaprod.kind", record.kind if record.kind != "degraded" else ""),
        ("qaprod.name", record.name if record.kind in _NAMED else ""),
        ("qaprod.severity", record.severity),
        ("qaprod.journey", record.journey),
        ("http.route", record.route),
    )
    return tuple(pair for pair in given if pair[1])
