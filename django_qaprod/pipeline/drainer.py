"""The drainer: carries the machine's spool to the sinks, one process of the machine at a time.

Every sink has a cursor of its own, so that one which is down holds back nobody but itself.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from django.utils.module_loading import import_string

from ..conf import settings
from ..exceptions import SinkUnavailableError
from ..store import connections
from ..text import one_line
from ..typing import Batch, Entry, Sink
from . import filelock, guard, process, spool

LOCK_NAME = "drainer.lock"
CURSORS_NAME = "cursors.json"
#: Seconds between two passes. Half of a flush interval; waking costs more than a pass that finds nothing.
EVERY = 2.5
#: Seconds between two looks at segments that are drained: whether their processes have ended.
LOOK_EVERY = 10.0
#: Seconds before a sink that could not be reached is tried again: the first and the longest wait.
RETRY_FIRST, RETRY_MOST = 1.0, 30.0
#: Seconds without work after which the sinks let go of their connections.
IDLE_AFTER = 30.0
#: Records in one batch: bounds a transaction and what is repeated after a crash.
BATCH = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class DrainReport:
    """What a pass did. ``locked`` says that another process of this machine is the drainer."""

    delivered: int = 0
    waiting: int = 0
    locked: bool = False
    failing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """What sinks have not had yet of a directory, in bytes, and when anything moved for the last time."""

    waiting: dict[str, int]
    moved_at: float | None


class SinkState:
    """A sink, how far it is in each segment, and when it may be tried again."""

    def __init__(self, sink: Sink, cursors: dict[str, int]) -> None:
        self.sink = sink
        self.cursors = cursors
        self.last_error = ""
        self._delay = 0.0
        self._retry_at = 0.0
        self._at_once = BATCH

    def ready(self) -> bool:
        """Whether it may be tried now."""
        return monotonic() >= self._retry_at

    def feed(self, segment: spool.Segment, size: int, deadline: float) -> int:
        """Hand the sink what it has not had of a segment of that size; return how many records it took."""
        delivered = 0
        while (position := self.cursors.get(segment.name, 0)) < size and monotonic() < deadline:
            entries, end = segment.read(position)
            if end == position:
                break
            taken = self._write_all(segment.name, entries)
            delivered += taken
            if taken < len(entries):
                break
            self.cursors[segment.name] = end
        return delivered

    def _write_all(self, name: str, entries: Sequence[Entry]) -> int:
        taken = 0
        while taken < len(entries):
            part = entries[taken : taken + self._at_once]
            try:
                self._write(Batch(segment=name, entries=tuple(part)))
            except SinkUnavailableError as error:
                self._wait(error)
                return taken
            taken += len(part)
            self.cursors[name] = part[-1].position
            self._delay, self.last_error = 0.0, ""
            self._at_once = min(self._at_once * 2, BATCH)
        return taken

    def _write(self, batch: Batch) -> None:
        try:
            # Ours, as far as capture is concerned: what a sink logs about a failure is no other one.
            with guard.ours():
                self.sink.write(batch)
        except SinkUnavailableError:
            raise
        except Exception as error:  # noqa: BLE001 - the guard's other half: one record that a sink
            # cannot take must not stop those behind it.
            if len(batch.entries) == 1:
                guard.caught(f"sink.{self.sink.name}", error)
                guard.dropped(f"sink.{self.sink.name}")
                return
            middle = len(batch.entries) // 2
            self._write(Batch(segment=batch.segment, entries=batch.entries[:middle]))
            self._write(Batch(segment=batch.segment, entries=batch.entries[middle:]))

    def _wait(self, error: SinkUnavailableError) -> None:
        self.last_error = one_line(str(error), 300)
        self._delay = min(max(self._delay * 2, RETRY_FIRST), RETRY_MOST)
        self._retry_at = monotonic() + self._delay
        # What looks like an outage may be a timeout that a smaller batch keeps.
        self._at_once = max(self._at_once // 2, 1)


class Drainer:
    """Drains a directory, or one process's memory; has the machine's lock from ``acquire`` to ``release``."""

    def __init__(self, source: Path | spool.MemorySpool, *, sinks: tuple[str, ...] | None = None) -> None:
        self._source = source
        self._sinks = sinks
        self._lock: int | None = None
        self._states: list[SinkState] = []
        self._busy_at = monotonic()
        # How large each segment was when every sink had all of it, and when that is not enough to know.
        self._drained: dict[str, int] = {}
        self._look_at = monotonic()

    def acquire(self) -> bool:
        """Become this machine's drainer, if nobody is; return whether we are."""
        if isinstance(self._source, spool.MemorySpool):
            self._load({})
            return True
        if self._lock is not None and filelock.is_gone(self._lock):
            # Somebody has tidied up, and another process may have made and locked the file anew.
            self.release()
        if self._lock is None:
            try:
                self._lock = filelock.acquire(self._source / LOCK_NAME)
            except FileNotFoundError:
                # No directory, nothing to drain: who appends makes it anew.
                return False
            if self._lock is not None:
                spool.sweep(self._source)
                self._load(_read_cursors(self._source / CURSORS_NAME))
        return self._lock is not None

    def release(self) -> None:
        """Let go of the sinks and of the lock."""
        self._close_sinks()
        self._states = []
        if self._lock is not None:
            filelock.release(self._lock)
            self._lock = None

    def drain(self, *, deadline: float | None = None) -> DrainReport:
        """Carry what is there to the sinks until ``deadline`` (monotonic seconds). Needs ``acquire``."""
        limit = monotonic() + 60 if deadline is None else deadline
        delivered = waiting = 0
        sizes = self._sizes()
        if unfinished := self._unfinished(sizes):
            connections.close_old()
        for name in unfinished:
            # One that cannot be read holds back no other.
            with guard.guard("drainer"):
                taken, left = self._drain_segment(name, sizes[name], limit)
                delivered += taken
                waiting += left
        if delivered:
            self._remember(sizes.keys())
        self._accompany()
        self._rest(busy=bool(delivered))
        failing = tuple(state.sink.name for state in self._states if state.last_error)
        return DrainReport(delivered=delivered, waiting=waiting, failing=failing)

    def _accompany(self) -> None:
        if isinstance(self._source, Path):
            for companion in process.companions:
                with guard.guard("drainer"):
                    companion(self._source)

    def _sizes(self) -> dict[str, int]:
        if isinstance(self._source, spool.MemorySpool):
            return {self._source.name: self._source.end()}
        return spool.sizes(self._source)

    def _unfinished(self, sizes: Mapping[str, int]) -> list[str]:
        """Return the segments that have grown, and now and then those that may have been abandoned."""
        if monotonic() >= self._look_at:
            self._look_at = monotonic() + LOOK_EVERY
            self._drained = {}
        return sorted(name for name, size in sizes.items() if self._drained.get(name) != size)

    def _drain_segment(self, name: str, size: int, limit: float) -> tuple[int, int]:
        """Return how many records were delivered and how many bytes are left."""
        segment = self._segment(name)
        # Asked before reading: what is appended afterwards must not be thrown away unread.
        abandoned = segment.abandoned()
        delivered = sum(state.feed(segment, size, limit) for state in self._states if state.ready())
        done = min((state.cursors.get(name, 0) for state in self._states), default=size)
        end = segment.end() if abandoned or done < size else size
        if done >= end:
            self._drained[name] = size
            if abandoned or isinstance(segment, spool.MemorySpool):
                self._forget(segment, done)
        return delivered, max(end - done, 0)

    def _load(self, cursors: dict[str, dict[str, int]]) -> None:
        if not self._states:
            self._states = [SinkState(sink, cursors.get(sink.name, {})) for sink in load_sinks(self._sinks)]

    def _segment(self, name: str) -> spool.Segment:
        if isinstance(self._source, spool.MemorySpool):
            return self._source
        return spool.FileSegment(self._source / f"{name}{spool.SUFFIX}")

    def _forget(self, segment: spool.Segment, done: int) -> None:
        segment.discard(done)
        if not isinstance(segment, spool.MemorySpool):
            for state in self._states:
                state.cursors.pop(segment.name, None)

    def _remember(self, names: Collection[str]) -> None:
        if isinstance(self._source, spool.MemorySpool):
            return
        cursors = {
            state.sink.name: {name: at for name, at in state.cursors.items() if name in names}
            for state in self._states
        }
        _overwrite(self._source / CURSORS_NAME, json.dumps(cursors).encode())

    def _rest(self, *, busy: bool) -> None:
        now = monotonic()
        if busy:
            self._busy_at = now
        elif now - self._busy_at > IDLE_AFTER:
            self._busy_at = now
            self._close_sinks()

    def _close_sinks(self) -> None:
        for state in self._states:
            with guard.guard(f"sink.{state.sink.name}"):
                state.sink.close()


def drain_now(*, deadline: float | None = None) -> DrainReport:
    """Drain this machine's spool once, if nobody else is doing so. For cron, tests and exit."""
    path = spool.directory()
    if path is None:
        return DrainReport()
    drainer = Drainer(path)
    if not drainer.acquire():
        return DrainReport(locked=True)
    try:
        return drainer.drain(deadline=deadline)
    finally:
        drainer.release()


def backlog(path: Path) -> Backlog:
    """Return what waits in a directory, by the cursors that its drainer keeps there. For the doctor."""
    kept = path / CURSORS_NAME
    cursors, segments = _read_cursors(kept), spool.file_segments(path)
    waiting = {
        sink.name: sum(max(one.end() - cursors.get(sink.name, {}).get(one.name, 0), 0) for one in segments)
        for sink in load_sinks()
    }
    return Backlog(waiting=waiting, moved_at=kept.stat().st_mtime if kept.exists() else None)


def load_sinks(paths: tuple[str, ...] | None = None) -> list[Sink]:
    """Return these sinks, or ``QAPROD["SINKS"]``; one that cannot be imported is left out and counted."""
    sinks: list[Sink] = []
    for path in settings().sinks if paths is None else paths:
        with guard.guard("sinks"):
            sinks.append(import_string(path)())
    return sinks


def _overwrite(path: Path, data: bytes) -> None:
    # In place, by one write that covers all that was there. A new file under the old name costs ext4 a
    # thousand times as much: it brings the data to the disk before the name.
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        os.pwrite(descriptor, data.ljust(os.fstat(descriptor).st_size), 0)
    finally:
        os.close(descriptor)


def _read_cursors(path: Path) -> dict[str, dict[str, int]]:
    # Lost or damaged cursors cost a repetition, which the database sink recognises.
    try:
        found = json.loads(path.read_text())
        return {str(sink): {str(name): int(at) for name, at in of.items()} for sink, of in found.items()}
    except (OSError, ValueError, AttributeError, TypeError):
        return {}
