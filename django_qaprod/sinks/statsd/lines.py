"""Lines of the protocol out of records, each series once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from math import inf, isfinite
from typing import TypeAlias

from ... import histogram
from ...records import NAMED, Cell, FailureRecord, HealthRecord, NumbersRecord, Record
from .names import DEGRADATIONS, DROPPED, DURATION, ERRORS, FAILURES, REQUESTS, Attributes, Names
from .sampling import rate, sample

#: The name of a series, its label and its attributes.
Key: TypeAlias = tuple[str, str, Attributes]


@dataclass(slots=True)
class _Timer:
    buckets: histogram.Buckets = field(default_factory=dict)
    minimum: float = inf
    maximum: float = 0.0

    def add(self, cell: Cell) -> None:
        histogram.merge_encoded(self.buckets, cell.histogram)
        self.minimum = min(self.minimum, cell.minimum)
        self.maximum = max(self.maximum, cell.maximum)


@dataclass(slots=True)
class _Gauge:
    count: int = 0
    total: float = 0.0

    def add(self, cell: Cell) -> None:
        self.count += cell.count
        self.total += cell.total


class Sums:
    """What records hold, added up by series."""

    def __init__(self) -> None:
        #: How many records were added, and when the oldest was made.
        self.records, self.oldest = 0, inf
        self._counts: Counter[Key] = Counter()
        self._timers: dict[Key, _Timer] = {}
        self._gauges: dict[Key, _Gauge] = {}

    def add(self, record: Record) -> None:
        """Add what a record holds."""
        self.records += 1
        self.oldest = min(self.oldest, record.at)
        if isinstance(record, NumbersRecord):
            for cell in record.cells:
                self._add_cell(cell)
        elif isinstance(record, FailureRecord):
            self._counts[_failure(record)] += 1
        elif isinstance(record, HealthRecord):
            for metric, found in ((ERRORS, record.errors), (DROPPED, record.dropped)):
                for where, count in found.items():
                    self._counts[metric.name, "", ((metric.attributes[0], where),)] += count

    def lines(self, names: Names, *, samples: int) -> Iterator[str]:
        """Yield what is to be sent; an item may be two lines that belong together.

        Of a timer at most ``samples`` values are sent: see ``sampling``.
        """
        for key, count in self._counts.items():
            before, behind = names.of(*key)
            yield f"{before}:{count}|c{behind}"
        for key, timer in self._timers.items():
            before, behind = names.of(*key)
            for seconds, size in sample(timer.buckets, samples, minimum=timer.minimum, maximum=timer.maximum):
                yield f"{before}:{seconds * 1000:.3f}|ms{rate(size)}{behind}"
        for key, gauge in self._gauges.items():
            # Without the sign of zero: "-0" would be a change by nothing.
            mean = gauge.total / max(gauge.count, 1) + 0.0
            if isfinite(mean):
                before, behind = names.of(*key)
                line = f"{before}:{mean}|g{behind}"
                # "-5" alone would be a change by five.
                yield line if mean >= 0 else f"{before}:0|g{behind}\n{line}"

    def _add_cell(self, cell: Cell) -> None:
        key = (cell.name, cell.label, cell.attributes)
        if cell.gauge:
            self._gauges.setdefault(key, _Gauge()).add(cell)
        elif cell.histogram:
            if cell.name == DURATION.name:
                self._counts[REQUESTS.name, cell.label, cell.attributes] += cell.count
            self._timers.setdefault(key, _Timer()).add(cell)
        else:
            self._counts[key] += cell.count


def _failure(record: FailureRecord) -> Key:
    kind, severity = ("qaprod.kind", record.kind), ("qaprod.severity", record.severity)
    where = (("qaprod.journey", record.journey), ("http.route", record.route))
    if record.kind == "degraded":
        return DEGRADATIONS.name, "", (("qaprod.name", record.name), severity, *where)
    named = record.name if record.kind in NAMED else ""
    return FAILURES.name, "", (kind, severity, *where, ("qaprod.name", named))
