"""Which faults are on: a small file that every process of the demo looks at, Django or not.

A file and not a row, because one of the faults is that the database does not answer.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class Switches:
    """The names that are on. Cheap to ask: the file is read again only when it has changed."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self._seen: tuple[int, int, int] | None = None
        self._on: frozenset[str] = frozenset()

    def on(self) -> frozenset[str]:
        """Return what is switched on now, in any process."""
        seen = _version(self.path)
        if seen != self._seen:
            self._on, self._seen = self._read(), seen
        return self._on

    def turn(self, name: str, *, on: bool) -> None:
        """Switch one on or off."""
        with self._changing():
            known = self._read()
            self._write(known | {name} if on else known - {name})

    def clear(self) -> None:
        """Switch all off."""
        with self._changing():
            self._write(frozenset())

    @contextmanager
    def _changing(self) -> Iterator[None]:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _read(self) -> frozenset[str]:
        try:
            return frozenset(json.loads(self.path.read_text()))
        except FileNotFoundError:
            return frozenset()

    def _write(self, names: frozenset[str]) -> None:
        # A new file in the place of the old one: a reader sees one or the other.
        new = self.path.with_suffix(f".{os.getpid()}.new")
        new.write_text(json.dumps(sorted(names)))
        new.replace(self.path)


def _version(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_mtime_ns, found.st_ino, found.st_size
