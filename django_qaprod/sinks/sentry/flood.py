"""So many events of one failure a minute, and no more: a flood tells nothing that its beginning has not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

#: Events of one failure in one minute.
MOST: Final = 10
# Failures that are remembered; when they are more, all are forgotten.
_REMEMBERED: Final = 2_000


@dataclass(slots=True)
class _Count:
    minute: int
    events: int = 0
    left_out: int = 0


class Flood:
    """Counts events by failure, in minutes of when they happened: after an outage each has its share.

    Without a lock: several threads can let through an event too many, and a fork leaves nothing locked.
    """

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._counts: dict[str, _Count] = {}

    def admits(self, fingerprint: str, at: float) -> bool:
        """Whether there is room for an event; where there is none, it is counted as left out."""
        count = self._of(fingerprint, at)
        if count.events < self._most:
            return True
        count.left_out += 1
        return False

    def left_out(self, fingerprint: str) -> int:
        """Return how many events of a failure were left out since one was sent."""
        count = self._counts.get(fingerprint)
        return count.left_out if count is not None else 0

    def sent(self, fingerprint: str, at: float) -> None:
        """Remember that an event was sent, which told of those that were left out."""
        count = self._of(fingerprint, at)
        count.events += 1
        count.left_out = 0

    def _of(self, fingerprint: str, at: float) -> _Count:
        minute, count = int(at // 60), self._counts.get(fingerprint)
        if count is None:
            if len(self._counts) >= _REMEMBERED:
                self._counts.clear()
            count = self._counts[fingerprint] = _Count(minute)
        elif minute > count.minute:
            count.minute, count.events = minute, 0
        return count
