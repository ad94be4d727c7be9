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
_OVER = math.log(50)
#: What fell is never taken to have fallen to less: some of it may come from elsewhere.
_LEAST_LEFT = 0.02
#: Hours before a window that say how today goes; at least so many are expected in them. What was above the
#: usual is not expected to stay so.
_FOLLOWED = 6
_ENOUGH = 20.0
_MOST_OVER = 0.25


class Cell(NamedTuple):
    """A stretch of time: what was counted, and what is expected."""

    start: float
    counted: float
    mean: float


class Look(NamedTuple):
    """What was seen through a window. ``allowed`` is the probability from which on it is wrong.

    ``kind`` is ``window``, ``today`` (a window, by what is usual and how the hours before it were),
    ``silence`` (since the last) or ``deploy`` (since the last deploy).
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


def allowed_of_window(length: float, number: int, once: float) -> float:
    """Return how improbable a look through one of so many windows has to be, for once in so many days."""
    return _WINDOWS / number * length / DAY / (once * LOOKS)


def allowed_of_silence(per_day: float, once: float) -> float:
    """Return how improbable a silence has to be: each that happens may begin one."""
    return _SILENCE / (once * max(per_day, 0.1))


class Fall(NamedTuple):
    """When counts fell, and whether they have risen again."""

    start: float
    over: bool


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

    def windows(self, lengths: Sequence[float], *, calm_until: float) -> list[Look]:
        """Return a look through each window; two, where the hours before say more of today than weeks before.

        These hours end where the window begins, or at ``calm_until``, when what fires may have begun.
        """
        found = []
        for length in lengths:
            reach = self._reach(self.now - length)
            if not reach:
                continue
            start = self.cells[reach - 1].start
            allowed = allowed_of_window(length, len(lengths), self.once)
            look = self.look("window", start, self.counts[reach], self.means[reach], allowed)
            today = self._as_today_goes(look, min(calm_until, start)) if length <= _FOLLOWED * HOUR else None
            if today is None:
                found.append(look)
            else:
                found += [look._replace(allowed=look.allowed / 2), today]
        return found

    def _as_today_goes(self, look: Look, until: float) -> Look | None:
        """Return the look with what is expected corrected by the hours before, if that makes it keener."""
        begin, end = self._after(until - _FOLLOWED * HOUR), self._after(until)
        if begin >= len(self.cells) or look.mean <= 0:
            return None
        counted, mean = self.counts[begin] - self.counts[end], self.means[begin] - self.means[end]
        if mean < _ENOUGH:
            return None
        hours = max(math.ceil((self.now - look.start) / HOUR - 1e-9), 1)
        drawn, wide = self.usual.following(hours, _FOLLOWED)
        if wide * look.mean > 0.7 * look.variance:
            return None
        mean = look.mean * (1 + drawn * max(min(counted / mean - 1, _MOST_OVER), -0.9))
        variance = wide * mean * (1 + 1 / self.usual.seen)
        return look._replace(
            kind="today",
            mean=mean,
            variance=variance,
            probability=fewer(look.counted, mean, variance),
            allowed=look.allowed / 2,
        )

    def silence(self, last: float) -> Look:
        """Return a look at what has happened since the last: nothing. Each begins such a stretch."""
        allowed = allowed_of_silence(self.per_day, self.once)
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
        while reach < len(self.cells) and not self.cells[reach].counted:
            reach += 1
        return (self.cells[reach - 1].start if reach else self.now), self.means[reach]

    def since(self, start: float) -> tuple[float, float]:
        """Return what was counted, and what is expected, in the cells that begin then or later."""
        reach = self._after(start)
        return self.counts[reach], self.means[reach]

    def fall(self, look: Look) -> Fall:
        """Return when what is seen through a look began, and whether it is over.

        1. The stretch that is most likely what fell: in which the sum of the log-likelihoods of what is left
           over those of the usual is highest (Page: Continuous inspection schemes, Biometrika 41, 1954).
        2. It is over if what came after it is likelier usual than like it, far beyond what varies anyway.
        """
        reach = max(self._after(look.start), 1)
        newest, oldest = 0, reach
        # What is left in the window is more than in the stretch, if this is shorter: once more with that.
        for _ in range(2):
            left = self._left_between(newest, oldest)
            if left >= 1:
                return Fall(look.start, over=False)
            newest, oldest = self._worst(reach, -math.log(left), 1 - left)
        left = self._left_between(newest, oldest)
        start = self.cells[oldest - 1].start
        counted, mean = self.counts[newest], self.means[newest]
        if not newest or left >= 1 or mean <= 0:
            return Fall(start, over=False)
        hours = (self.now - self.cells[newest - 1].start) / HOUR
        wide = max(self.usual.variance(mean, hours) / mean, 1.0)
        return Fall(start, over=-math.log(left) * counted - (1 - left) * mean > _OVER * wide)

    def _worst(self, reach: int, each: float, gain: float) -> tuple[int, int]:
        """Return the cells, from and to, whose sum is highest."""
        best, low, low_at, found = 0.0, 0.0, 0, (0, max(reach, 1))
        for at in range(1, reach + 1):
            total = self.means[at] * gain - self.counts[at] * each
            if total - low > best:
                best, found = total - low, (low_at, at)
            if total < low:
                low, low_at = total, at
        return found

    def _left_between(self, newest: int, oldest: int) -> float:
        return _left(self.counts[oldest] - self.counts[newest], self.means[oldest] - self.means[newest])

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


def _left(counted: float, mean: float) -> float:
    """Return what is left of the usual, never less than what may come from elsewhere."""
    return max(counted / mean, _LEAST_LEFT) if mean > 0 else 1.0
