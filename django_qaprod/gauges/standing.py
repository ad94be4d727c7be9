"""Sinks that take nothing although something waits for them, as the drainer's cursors tell."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from ..pipeline.drainer import CURSORS_NAME

#: Whoever waits for the database's sink cannot tell the database.
_NOT_TOLD = frozenset({"database"})


class Standing:
    """Watches the cursors of one machine's sinks, from look to look."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[Mapping[str, int], float]] = {}

    def look(self, path: Path, sizes: Mapping[str, int], now: float) -> Iterator[tuple[str, float]]:
        """Yield each sink, and for how many seconds it has stood still while something waited for it."""
        for sink, cursors in _cursors(path / CURSORS_NAME).items():
            if sink in _NOT_TOLD:
                continue
            known, since = self._seen.get(sink, (None, now))
            waiting = any(size > cursors.get(name, 0) for name, size in sizes.items())
            if cursors != known or not waiting:
                since = now
            self._seen[sink] = (cursors, since)
            yield sink, now - since


def _cursors(path: Path) -> dict[str, dict[str, int]]:
    # Damaged ones are none, as for the drainer.
    try:
        found = json.loads(path.read_text())
        return {str(sink): {str(name): int(at) for name, at in of.items()} for sink, of in found.items()}
    except (OSError, ValueError, AttributeError, TypeError):
        return {}
