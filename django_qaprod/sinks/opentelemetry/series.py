"""What was counted, by series: added up from the records of all processes until it is brought away.

Bounded by ``MAX_SERIES`` for each metric; what has no room for a series of its own is counted in one that the
attribute ``otel.metric.overflow`` tells (https://opentelemetry.io/docs/specs/otel/metrics/sdk/#overflow-attribute).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Generic, TypeAlias, TypeVar

from ... import histogram
from ...conf import settings
from ...records import Cell, Exemplar, FailureRecord, HealthRecord, NumbersRecord, Record

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

_OVERFLOW: Attributes = (("otel.metric.overflow", True),)


@dataclass(slots=True)
class Count:
    """How often something happened."""

    value: int = 0


@dataclass(slots=True)
class Durations:
    """A histogram of seconds."""

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

    count: int = 0
    total: float = 0.0

    @property
    def mean(self) -> float:
        """The mean of what was read."""
        return self.total / self.count


@dataclass(slots=True)
class Metric(Generic[Value]):
    """The series of one name, and which of them have changed since they were brought away."""

    name: str
    unit: str
    make: type[Value]
    series: dict[Attributes, Value] = field(default_factory=dict)
    changed: set[Attributes] = field(default_factory=set)

    def of(self, attributes: Attributes) -> Value:
        """Return the series with these attributes, made if there is room for it, and count it as changed."""
        found = self.series.get(attributes)
        if found is None:
            if len(self.series) >= settings().max_series:
                attributes = _OVERFLOW
            found = self.series.setdefault(attributes, self.make())
        self.changed.add(attributes)
        return found


class Numbers:
    """All that was counted since the beginning, or since ``forget``."""

    def __init__(self) -> None:
        self.durations: dict[str, Metric[Durations]] = {}
        self.counts: dict[str, Metric[Count]] = {}
        self.gauges: dict[str, Metric[Readings]] = {}

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

    def settle(self, *, cumulative: bool) -> None:
        """Begin anew after everything that changed was brought away; sums go on when they are cumulative."""
        self.gauges.clear()
        if not cumulative:
            self.durations.clear()
            self.counts.clear()
        for counts in self.counts.values():
            counts.changed.clear()
        for durations in self.durations.values():
            for one in durations.changed:
                durations.series[one].exemplars.clear()
            durations.changed.clear()

    def _add_cell(self, cell: Cell) -> None:
        attributes = _of_cell(cell)
        if cell.gauge:
            readings = _metric(self.gauges, cell.name, cell.unit, Readings).of(attributes)
            readings.count += cell.count
            readings.total += cell.total
        elif cell.histogram:
            _metric(self.durations, cell.name, cell.unit or "s", Durations).of(attributes).add(cell)
        else:
            self._count(cell.name, attributes, cell.count)

    def _add_exemplar(self, exemplar: Exemplar) -> None:
        metric = self.durations.get(REQUEST_DURATION)
        found = metric.series.get(tuple(_of_request(exemplar.attributes))) if metric is not None else None
        if found is not None and len(found.exemplars) < MOST_EXEMPLARS:
            found.exemplars.append(exemplar)

    def _count(self, name: str, attributes: Attributes, count: int = 1) -> None:
        _metric(self.counts, name, "", Count).of(attributes).value += count


def _metric(metrics: dict[str, Metric[Value]], name: str, unit: str, make: type[Value]) -> Metric[Value]:
    found = metrics.get(name)
    if found is None:
        found = metrics[name] = Metric(name, unit, make)
    return found


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
    kind = ("qaprod.name", record.name) if record.kind == "degraded" else ("qaprod.kind", record.kind)
    where = (("qaprod.journey", record.journey), ("http.route", record.route))
    given = (("error.type", record.error_type), kind, ("qaprod.severity", record.severity), *where)
    return tuple(pair for pair in given if pair[1])
