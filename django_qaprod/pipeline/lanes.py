"""A sink that may have to wait for a network has a lane: a thread of its own, so that it delays no other."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from time import monotonic

from ..store import connections
from ..typing import Sink
from . import guard, spool, threads
from .feeding import Feed, Reader

#: Seconds after which a sink that does not come back from one batch is left to itself, and made anew.
STUCK_AFTER = 30.0
#: Threads that may be left to themselves for one sink; then there is no other before one of them ends.
MOST_STUCK = 2
#: Seconds that a lane gives one segment before it looks at the others.
TURN = 60.0


class Lane:
    """A thread that feeds one sink. It begins with an offer, ends with ``close``, and may begin again."""

    def __init__(self, feed: Feed, segment: Callable[[str], spool.Segment], make: Callable[[], Sink]) -> None:
        self.feed = feed
        self._segment = segment
        self._make = make
        self._changed = threading.Condition()
        self._offered: dict[str, int] | None = None
        self._busy = self._closing = False
        self._taken = self._delivered = 0
        self._thread: threading.Thread | None = None

    def offer(self, sizes: Mapping[str, int]) -> None:
        """Have the sink take what it has not had of segments of these sizes. Does not wait."""
        with self._changed:
            self._offered, self._closing = dict(sizes), False
            if self._thread is None:
                thread = threading.Thread(target=self._run, name="qaprod-sink", daemon=True)
                # A process that ends starts none (Python 3.12): who waits for this lane does its work.
                with suppress(RuntimeError):
                    threads.start(thread)
                    self._thread = thread
            self._changed.notify_all()

    def wait(self, deadline: float) -> None:
        """Wait until it has nothing to do, at most until ``deadline`` (monotonic seconds)."""
        with self._changed:
            left, self._offered = (self._offered, None) if self._thread is None else (None, self._offered)
        if left is not None:
            self._take(left)
        with self._changed:
            self._changed.wait_for(self._is_idle, max(deadline - monotonic(), 0))

    def delivered(self) -> int:
        """Return how many records its sink has taken since this was asked last."""
        with self._changed:
            delivered, self._delivered = self._delivered, 0
        return delivered

    def stuck_for(self) -> float:
        """Return for how many seconds the sink has been busy with one batch."""
        since = self.feed.writing_since
        return monotonic() - since if since is not None else 0.0

    def alive(self) -> bool:
        """Whether it has a thread."""
        return self._thread is not None

    def close(self) -> None:
        """Have the thread close the sink and end, when it has done what it is at. Does not wait."""
        with self._changed:
            self._offered, self._closing = None, True
            self._changed.notify_all()

    def anew(self, reader: Reader) -> Lane:
        """Return a lane for a new sink that goes on where this one is, and care no more for this one."""
        self.feed.given_up = True
        self.close()
        return Lane(
            Feed(self._make(), dict(list(self.feed.cursors.items())), reader), self._segment, self._make
        )

    def _is_idle(self) -> bool:
        return self._thread is None or (self._offered is None and not self._busy)

    def _run(self) -> None:
        ended_well = False
        try:
            self._work()
            ended_well = True
        except SystemExit:
            # A library of a sink's asked for it; a thread of ours is not its process.
            guard.dropped(f"sink.{self.feed.sink.name}.exit")
        finally:
            # Whatever ended it: the next offer begins anew.
            with self._changed:
                self._busy = False
                if not ended_well:
                    self._thread = None
                    self.feed.last_error = "Its thread was ended."
                self._changed.notify_all()

    @connections.kept()
    def _work(self) -> None:
        going_on = True
        while going_on:
            while (sizes := self._next()) is not None:
                connections.close_old()
                self._take(sizes)
            self.feed.close()
            going_on = self._goes_on()

    def _take(self, sizes: Mapping[str, int]) -> None:
        for name, size in sorted(sizes.items()):
            # One segment that cannot be read holds back no other.
            with guard.guard("drainer"):
                self._feed(name, size)
        self._settle()

    def _next(self) -> dict[str, int] | None:
        with self._changed:
            self._busy = False
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._offered is not None or self._closing)
            offered, self._offered = self._offered, None
            self._busy = offered is not None
            return offered

    def _goes_on(self) -> bool:
        """Return whether something was offered while the sink was closed; else the thread is no more."""
        with self._changed:
            if self._offered is None:
                self._thread = None
            return self._thread is not None

    def _feed(self, name: str, size: int) -> None:
        if self._closing or not self.feed.ready():
            return
        self._taken += self.feed.feed(self._segment(name), size, monotonic() + TURN)

    def _settle(self) -> None:
        taken, self._taken = self._taken, 0
        if self.feed.settle():
            with self._changed:
                self._delivered += taken
