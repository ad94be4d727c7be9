"""What a source of numbers is, and the steps of a stretch."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from datetime import timedelta
from typing import Any, Protocol, TypeAlias, TypeVar

from ... import clock
from ...specs import Measure
from ...store.numbers import OVERFLOW
from .. import buckets
from ..window import DAY, HOUR, HOURS_KEPT, MINUTE, MINUTES_KEPT

T = TypeVar("T")
Counts: TypeAlias = dict[str, list[float]]
Hours: TypeAlias = dict[str, dict[int, float]]
Readings: TypeAlias = dict[str, list[float | None]]
#: In each step how many there were, and what they add up to.
Sums: TypeAlias = dict[str, list[tuple[int, float]]]

#: Values that are told apart; those of the rest are together, under ``OVERFLOW``.
MOST_KEYS = 50
#: Stretches of hours that are read one by one; more of them are read as one.
_MOST_RUNS = 40


class Lookups:
    """What has to be known to read numbers: which series there are, up to when hours are rolled up.

    Whoever reads many numbers at one moment has one of these, so that each is looked up once.
    """

    def __init__(self) -> None:
        self._known: dict[Hashable, Any] = {}

    def once(self, key: Hashable, look_up: Callable[[], T]) -> T:
        """Return what was looked up; it is not to be changed."""
        if key not in self._known:
            self._known[key] = look_up()
        found: T = self._known[key]
        return found


class Source(Protocol):
    """Numbers of a measure of one kind."""

    def __init__(self, measure: Measure, lookups: Lookups, /) -> None: ...

    def counts(self, start: float, end: float, *, step: float, by: str) -> Counts:
        """Return how often it happened in each step, or in all if ``step`` is 0."""

    def hours(self, starts: Sequence[int], *, by: str) -> Hours:
        """Return how often it happened in whole hours; ``starts`` are sorted."""

    def last(self, since: float) -> float | None:
        """Return when it happened last."""

    def first(self) -> float | None:
        """Return when it was counted for the first time."""

    def grain(self, at: float) -> int:
        """Return by how many seconds it is known at that time."""


class Grid:
    """The steps of a stretch over rows that each speak of a minute, an hour or a day."""

    def __init__(self, start: float, end: float, step: float) -> None:
        now = clock.epoch(clock.now())
        self._step = step
        self._grain = grain_at(start, now)
        if not step and end - start > DAY:
            # The minutes at the edges of days would be as many rows as the days.
            self._grain = max(self._grain, HOUR)
        self.low = int(start // self._grain) * self._grain
        high = -int(-end // self._grain) * self._grain
        if end <= now - self._grain:
            # What has passed is as long as was asked for, and ends where the next one begins.
            high = int(end // self._grain) * self._grain
        self.high = max(high, self.low + self._grain)
        self.size = size(start, end, step)

    def pieces(self) -> list[buckets.Piece]:
        """Return the rows to read: as few as can be."""
        return list(buckets.cover(self.low, self.high, max(self._resolution(), self._grain), self._grain))

    def place(self, at: float) -> int:
        """Return in which step a row is that begins then; the last one has what is left over."""
        return min(int((at - self.low) // self._step), self.size - 1) if self._step else 0

    def _resolution(self) -> int:
        if self._step:
            fitting = (one for one in (DAY, HOUR) if self._step % one == 0 and self.low % one == 0)
            return next(fitting, MINUTE)
        length = self.high - self.low
        return MINUTE if length <= 3 * HOUR else HOUR if length <= 2 * DAY else DAY


def row(found: Counts, key: str, steps: int) -> list[float]:
    """Return the counts of a key, made where there are none yet."""
    # Not by ``setdefault``: a history has fifty thousand steps, and nearly as many rows.
    known = found.get(key)
    if known is None:
        known = found[key] = [0.0] * steps
    return known


def size(start: float, end: float, step: float) -> int:
    """Return how many steps there are from ``start`` to ``end``."""
    # A hair less: what is a whole number of steps is often a little more as floating point has it.
    return max(math.ceil((end - start) / step - 1e-6), 1) if step else 1


def grain_at(at: float, now: float) -> int:
    """Return by how many seconds numbers of that time are still kept."""
    age = timedelta(seconds=now - at)
    return MINUTE if age <= MINUTES_KEPT else HOUR if age <= HOURS_KEPT else DAY


def runs(starts: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Yield the stretches that whole hours, which are sorted, make up: from and to before."""
    begun: int | None = None
    end = 0
    for start in starts:
        if begun is None or start != end:
            if begun is not None:
                yield begun, end
            begun = start
        end = start + HOUR
    if begun is not None:
        yield begun, end


def few_runs(starts: Sequence[int]) -> list[tuple[int, int]]:
    """Return the stretches that hours make up, or one that holds all where they are many."""
    found = list(runs(starts))
    return found if len(found) <= _MOST_RUNS else [(starts[0], starts[-1] + HOUR)]


def capped(found: Counts) -> Counts:
    """Return counts of the most frequent keys, and those of all others added up."""
    if len(found) <= MOST_KEYS:
        return found
    order = sorted(found, key=lambda key: (key == OVERFLOW, -sum(found[key]), key))
    kept = {key: found[key] for key in order[: MOST_KEYS - 1]}
    rest = [found[key] for key in order[MOST_KEYS - 1 :]]
    return {**kept, OVERFLOW: [sum(column) for column in zip(*rest, strict=True)]}
