"""Lets visitors come at random, so many in a second on average."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable

from .visitors import Crowd, Visitor, somebody

#: Visitors that are on the site at once; when it is so slow that more would pile up, they stay away.
MOST_AT_ONCE = 60


def run(
    crowd: Crowd,
    *,
    rate: float | Callable[[], float],
    visits: int | None = None,
    seconds: float | None = None,
    seed: int = 1,
) -> None:
    """Send visitors until ``crowd.stop`` is set, so many have come, or the time is over.

    ``rate`` is how many come in a second on average, or says how many do now. Whoever is on the site at the
    end finishes the request that is under way, so that every request has its answer. With ``visits``, and no
    time set, all of them go to the end of their visit.
    """
    chance = random.Random(seed)
    room = threading.Semaphore(MOST_AT_ONCE)
    threads: list[threading.Thread] = []
    end = None if seconds is None else time.monotonic() + seconds
    came = 0
    while visits is None or came < visits:
        now = rate() if callable(rate) else rate
        if crowd.stop.wait(_pause(chance.expovariate(now), end)) or (
            end is not None and time.monotonic() >= end
        ):
            crowd.stop.set()
            break
        # Whoever waits at the door looks at the clock, too.
        if not room.acquire(timeout=0.5):
            continue
        thread = threading.Thread(target=_visit, args=(somebody(crowd, chance), room), daemon=True)
        thread.start()
        threads = [known for known in threads if known.is_alive()] + [thread]
        came += 1
    for thread in threads:
        thread.join()


def _visit(visitor: Visitor, room: threading.Semaphore) -> None:
    try:
        visitor.visit()
    finally:
        room.release()


def _pause(seconds: float, end: float | None) -> float:
    return seconds if end is None else max(min(seconds, end - time.monotonic()), 0)
