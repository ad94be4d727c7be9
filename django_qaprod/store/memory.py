"""What a drainer remembers about rows that exist, so that it need not ask for each record."""

from __future__ import annotations

import time
from collections import OrderedDict
from typing import Generic, TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")

_HOUR = 3600.0


class Recent(Generic[Key, Value]):
    """A bounded mapping that forgets what was used longest ago, and everything an hour after it was learned.

    The hour bounds for how long a row that retention has deleted can be believed to exist.
    """

    def __init__(self, size: int, *, lifetime: float = _HOUR) -> None:
        self._size = size
        self._lifetime = lifetime
        self._entries: OrderedDict[Key, tuple[float, Value]] = OrderedDict()

    def get(self, key: Key) -> Value | None:
        """Return what is known of ``key``, or ``None``."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        if entry[0] < time.monotonic():
            del self._entries[key]
            return None
        self._entries.move_to_end(key)
        return entry[1]

    def put(self, key: Key, value: Value) -> None:
        """Remember ``value``; the entry that was used longest ago makes room."""
        self._entries[key] = (time.monotonic() + self._lifetime, value)
        self._entries.move_to_end(key)
        if len(self._entries) > self._size:
            self._entries.popitem(last=False)

    def clear(self) -> None:
        """Forget everything."""
        self._entries.clear()

    def __len__(self) -> int:
        return len(self._entries)


class Memory:
    """One drainer's memory. To be cleared when a transaction fails: what it learned there may not exist."""

    def __init__(self) -> None:
        #: Digest of a series to its primary key.
        self.series: Recent[bytes, int] = Recent(8192)
        #: Names that have as many series as they may have.
        self.full: Recent[str, bool] = Recent(256, lifetime=60.0)
        #: Digests of stacks that are stored and were marked as used today.
        self.stacks: Recent[str, bool] = Recent(4096)
        self.releases: Recent[str, bool] = Recent(64)
        #: Failure, which, journey and key of who is stored as affected, to whether always served.
        self.affected: Recent[tuple[int, str, str, str], bool] = Recent(4096)

    def clear(self) -> None:
        """Forget everything."""
        for part in (self.series, self.full, self.stacks, self.releases, self.affected):
            part.clear()
