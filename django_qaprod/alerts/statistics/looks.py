"""Look at the counts up to now through several windows, and say whether so few are chance.

A rule looks every minute and through several windows, and chance has as many occasions to deceive it: each
window gets a share of what is allowed. Windows slide, and looks through them resemble each other: while one
passes, they are worth about ``LOOKS`` independent ones (found by simulation, ``benchmarks.dips``).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import NamedTuple

from .tails import fewer
from .weeks import WEEK, Usual

DAY = 86400
HOUR = 3600
#: The length of the cells in which the last hour or two are counted, in seconds.
STEP = 300

MINUTES = 60
#: Windows for what happens at least some fifteen times a day, and for what is rarer.
SHORT = (15 * MINUTES, 1 * HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, 1 * DAY)
LONG = (6 * HOUR, 1 * DAY, 2 * DAY, 4 * DAY, 7 * DAY)

#: So many independent looks are those through a sliding window worth while it passes once.
LOOKS = 12.0
#: What of the false alarms that are allowed each way of looking may use up.
_WINDOWS, _SILENCE, _DEPLOY = 0.6, 0.25, 0.15
#: Looks, in a day, at what has happened since a deploy.
_DEPLOY_LOOKS = 20.0
#: The logarithm of how much likelier the usual is than what is wrong, to say that it is over.
_OVER = math.log(100)
#: What fell is never taken to have fallen to less: some of it may come from elsewhere.
_LEAST_LEFT = 0.02


class Cell(NamedTuple):
    """A stretch of time: what was counted, and what is expected."""

    start: float
    counted: float
    mean: float


class Look(NamedTuple):
    """What was seen through a window. ``allowed`` is the probability from which on it is wrong.

    ``kind`` is ``window``, ``silence`` (since the last) or ``deploy`` (since the last deploy).
    """

    kind: str
    start: float
    counted: float
    mean: float
    variance: float
    probability: float
    allowed: float

    @property
    def wrong(self) -> bool:
        """Whether chance does not explain it."""
        return self.probability <= self.allowed

    @property
    def can_tell(self) -> bool:
        """Whether it would have been wrong if nothing had been counted."""
        return fewer(0, self.mean, self.variance) <= self.allowed


def cells(
    usual: Usual,
    slots: Sequence[int],
    hours: Sequence[float],
    steps: Sequence[float],
    *,
    top: float,
    now: float,
    off: Iterable[int] = (),
) -> list[Cell]:
    """Return what was counted and what is expected, the newest first.

    ``hours`` are the counts of the hours before ``top``, oldest first; ``steps`` those from an hour before
    ``top`` to ``now``, by ``STEP``. ``slots`` are the hours of the week of all these hours, of the present
    one and the next. In the hours ``off``, by their place, nothing is expected or counted.
    """
    closed = set(off)
    rates = [0.0 if at in closed else usual.rates[slot] for at, slot in enumerate(slots)]
    found: list[Cell] = []
    begin = top - HOUR
    for at, count in enumerate(steps):
        start = begin + at * STEP
        place = len(hours) - 1 + (start >= top)
        end = min(start + STEP, now)
        hour = begin if start < top else top
        mean = _part(rates, place, (start - hour) / HOUR, (end - hour) / HOUR)
        found.append(Cell(start, 0.0 if place in closed else count, mean))
    found.reverse()
    for place in range(len(hours) - 2, -1, -1):
        count = 0.0 if place in closed else hours[place]
        found.append(Cell(top - (len(hours) - place) * HOUR, count, rates[place]))
    return found


def _part(rates: Sequence[float], place: int, begin: float, end: float) -> float:
    """Return what is expected in a part of an hour in which the rate goes on as around it."""
    before, own, after = rates[place - 1], rates[place], rates[place + 1]
    slope = max(-2 * own, min((after - before) / 2, 2 * own))
    return own * (end - begin) + slope / 2 * ((end - 0.5) ** 2 - (begin - 0.5) ** 2)


class Course:
    """The course of counts up to now, newest first, and the looks that can be taken at it.

    ``once`` is how many days it takes chance, on average, to look like a dip.
    """

    def __init__(self, usual: Usual, cells: Sequence[Cell], *, now: float, once: float) -> None:
        self.usual, self.cells, self.now, self.once = usual, cells, now, once
        self.counts = list(accumulate((cell.counted for cell in cells), initial=0.0))
        self.means = list(accumulate((cell.mean for cell in cells), initial=0.0))
        self.per_day = sum(usual.rates) * 24 / WEEK

    def windows(self, lengths: Sequence[float]) -> list[Look]:
        """Return a look through each window."""
        found = []
        for length in lengths:
            reach = self._reach(self.now - length)
            if not reach:
                continue
            start = self.cells[reach - 1].start
            allowed = _WINDOWS / len(lengths) * length / DAY / (self.once * LOOKS)
            found.append(self.look("window", start, self.counts[reach], self.means[reach], allowed))
        return found

    def silence(self, last: float) -> Look:
        """Return a look at what has happened since the last: nothing. Each begins such a stretch."""
        allowed = _SILENCE / (self.once * max(self.per_day, 0.1))
        return self.look("silence", last, 0.0, self.mean_since(last), allowed)

    def since_deploy(self, deploy: float, count: float) -> Look:
        """Return a look at what has happened since a deploy."""
        allowed = _DEPLOY / (self.once * _DEPLOY_LOOKS)
        return self.look("deploy", deploy, count, self.mean_since(deploy), allowed)

    def look(self, kind: str, start: float, count: float, mean: float, allowed: float) -> Look:
        """Return a look at a stretch up to now."""
        variance = self.usual.variance(mean, (self.now - start) / HOUR)
        return Look(kind, start, count, mean, variance, fewer(count, mean, variance), min(allowed, 0.01))

    def zero_since(self) -> tuple[float, float]:
        """Return since when nothing at all was counted, to the cell, and what is expected since then."""
        reach = 0
        while reach < len(self.cells) and not self.cells[reach].count:
            reach += 1
        return (self.cells[reach - 1].start if reach else self.now), self.means[reach]

    def since(self, start: float) -> tuple[float, float]:
        """Return what was counted, and what is expected, in the cells that begin then or later."""
        reach = self._after(start)
        return self.counts[reach], self.means[reach]

    def is_over(self, look: Look) -> bool:
        """Return whether what came last says that things are as usual again.

        The sum of log-likelihoods of the usual over those of what was seen, of any stretch up to now (Page's
        CUSUM: Continuous inspection schemes, Biometrika 41, 1954), tempered by the dispersion.
        """
        left = max(look.counted / look.mean, _LEAST_LEFT) if look.mean else 1.0
        if left >= 1:
            return False
        each, gain = -math.log(left), 1 - left
        bar = _OVER * max(look.variance / look.mean, 1.0) if left > _LEAST_LEFT else _OVER
        reach = self._after(look.start)
        return any(self.counts[at] * each - self.means[at] * gain > bar for at in range(1, reach))

    def began(self, look: Look) -> float:
        """Return when what is seen most likely began: where the same sum, downwards, is highest."""
        left = max(look.counted / look.mean, _LEAST_LEFT) if look.mean else 1.0
        if left >= 1:
            return look.start
        each, gain = -math.log(left), 1 - left
        best = max(
            range(1, len(self.cells) + 1), key=lambda at: self.means[at] * gain - self.counts[at] * each
        )
        return self.cells[best - 1].start

    def _reach(self, start: float) -> int:
        """Return how many cells there are from the one on in which ``start`` lies; 0 if it lies before."""
        reach = self._after(start)
        if reach and self.cells[reach - 1].start == start:
            return reach
        return reach + 1 if reach < len(self.cells) else 0

    def _after(self, start: float) -> int:
        """Return how many cells begin at ``start`` or later."""
        low, high = 0, len(self.cells)
        while low < high:
            middle = (low + high) // 2
            if self.cells[middle].start >= start:
                low = middle + 1
            else:
                high = middle
        return low

    def mean_since(self, start: float) -> float:
        """Return what is expected from any moment on."""
        reach = self._after(start)
        found = self.means[reach]
        if reach < len(self.cells):
            cell = self.cells[reach]
            until = self.cells[reach - 1].start if reach else self.now
            found += cell.mean * (until - start) / (until - cell.start)
        return found
