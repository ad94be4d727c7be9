"""A sight of what a test says has happened."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from django_qaprod.specs import Measure

#: A Wednesday in March 2025, at 12:00 UTC.
NOON = 1_741_176_000.0
ALL = ""


class FakeSight:
    """Numbers as they are given: ``happened`` by measure the times (or ``(time, key)``) of each happening.

    ``read`` are a gauge's readings, ``(time, value)`` or ``(time, value, key)``. Times are seconds since the
    epoch; ``known_since`` is when a measure was counted first where that is before the first that is given.
    """

    def __init__(
        self,
        happened: Mapping[Measure, Sequence[float | tuple[float, str]]] | None = None,
        *,
        read: Mapping[Measure, Sequence[tuple[float, float] | tuple[float, float, str]]] | None = None,
        now: float = NOON,
        previous: float | None = None,
        deploys: Sequence[float] = (),
        incidents: Sequence[tuple[float, float]] = (),
        known_since: float | None = None,
    ) -> None:
        self.now, self.previous = now, previous
        self._happened = {
            measure: sorted(one if isinstance(one, tuple) else (one, ALL) for one in given)
            for measure, given in (happened or {}).items()
        }
        self._read = {
            measure: [(one[0], one[1], one[2] if len(one) == 3 else ALL) for one in given]
            for measure, given in (read or {}).items()
        }
        self._deploys, self._incidents, self._known_since = deploys, incidents, known_since
        #: The stretches that were counted, for tests of what a look costs.
        self.asked: list[tuple[Measure, float, float]] = []

    def counts(
        self, measure: Measure, start: float, end: float, *, step: float = 0, by: str = ""
    ) -> dict[str, list[float]]:
        assert start <= end <= self.now + 1e-6, "nobody judges what has not happened"
        self.asked.append((measure, start, end))
        steps = max(math.ceil((end - start) / step - 1e-9), 1) if step else 1
        found: dict[str, list[float]] = {} if by else {ALL: [0.0] * steps}
        for at, key in self._happened.get(measure, ()):
            if start <= at < end:
                row = found.setdefault(key if by else ALL, [0.0] * steps)
                row[int((at - start) // step) if step else 0] += 1
        return found

    def hours(self, measure: Measure, starts: list[int], *, by: str = "") -> dict[str, dict[int, float]]:
        found: dict[str, dict[int, float]] = {} if by else {ALL: {}}
        wanted = set(starts)
        for at, key in self._happened.get(measure, ()):
            start = int(at // 3600) * 3600
            if start in wanted and start + 3600 <= self.now:
                row = found.setdefault(key if by else ALL, {})
                row[start] = row.get(start, 0.0) + 1
        return found

    def readings(
        self, measure: Measure, start: float, end: float, *, step: float, by: str = ""
    ) -> dict[str, list[float | None]]:
        steps = max(math.ceil((end - start) / step - 1e-9), 1)
        kept: dict[str, list[list[float]]] = {} if by else {ALL: [[] for _ in range(steps)]}
        for at, value, key in self._read.get(measure, ()):
            if start <= at < end:
                rows = kept.setdefault(key if by else ALL, [[] for _ in range(steps)])
                rows[int((at - start) // step)].append(value)
        return {
            key: [sum(values) / len(values) if values else None for values in rows]
            for key, rows in kept.items()
        }

    def last(self, measure: Measure, since: float) -> float | None:
        return max((at for at, _ in self._happened.get(measure, ()) if since <= at <= self.now), default=None)

    def first(self, measure: Measure) -> float | None:
        known = [at for at, _ in self._happened.get(measure, ())]
        known += [] if self._known_since is None else [self._known_since]
        return min(known, default=None)

    def deploys(self, start: float, end: float) -> list[float]:
        return [at for at in self._deploys if start <= at < end]

    def incidents(self, rule: str, start: float, end: float) -> list[tuple[float, float]]:
        return [(begin, over) for begin, over in self._incidents if begin < end and over > start]
