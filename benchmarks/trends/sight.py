"""A gauge's readings, as a rule sees them at any moment."""

from __future__ import annotations

import math
from itertools import accumulate, pairwise

from django_qaprod.specs import Measure

from .gauges import MONDAY, STEP, Gauge


class RecordedSight:
    """A sight of a gauge at ``now``, which is moved on. What was told of is an incident, as it is live."""

    previous: float | None = None

    def __init__(self, gauge: Gauge) -> None:
        self.now = float(MONDAY)
        self.fired: list[tuple[float, float]] = []
        self._sums = list(accumulate(gauge.values, initial=0.0))

    def readings(
        self, measure: Measure, start: float, end: float, *, step: float, by: str = ""
    ) -> dict[str, list[float | None]]:
        size = max(math.ceil((end - start) / step - 1e-9), 1)
        places = [self._place(start + place * step) for place in range(size + 1)]
        return {
            "": [
                (self._sums[high] - self._sums[low]) / (high - low) if high > low else None
                for low, high in pairwise(places)
            ]
        }

    def _place(self, at: float) -> int:
        return min(max(math.ceil((min(at, self.now) - MONDAY) / STEP), 0), len(self._sums) - 1)

    def counts(
        self, measure: Measure, start: float, end: float, *, step: float = 0, by: str = ""
    ) -> dict[str, list[float]]:
        raise NotImplementedError

    def hours(self, measure: Measure, starts: list[int], *, by: str = "") -> dict[str, dict[int, float]]:
        raise NotImplementedError

    def last(self, measure: Measure, since: float) -> float | None:
        raise NotImplementedError

    def first(self, measure: Measure) -> float | None:
        return float(MONDAY)

    def deploys(self, start: float, end: float) -> list[float]:
        return []

    def incidents(self, rule: str, start: float, end: float) -> list[tuple[float, float]]:
        return [(begin, over) for begin, over in self.fired if begin < end and over > start]
