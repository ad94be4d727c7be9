"""The numbers of a recorded series, as a rule sees them at any moment."""

from __future__ import annotations

from bisect import bisect_left
from itertools import accumulate

from django_qaprod.specs import Measure

from .series import HOUR, STEP, Series


class RecordedSight:
    """A sight of a series at ``now``, which is moved on. What was told of is an incident, as it is live."""

    def __init__(self, series: Series) -> None:
        self.now = float(series.start)
        self.previous: float | None = None
        self.fired: list[tuple[float, float]] = []
        self._series, self._start = series, series.start
        self._rows = {"": series.counts, **series.keys}
        per = HOUR // STEP
        self._hours = {
            key: [float(sum(row[at : at + per])) for at in range(0, len(row), per)]
            for key, row in self._rows.items()
        }
        self._sums = {key: list(accumulate(row, initial=0)) for key, row in self._rows.items()}
        self._happened = [at for at, count in enumerate(series.counts) if count]

    def _keys(self, by: str) -> list[str]:
        return [key for key in self._rows if key] if by else [""]

    def counts(
        self, measure: Measure, start: float, end: float, *, step: float = 0, by: str = ""
    ) -> dict[str, list[float]]:
        length = step or (end - start)
        edges = []
        at = start
        while at < end:
            edges.append((int(at - self._start) // STEP, int(min(at + length, end) - self._start) // STEP))
            at += length
        return {
            key: [float(self._sums[key][last] - self._sums[key][first]) for first, last in edges]
            for key in self._keys(by)
        }

    def hours(self, measure: Measure, starts: list[int], *, by: str = "") -> dict[str, dict[int, float]]:
        first = (starts[0] - self._start) // HOUR
        places = [(start, first + at) for at, start in enumerate(starts)]
        return {
            key: {start: self._hours[key][place] for start, place in places if place >= 0}
            for key in self._keys(by)
        }

    def readings(
        self, measure: Measure, start: float, end: float, *, step: float, by: str = ""
    ) -> dict[str, list[float | None]]:
        raise NotImplementedError

    def last(self, measure: Measure, since: float) -> float | None:
        place = bisect_left(self._happened, int(self.now - self._start) // STEP) - 1
        # Somewhere within its five minutes: at their end, it is said.
        at = self._start + (self._happened[place] + 1) * STEP if place >= 0 else None
        return at if at is not None and at >= since else None

    def first(self, measure: Measure) -> float | None:
        return float(self._start)

    def deploys(self, start: float, end: float) -> list[float]:
        return [at for at in self._series.deploys if start <= at < end]

    def incidents(self, rule: str, start: float, end: float) -> list[tuple[float, float]]:
        return [(begin, over) for begin, over in self.fired if begin < end and over > start]
