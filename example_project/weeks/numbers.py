"""The numbers of twelve weeks, in memory, and a sight of them that sees no further than its moment."""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import accumulate
from typing import NamedTuple

from django_qaprod.alerts.sight import LiveSight, Memory
from django_qaprod.specs import Measure

_HOUR = 3600
#: The one that the site has.
EXPECTATION = "every application reaches its school"
Key = tuple[tuple[str, str], ...]


class Breach(NamedTuple):
    """When it was found that something had not come, and until when nobody had put it right."""

    found: float
    closed: float


@dataclass(slots=True)
class Gauge:
    """Readings at even intervals, with their running sums: a mean costs the same however long it is."""

    start: float
    every: float
    sums: list[float]

    @classmethod
    def of(cls, start: float, every: float, values: list[float]) -> Gauge:
        """Return a gauge that read these values."""
        return cls(start, every, list(accumulate(values, initial=0.0)))

    def mean(self, start: float, end: float) -> float | None:
        """Return the mean of what was read between two times."""
        low, high = (self._place(at) for at in (start, end))
        return (self.sums[high] - self.sums[low]) / (high - low) if high > low else None

    def _place(self, at: float) -> int:
        return min(max(math.ceil((at - self.start) / self.every), 0), len(self.sums) - 1)


@dataclass(slots=True)
class Numbers:
    """All that happened, by kind and by what tells it apart: sorted times."""

    times: dict[str, dict[Key, array[float]]] = field(default_factory=dict)
    gauges: dict[str, Gauge] = field(default_factory=dict)
    breaches: list[Breach] = field(default_factory=list)
    #: Whom a trouble hit first, by its title: before that nobody can know of it.
    hit: dict[str, float] = field(default_factory=dict)
    _lines: dict[tuple[Measure, str], dict[str, list[array[float]]]] = field(default_factory=dict)
    _hours: dict[tuple[Measure, str], dict[str, dict[int, float]]] = field(default_factory=dict)

    def add(self, what: str, at: float, /, **attributes: str) -> None:
        """Note that something happened. ``sort`` afterwards."""
        key = tuple(sorted(attributes.items()))
        self.times.setdefault(what, {}).setdefault(key, array("d")).append(at)

    def sort(self) -> None:
        """Put all of it in order."""
        for lines in self.times.values():
            for key, times in lines.items():
                lines[key] = array("d", sorted(times))
        self.breaches.sort()

    def lines(self, measure: Measure, by: str) -> dict[str, list[array[float]]]:
        """Return the times of a measure by key."""
        if (measure, by) not in self._lines:
            found: dict[str, list[array[float]]] = {} if by else {"": []}
            for key, times in self.times.get(measure.kind, {}).items():
                attributes = dict(key)
                if all(attributes.get(name) == value for name, value in _wanted(measure).items()):
                    found.setdefault(attributes.get(by, "") if by else "", []).append(times)
            self._lines[measure, by] = found
        return self._lines[measure, by]

    def hours(self, measure: Measure, by: str) -> dict[str, dict[int, float]]:
        """Return how often it happened in each hour, of all the weeks."""
        if (measure, by) not in self._hours:
            found: dict[str, dict[int, float]] = {}
            for key, lines in self.lines(measure, by).items():
                hours = found.setdefault(key, {})
                for at in (int(at // _HOUR) * _HOUR for times in lines for at in times):
                    hours[at] = hours.get(at, 0.0) + 1
            self._hours[measure, by] = found
        return self._hours[measure, by]


def _wanted(measure: Measure) -> Mapping[str, str]:
    given: dict[str, str] = dict(measure.where)
    names = {"step": "step", "requests": "route", "failures": "name", "series": "name"}
    if measure.name and measure.kind in names:
        given[names[measure.kind]] = measure.name
    if measure.journey:
        given["journey"] = measure.journey
    return given


class GeneratedSight(LiveSight):
    """The numbers as they stood at a moment; what was fired before is in the database, as ever."""

    def __init__(self, numbers: Numbers, *, at: float, previous: float | None, memory: Memory) -> None:
        super().__init__(at=at, previous=previous, memory=memory)
        self._numbers = numbers

    def counts(
        self, measure: Measure, start: float, end: float, *, step: float = 0, by: str = ""
    ) -> dict[str, list[float]]:
        """Return how often it happened, to the second."""
        end = min(end, self.now)
        size = max(math.ceil((end - start) / step - 1e-9), 1) if step else 1
        if measure.kind == "breaches":
            return self._breaches(start, end, step, size, by)
        found: dict[str, list[float]] = {} if by else {"": [0.0] * size}
        for key, lines in self._numbers.lines(measure, by).items():
            for times in lines:
                low, high = bisect_left(times, start), bisect_left(times, end)
                if low == high:
                    continue
                row = found.setdefault(key, [0.0] * size)
                if not step:
                    row[0] += high - low
                    continue
                for at in times[low:high]:
                    row[min(int((at - start) // step), size - 1)] += 1
        return found

    def hours(self, measure: Measure, starts: list[int], *, by: str = "") -> dict[str, dict[int, float]]:
        """Return how often it happened in hours that have passed."""
        passed = [start for start in starts if start + _HOUR <= self.now]
        whole = self._numbers.hours(measure, by)
        found = {key: {at: hours[at] for at in passed if at in hours} for key, hours in whole.items()}
        return {key: hours for key, hours in found.items() if hours or not by}

    def readings(
        self, measure: Measure, start: float, end: float, *, step: float, by: str = ""
    ) -> dict[str, list[float | None]]:
        """Return what was read."""
        gauge = self._numbers.gauges.get(measure.name)
        if gauge is None:
            return {}
        size = max(math.ceil((end - start) / step - 1e-9), 1)
        row = [gauge.mean(start + place * step, start + (place + 1) * step) for place in range(size)]
        return {"web-1" if by else "": row}

    def last(self, measure: Measure, since: float) -> float | None:
        """Return when it happened last."""
        found = (self._before(times) for times in self._all(measure))
        return max((at for at in found if at is not None and at >= since), default=None)

    def first(self, measure: Measure) -> float | None:
        """Return when it happened first."""
        found = min((times[0] for times in self._all(measure)), default=None)
        return found if found is not None and found <= self.now else None

    def incomplete(self) -> str:
        """Return nothing: what is generated is there."""
        return ""

    def _breaches(self, start: float, end: float, step: float, size: int, by: str) -> dict[str, list[float]]:
        """Return how many were found that nobody has put right yet."""
        row = [0.0] * size
        for one in self._numbers.breaches:
            if start <= one.found < end and one.closed > self.now:
                row[min(int((one.found - start) // step), size - 1) if step else 0] += 1
        return {EXPECTATION if by else "": row}

    def _all(self, measure: Measure) -> list[array[float]]:
        return self._numbers.lines(measure, "").get("", [])

    def _before(self, times: array[float]) -> float | None:
        place = bisect_left(times, self.now)
        return times[place - 1] if place else None
