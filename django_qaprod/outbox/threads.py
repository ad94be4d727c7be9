"""Who sends: a thread for each lane that has something to send, so that a slow one holds up no other."""

from __future__ import annotations

import atexit
import os
import threading
from collections.abc import Callable, Iterable
from time import monotonic

from ..pipeline import guard, threads
from ..store import connections

#: Lanes that may be sent by at once.
MOST = 16
#: Seconds that sending may go on when the process ends.
END_WITHIN = 1.0

#: Sends what a lane has, until there is nothing or it is to stop.
Send = Callable[[str, threading.Event], object]


class Senders:
    """The threads of one kind of outgoing rows in this process."""

    def __init__(self, name: str, send: Send) -> None:
        self._name, self._send = name, send
        self._lock = threading.Lock()
        self._threads: dict[str, threading.Thread] = {}
        self._stop = threading.Event()
        os.register_at_fork(after_in_child=self._begin_afresh)
        atexit.register(lambda: self.end(threads.left_at_exit(END_WITHIN)))

    def start(self, lanes: Iterable[str]) -> None:
        """Send what these lanes have; one that is being sent by already is left alone."""
        with self._lock:
            self._threads = {lane: one for lane, one in self._threads.items() if one.is_alive()}
            for lane in lanes:
                if lane in self._threads or len(self._threads) >= MOST or self._stop.is_set():
                    continue
                thread = threading.Thread(
                    target=self._run, args=(lane, self._stop), name="qaprod-outbox", daemon=True
                )
                threads.start(thread)
                self._threads[lane] = thread

    def wait(self, within: float) -> None:
        """Wait until all that was started has ended, or that many seconds."""
        deadline = monotonic() + within
        for thread in list(self._threads.values()):
            thread.join(max(deadline - monotonic(), 0))

    def end(self, within: float = END_WITHIN) -> None:
        """Send nothing more in this process, and wait for what is under way."""
        self._stop.set()
        self.wait(within)

    def _run(self, lane: str, stop: threading.Event) -> None:
        try:
            self._guarded(lane, stop)
        finally:
            connections.close()

    def _guarded(self, lane: str, stop: threading.Event) -> None:
        with guard.guard(self._name):
            self._send(lane, stop)

    def _begin_afresh(self) -> None:
        self._lock = threading.Lock()
        self._threads = {}
        self._stop = threading.Event()
