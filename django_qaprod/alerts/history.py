"""A sight of any moment of the past: the history of what one rule watches, loaded once and kept as sums."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from functools import cached_property
from itertools import accumulate, pairwise
from typing import Final, NamedTuple

from .. import clock
from ..models import Deploy
from ..queries import measures
from ..queries.window import HOURS_KEPT
from ..specs import Measure
from .sight import incidents

MINUTE: Final = 60
HOUR: Final = 3600
#: Seconds of hours before a back-test that a dip may ask for: its weeks, and the one that it looks at.
_HOURS_BEFORE = 66 * 24 * HOUR
_KEPT = int(HOURS_KEPT.total_seconds()) - 24 * HOUR


class Cells(NamedTuple):
    """A stretch of time in cells: of hours from ``low`` on, of minutes from ``fine`` on, up to ``high``."""

    low: int
    fine: int
    high: int

    def place(self, at: float) -> int:
        """Return in which cell a moment is, or the nearest one."""
        at = min(max(at, self.low), self.high)
        if at < self.fine:
            return int(at - self.low) // HOUR
        return (self.fine - self.low) // HOUR + int(at - self.fine) // MINUTE

    def end(self, at: float) -> int:
        """Return the cell before which everything has happened by then; one that goes on belongs to it."""
        place = self.place(at)
        return place if self.begin(place) >= at else place + 1

    def begin(self, place: int) -> int:
        """Return when a cell begins."""
        hours = (self.fine - self.low) // HOUR
        return self.low + place * HOUR if place < hours else self.fine + (place - hours) * MINUTE

    def grain(self, at: float) -> int:
        """Return how many seconds a cell of that time has."""
        return HOUR if at < self.fine else MINUTE


class HistorySight:
    """The numbers as they could be seen at ``now``, which may be moved through ``cells``.

    Stretches are widened to whole cells, as the live sight widens them to whole minutes. What was not kept
    any more is not there. ``fired`` are the stretches in which the rule would have fired before ``now``.
    """

    def __init__(self, cells: Cells, *, rule: str = "") -> None:
        self.cells = cells
        self.now = float(cells.high)
        self.previous: float | None = None
        self.fired: list[tuple[float, float]] = []
        self._rule = rule
        self._sums: dict[tuple[Measure, str], dict[str, list[float]]] = {}
        self._read: dict[tuple[Measure, str], dict[str, tuple[list[float], list[float]]]] = {}
        self._hours: dict[tuple[Measure, str], dict[str, dict[int, float]]] = {}
        self._times: dict[Measure, list[int]] = {}
        self._firsts: dict[Measure, float | None] = {}

    def counts(
        self, measure: Measure, start: float, end: float, *, step: float = 0, by: str = ""
    ) -> dict[str, list[float]]:
        """Return how often it happened."""
        places = self._places(start, end, step)
        found: dict[str, list[float]] = {}
        for key, sums in self._sums_of(measure, by).items():
            row = [sums[after] - sums[before] for before, after in pairwise(places)]
            if not by or any(row):
                found[key] = row
        return found

    def hours(self, measure: Measure, starts: list[int], *, by: str = "") -> dict[str, dict[int, float]]:
        """Return how often it happened in hours."""
        known = self._hours.get((measure, by))
        if known is None:
            low = self.cells.low - _HOURS_BEFORE
            every = range(low - low % HOUR, self.cells.high, HOUR)
            known = self._hours[measure, by] = measures.hours(measure, every, by=by)
        found: dict[str, dict[int, float]] = {} if by else {"": {}}
        for key, hours in known.items():
            some = {start: hours[start] for start in starts if start in hours}
            if some:
                found[key] = some
        return found

    def readings(
        self, measure: Measure, start: float, end: float, *, step: float, by: str = ""
    ) -> dict[str, list[float | None]]:
        """Return what was read."""
        places = self._places(start, end, step)
        found: dict[str, list[float | None]] = {}
        for key, (counts, totals) in self._read_of(measure, by).items():
            row: list[float | None] = [
                (totals[after] - totals[before]) / number
                if (number := counts[after] - counts[before])
                else None
                for before, after in pairwise(places)
            ]
            if not by or any(value is not None for value in row):
                found[key] = row
        return found

    def last(self, measure: Measure, since: float) -> float | None:
        """Return the beginning of the last cell in which it happened."""
        times = self._times.get(measure)
        if times is None:
            sums = self._sums_of(measure, "")[""]
            changed = (place for place in range(len(sums) - 1) if sums[place + 1] > sums[place])
            times = self._times[measure] = [self.cells.begin(place) for place in changed]
        place = bisect_left(times, self.now) - 1
        if place < 0 or times[place] < self.cells.begin(self.cells.place(since)):
            return None
        # What is known by the hour may have happened at its end.
        return min(times[place] + self.cells.grain(times[place]) - MINUTE, self.now)

    def first(self, measure: Measure) -> float | None:
        """Return when it was counted first, as far as is kept."""
        if measure not in self._firsts:
            self._firsts[measure] = measures.first(measure)
        found = self._firsts[measure]
        return found if found is not None and found < self.now else None

    def deploys(self, start: float, end: float) -> list[float]:
        """Return when releases went live; not when flags were changed."""
        return [at for at in self._deploys if start <= at < end]

    def incidents(self, rule: str, start: float, end: float) -> list[tuple[float, float]]:
        """Return the stretches in which the rule fired, and those in which it would have."""
        before = [(began, min(ended, self.now)) for began, ended in self._incidents if began < self.now]
        return [(began, ended) for began, ended in (*before, *self.fired) if began < end and ended > start]

    def column(self, measure: Measure) -> list[tuple[int, float]]:
        """Return what happened in each cell, with its beginning, for a chart."""
        if measure.kind == "gauge":
            counts, totals = self._read_of(measure, "")[""]
            return [
                (self.cells.begin(place), (totals[place + 1] - totals[place]) / number)
                for place in range(len(counts) - 1)
                if (number := counts[place + 1] - counts[place])
            ]
        sums = self._sums_of(measure, "")[""]
        return [(self.cells.begin(place), sums[place + 1] - sums[place]) for place in range(len(sums) - 1)]

    @cached_property
    def _deploys(self) -> list[float]:
        start, end = clock.moment(self.cells.low), clock.moment(self.cells.high)
        rows = Deploy.objects.filter(flag=False, at__gte=start, at__lt=end).order_by("at")
        return [clock.epoch(at) for at in rows.values_list("at", flat=True)]

    @cached_property
    def _incidents(self) -> list[tuple[float, float]]:
        start, end = self.cells.low - _HOURS_BEFORE, self.cells.high
        return incidents([self._rule], start, end, end).get(self._rule, [])

    def _places(self, start: float, end: float, step: float) -> list[int]:
        """Return the cells at which the steps of a stretch begin, and the one before which it ends."""
        steps = measures.size(start, end, step)
        first = self.cells.place(start)
        return [
            first,
            *(self.cells.place(start + number * step) for number in range(1, steps)),
            max(self.cells.end(end), first),
        ]

    def _sums_of(self, measure: Measure, by: str) -> dict[str, list[float]]:
        found = self._sums.get((measure, by))
        if found is None:
            rows: dict[str, list[float]] = {}
            for start, end, step, before in self._pieces():
                for key, counts in measures.counts(measure, start, end, step=step, by=by).items():
                    _put(rows, key, counts, before, self.cells.place(self.cells.high))
            found = self._sums[measure, by] = _accumulated(rows, by, self.cells.place(self.cells.high))
        return found

    def _read_of(self, measure: Measure, by: str) -> dict[str, tuple[list[float], list[float]]]:
        found = self._read.get((measure, by))
        if found is None:
            size = self.cells.place(self.cells.high)
            counts: dict[str, list[float]] = {}
            totals: dict[str, list[float]] = {}
            for start, end, step, before in self._pieces():
                for key, sums in measures.sums(measure, start, end, step=step, by=by).items():
                    _put(counts, key, [float(number) for number, _ in sums], before, size)
                    _put(totals, key, [total for _, total in sums], before, size)
            added, amounts = _accumulated(counts, by, size), _accumulated(totals, by, size)
            found = self._read[measure, by] = {key: (added[key], amounts[key]) for key in added}
        return found

    def _pieces(self) -> Iterable[tuple[int, int, int, int]]:
        cells = self.cells
        if cells.low < cells.fine:
            yield cells.low, cells.fine, HOUR, 0
        if cells.fine < cells.high:
            yield cells.fine, cells.high, MINUTE, cells.place(cells.fine)


def cells(watched: Iterable[Measure], *, start: int, end: int, before: int, now: float) -> Cells:
    """Return how fine the history of some measures is from ``before`` seconds before ``start`` on.

    ``start`` and ``end`` are whole hours and minutes.
    """
    known = list(watched)
    low = start - before
    if any(_is_numbers(one, now) for one in known):
        low = max(low, int(now) - _KEPT)
    low -= low % HOUR
    fine = low
    while fine < end and any(measures.grain(one, fine) > MINUTE for one in known):
        fine += HOUR
    return Cells(low, min(fine, end - end % HOUR), end)


def _is_numbers(measure: Measure, now: float) -> bool:
    return measures.grain(measure, now - HOURS_KEPT.total_seconds() - HOUR) > MINUTE


def _put(rows: dict[str, list[float]], key: str, counts: list[float], before: int, size: int) -> None:
    row = rows.setdefault(key, [0.0] * size)
    row[before : before + len(counts)] = counts[: size - before]


def _accumulated(rows: Mapping[str, list[float]], by: str, size: int) -> dict[str, list[float]]:
    found = {key: list(accumulate(row, initial=0.0)) for key, row in rows.items()}
    return found if by or found else {"": [0.0] * (size + 1)}
