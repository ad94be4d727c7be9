"""Who has had a message of those whom one channel reaches, so that trying again does not send it twice."""

from __future__ import annotations

from collections import OrderedDict

#: Messages that are remembered; those that are tried again are recent.
KEPT = 100


class Taken:
    """A memory of this process alone: after a restart, the message's id has to tell."""

    def __init__(self) -> None:
        self._by: OrderedDict[str, set[str]] = OrderedDict()

    def add(self, message: str, who: str) -> None:
        """Remember that somebody has had a message."""
        self._by.setdefault(message, set()).add(who)
        while len(self._by) > KEPT:
            self._by.popitem(last=False)

    def by(self, message: str) -> set[str]:
        """Return who has had a message."""
        return self._by.get(message, set())
