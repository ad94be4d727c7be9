"""The drainer: carries the machine's spool to the sinks, one process of the machine at a time.

Every sink has a cursor of its own, and a thread of its own unless it is ``inline``, so that one which is
down holds back nobody but itself.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import NamedTuple

from django.utils.module_loading import import_string

from ..conf import settings, sink_paths
from ..store import connections
from ..typing import Sink
from . import filelock, guard, hooks, lanes, spool
from .feeding import Feed, Reader, is_inline

LOCK_NAME = "drainer.lock"
CURSORS_NAME = "cursors.json"
#: Seconds between two passes. Half of a flush interval; waking costs more than a pass that finds nothing.
EVERY = 2.5
#: Seconds between two looks at segments that are drained: whether their processes have ended.
LOOK_EVERY = 10.0
#: Seconds without work after which the sinks let go of their connections.
IDLE_AFTER = 30.0
#: The part of the spool that a sink with a lane may fill alone; beyond it, what is oldest is lost to it.
LANES_MAY_FILL = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class DrainReport:
    """What a pass did. ``locked`` says that another process of this machine is the drainer."""

    delivered: int = 0
    waiting: int = 0
    locked: bool = False
    failing: tuple[str, ...] = ()


class Standing(NamedTuple):
    """How far the sinks are that the drainer feeds itself: the database, of all that come with the package.

    ``waiting`` are the bytes that one of them has not had yet; ``mark`` is another whenever one has had more.
    ``error`` says, without secrets, what keeps one from it now.
    """

    waiting: int
    mark: object
    error: str


class Drainer:
    """Drains a directory, or one process's memory; has the machine's lock from ``acquire`` to ``release``."""

    def __init__(self, source: Path | spool.MemorySpool, *, sinks: tuple[str, ...] | None = None) -> None:
        self._source = source
        self._sinks = sinks
        self._lock: int | None = None
        self._reader = Reader()
        #: The sinks that the drainer feeds itself, and those that have lanes.
        self._inline: list[Feed] = []
        self._lanes: list[lanes.Lane] = []
        self._left: list[lanes.Lane] = []
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
        self._inline, self._lanes = [], []
        if self._lock is not None:
            filelock.release(self._lock)
            self._lock = None

    def drain(self, *, deadline: float | None = None, wait: bool = True) -> DrainReport:
        """Carry what is there to the sinks until ``deadline`` (monotonic seconds). Needs ``acquire``.

        Without ``wait`` the sinks that have lanes go on behind; what they did then is in the next report.
        """
        limit = monotonic() + 60 if deadline is None else deadline
        delivered = waiting = 0
        sizes = self._sizes()
        if unfinished := self._unfinished(sizes):
            connections.close_old()
        self._replace_stuck()
        for lane in self._lanes if unfinished else ():
            lane.offer({name: sizes[name] for name in unfinished})
        for name in unfinished:
            # One that cannot be read holds back no other.
            with guard.guard("drainer"):
                delivered += self._feed(name, sizes[name], limit)
        for feed in self._inline:
            feed.settle()
        for lane in self._lanes if wait else ():
            lane.wait(limit)
        self._relieve(sizes)
        for name in unfinished:
            with guard.guard("drainer"):
                waiting += self._finish(name, sizes[name])
        delivered += sum(lane.delivered() for lane in self._lanes)
        if delivered:
            self._remember(sizes.keys())
        self._reader.forget()
        self._accompany()
        self._rest(busy=bool(delivered))
        return DrainReport(delivered=delivered, waiting=waiting, failing=tuple(self._failing()))

    def standing(self) -> Standing:
        """Return how far it is. From any thread, also while the drainer itself is stuck."""
        feeds = list(self._inline)
        cursors = [dict(list(feed.cursors.items())) for feed in feeds]
        waiting = 0
        for name, size in self._sizes().items() if feeds else ():
            done = min(cursor.get(name, 0) for cursor in cursors)
            if size > done:
                waiting += max(self._segment(name).end() - done, 0)
        return Standing(waiting, cursors, "; ".join(filter(None, (feed.trouble() for feed in feeds))))

    def _accompany(self) -> None:
        if isinstance(self._source, Path):
            for companion in hooks.companions:
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

    def _feed(self, name: str, size: int, limit: float) -> int:
        segment = self._segment(name)
        return sum(feed.feed(segment, size, limit) for feed in self._inline if feed.ready())

    def _finish(self, name: str, size: int) -> int:
        """Let go of a segment that every sink has; return how many bytes are left for one that has not."""
        segment = self._segment(name)
        # Asked before the cursors are: what is appended afterwards must not be thrown away unread.
        abandoned = segment.abandoned()
        done = min((feed.cursors.get(name, 0) for feed in self._feeds()), default=size)
        end = segment.end() if abandoned or done < size else size
        if done >= end:
            self._drained[name] = size
            if abandoned or isinstance(segment, spool.MemorySpool):
                self._forget(segment, done)
        return max(end - done, 0)

    def _feeds(self) -> Iterator[Feed]:
        yield from self._inline
        for lane in self._lanes:
            yield lane.feed

    def _failing(self) -> Iterator[str]:
        for feed in self._feeds():
            if feed.last_error:
                yield feed.sink.name
        for lane in self._lanes:
            if lane.stuck_for() > lanes.STUCK_AFTER and not lane.feed.last_error:
                yield lane.feed.sink.name

    def _load(self, cursors: dict[str, dict[str, int]]) -> None:
        if self._inline or self._lanes:
            return
        for make, sink in load_sinks(self._sinks):
            feed = Feed(sink, cursors.get(sink.name, {}), self._reader)
            if is_inline(sink):
                self._inline.append(feed)
            else:
                self._lanes.append(lanes.Lane(feed, self._segment, make))

    def _replace_stuck(self) -> None:
        """Give a sink whose thread does not come back a new thread, and be a new one."""
        self._left = [lane for lane in self._left if lane.alive()]
        for place, lane in enumerate(self._lanes):
            feed = lane.feed
            left = sum(one.feed.sink.name == feed.sink.name for one in self._left)
            if lane.stuck_for() > lanes.STUCK_AFTER and left < lanes.MOST_STUCK:
                self._left.append(lane)
                words = f"It has been busy with one batch for {lane.stuck_for():.0f} s, and is made anew."
                guard.caught(f"sink.{feed.sink.name}", TimeoutError(words))
                self._lanes[place] = lane.anew(self._reader)

    def _relieve(self, sizes: Mapping[str, int]) -> None:
        """Keep sinks that are down for long from filling the spool, which would cost the others new records.

        What is oldest is lost to them, and counted; what one that gathers has of it may arrive all the same.
        """
        room = int(settings().spool_max_bytes * LANES_MAY_FILL)
        excess = sum(sizes.values()) - room
        for name in sorted(sizes) if excess > 0 and isinstance(self._source, Path) else ():
            segment = self._segment(name)
            # One that cannot be read keeps no other.
            with guard.guard("drainer"):
                if excess > 0 and segment.abandoned() and self._is_fed(name, sizes[name]):
                    for lane in self._lanes:
                        self._skip(lane.feed, segment, sizes[name])
                    excess -= sizes[name]

    def _is_fed(self, name: str, size: int) -> bool:
        return all(feed.cursors.get(name, 0) >= size for feed in self._inline)

    def _skip(self, feed: Feed, segment: spool.Segment, size: int) -> None:
        position = feed.cursors.get(segment.name, 0)
        while position < size:
            entries, end = segment.read(position)
            guard.dropped(f"sink.{feed.sink.name}.behind", len(entries))
            position = end if end > position else size
            # At once: if what lies behind it cannot be read, this is not to be counted again.
            feed.cursors[segment.name] = position

    def _segment(self, name: str) -> spool.Segment:
        if isinstance(self._source, spool.MemorySpool):
            return self._source
        return spool.FileSegment(self._source / f"{name}{spool.SUFFIX}")

    def _forget(self, segment: spool.Segment, done: int) -> None:
        segment.discard(done)
        if not isinstance(segment, spool.MemorySpool):
            for feed in self._feeds():
                feed.cursors.pop(segment.name, None)

    def _remember(self, names: Collection[str]) -> None:
        if isinstance(self._source, spool.MemorySpool):
            return
        cursors = {}
        for feed in self._feeds():
            # A lane goes on meanwhile, and may have brought away what it had of a segment that is gone.
            for name in [name for name in list(feed.cursors) if name not in names]:
                feed.cursors.pop(name, None)
            cursors[feed.sink.name] = dict(list(feed.cursors.items()))
        _overwrite(self._source / CURSORS_NAME, json.dumps(cursors).encode())

    def _rest(self, *, busy: bool) -> None:
        now = monotonic()
        if busy:
            self._busy_at = now
        elif now - self._busy_at > IDLE_AFTER:
            self._busy_at = now
            self._close_sinks()

    def _close_sinks(self) -> None:
        for feed in self._inline:
            feed.close()
        for lane in self._lanes:
            lane.close()


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


def load_sinks(paths: tuple[str, ...] | None = None) -> list[tuple[Callable[[], Sink], Sink]]:
    """Return these sinks, or those of the settings, with what makes each.

    One that cannot be made is left out and counted.
    """
    found: list[tuple[Callable[[], Sink], Sink]] = []
    for path in sink_paths() if paths is None else paths:
        with guard.guard("sinks"):
            make = import_string(path)
            found.append((make, make()))
    return found


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
