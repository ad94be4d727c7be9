"""How high something climbs that turns back by itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from statistics import median
from typing import NamedTuple

#: Fewer climbs than that say nothing of the next.
_FEWEST = 3
#: What has come so far from the middle to the limit is told of, however often it turned back there.
_FAR = 2 / 3
#: Of a climb only the means of hours are seen: at its fastest pace it may have gone on for that long.
_UNSEEN = 1.5


class Hour(NamedTuple):
    """The mean of an hour, and whether that it climbed was told."""

    value: float
    told: bool = False


def turning(hours: Sequence[Hour], *, limit: float) -> float | None:
    """Return up to where a climb may go and still turn back, judged by those before; ``None`` if unknown.

    ``hours`` are in the order of time, ``limit`` lies above them.

    1. A climb is a stretch above the median of all that has come back. One that was told, and had come far on
       the way to the limit or would have been there soon, did not turn back by itself.
    2. The next may go as high as the highest of them, and half as much higher as that was above their median:
       the highest of so few is soon surpassed.
    3. But not far: what was stopped before, or not told, looks as if it had turned back.
    """
    if not hours:
        return None
    middle = median(hour.value for hour in hours)
    far = middle + _FAR * (limit - middle)
    tops = [top for climb in _climbs(hours, middle) if (top := _top(climb, far, limit)) is not None]
    if len(tops) < _FEWEST:
        return None
    highest = max(tops)
    return min(highest + (highest - median(tops)) / 2, far)


def _climbs(hours: Sequence[Hour], middle: float) -> Iterator[list[Hour]]:
    """Yield the climbs above the middle, each with the hour before it."""
    climb: list[Hour] = []
    for hour in hours:
        if hour.value > middle:
            climb.append(hour)
        else:
            if len(climb) > 1:
                yield climb
            climb = [hour]


def _top(climb: Sequence[Hour], far: float, limit: float) -> float | None:
    """Return its highest value, ``None`` if it was stopped."""
    top = max(hour.value for hour in climb)
    fastest = max(after.value - before.value for before, after in pairwise(climb))
    was_there = top >= far or top + _UNSEEN * fastest >= limit
    return None if was_there and any(hour.told for hour in climb) else top
