"""What was searched for, remembered to be quicker the next time: a cache that somebody forgot to bound."""

from __future__ import annotations

import time
from collections import deque

from ..chaos import faults

_KEPT = 200
_PAGE = 4096
#: How fast it leaks, and how much a process loses at most: real bytes, but of somebody's own machine.
LEAKED_A_MINUTE, MOST_LEAKED = 2 * 2**20, 48 * 2**20


class Remembered:
    """A process's memory of searches. With the fault it forgets nothing, and each look at it adds some."""

    def __init__(self) -> None:
        self._searches: deque[str] = deque(maxlen=_KEPT)
        self._leaked: list[bytes] = []
        self._since: float | None = None

    def add(self, query: str) -> None:
        """Remember a search."""
        self._searches.append(query)
        self._leak()

    def size(self) -> int:
        """Return how many bytes that takes."""
        self._leak()
        return sum(len(query) for query in self._searches) + len(self._leaked) * _PAGE

    def _leak(self) -> None:
        if not faults.on("slow-leak"):
            self._since = None
            self._leaked.clear()
            return
        if self._since is None:
            self._since = time.monotonic()
        # By the time, so that all processes lose as much, however many visitors each of them has.
        due = min((time.monotonic() - self._since) / 60 * LEAKED_A_MINUTE, MOST_LEAKED)
        while len(self._leaked) * _PAGE < due:
            self._leaked.append(bytes(_PAGE - 1) + b"!")
