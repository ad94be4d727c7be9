"""What waits in the spool, and for whom, by the cursors that its drainer keeps there."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

from ..pipeline import drainer, spool


class Backlog(NamedTuple):
    """What sinks have not had yet of a directory, in bytes, and when anything moved for the last time.

    ``cursors`` says how far each is, by segment.
    """

    waiting: dict[str, int]
    cursors: dict[str, dict[str, int]]
    moved_at: float | None


def of(directory: Path, sinks: Collection[str]) -> Backlog:
    """Return what waits for these sinks; nothing was carried to one that has no cursors."""
    kept = directory / drainer.CURSORS_NAME
    cursors, segments = _cursors(kept), spool.file_segments(directory)
    waiting = {
        name: sum(max(one.end() - cursors.get(name, {}).get(one.name, 0), 0) for one in segments)
        for name in sinks
    }
    return Backlog(waiting, cursors, _moved_at(kept))


def _cursors(path: Path) -> dict[str, dict[str, int]]:
    # Damaged ones are none, as for the drainer.
    try:
        found = json.loads(path.read_text())
        return {str(sink): {str(name): int(at) for name, at in of.items()} for sink, of in found.items()}
    except (OSError, ValueError, AttributeError, TypeError):
        return {}


def _moved_at(path: Path) -> float | None:
    try:
        return path.stat().st_mtime
    except OSError:
        return None
