"""The hour of the week that it was by the clock on the wall."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from functools import lru_cache

from .weeks import WEEK

HOUR = 3600
_DAY = 86400


@lru_cache(maxsize=8)
def slots(start: int, number: int, zone: tzinfo) -> tuple[int, ...]:
    """Return the hour of the week, from 0 to 167, of ``number`` hours on from ``start``, a round hour of UTC.

    Where the clock is put back, an hour of the week comes twice, and where it is put forward, one is left
    out. Hour 0 begins a Thursday, as the epoch did.
    """
    found: list[int] = []
    offset = _offset(start, zone)
    for begin in range(start, start + number * HOUR, _DAY):
        after = _offset(begin + _DAY, zone)
        hours = range(begin, min(begin + _DAY, start + number * HOUR), HOUR)
        if after == offset:
            first = (begin + offset) // HOUR
            found += [(first + at) % WEEK for at in range(len(hours))]
        else:
            found += [(hour + _offset(hour, zone)) // HOUR % WEEK for hour in hours]
        offset = after
    return tuple(found)


def day(start: float, zone: tzinfo) -> datetime:
    """Return the local date and time of a moment."""
    return datetime.fromtimestamp(start, UTC).astimezone(zone)


def _offset(moment: float, zone: tzinfo) -> int:
    shift = datetime.fromtimestamp(moment, UTC).astimezone(zone).utcoffset()
    return 0 if shift is None else int(shift.total_seconds())
