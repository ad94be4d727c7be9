"""Asks gauges, each in a thread of its own, so that one which hangs delays nobody.

1. ``ask`` puts a gauge into the queue, and returns.
2. A thread starts as many as may be read at once, and looks at the clock.
3. A reading ends in time, and is booked; or the clock ends it, which is a failure. What its thread comes to
   later counts for nothing, and until then the gauge is not asked again: a thread cannot be ended.

Under the lock nothing but our own few names is looked at: whatever starts a thread, logs, or calls code of
the host's may wait, and others for the lock.
"""

from __future__ import annotations

import sys
import threading
from asyncio import CancelledError
from collections import deque
from time import monotonic, time
from types import TracebackType
from typing import NamedTuple

from .. import context
from ..exceptions import GaugeTimeoutError, GaugeValueError
from ..pipeline import failures, guard, numbers
from ..registry import GaugeSpec
from ..store import connections
from ..text import one_line
from . import reading
from .reading import Labelled
from .threads import Helpers

#: Gauges that are read at once; each may have a database connection.
MOST_AT_ONCE = 8
#: Seconds that a coroutine may take to notice that its time is up.
GRACE = 0.5
#: What is said of a gauge that could not be read.
NO_THREAD = "There is no thread to read it in."


class Answer(NamedTuple):
    """How a reading went: when it ended, and its error, empty when all was well."""

    name: str
    at: float
    error: str = ""


class _Reading:
    thread: threading.Thread

    def __init__(self, spec: GaugeSpec) -> None:
        self.spec = spec
        self.deadline = monotonic() + spec.timeout + GRACE
        #: Whether it has been decided how it went: by its thread or by the clock, whichever is first.
        self.decided = False
        #: Whether nothing of it goes on: before its thread begins, and once that and its helpers have ended.
        self.ended = True


class Asker:
    """The gauges that this process asks. Safe to use from several threads."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._queue: deque[GaugeSpec] = deque()
        self._running: dict[str, _Reading] = {}
        self._hanging: dict[str, _Reading] = {}
        self._answers: list[Answer] = []
        self._thread: threading.Thread | None = None

    def ask(self, spec: GaugeSpec) -> bool:
        """Have a gauge read, and do not wait; return false while it has not ended from the last time."""
        begins = None
        with self._changed:
            queued = any(waiting.name == spec.name for waiting in self._queue)
            if queued or spec.name in self._running or spec.name in self._hanging:
                return False
            self._queue.append(spec)
            if self._thread is None:
                begins = threading.Thread(target=self._look_after, name="qaprod-gauges", daemon=True)
                self._thread = begins
            self._changed.notify_all()
        if begins is not None and not _starts(begins, "gauges"):
            self._leave(begins)
        return True

    def wait(self, within: float | None = None) -> bool:
        """Wait until all that were asked have answered or run out of time; return whether they have."""
        with self._changed:
            return self._changed.wait_for(lambda: self._thread is None, within)

    def answers(self) -> list[Answer]:
        """Return how readings went that have ended since this was asked last."""
        with self._changed:
            answers, self._answers = self._answers, []
            return answers

    def _look_after(self) -> None:
        try:
            while self._goes_on():
                self._turn()
        finally:
            # Whatever ended it: nobody waits for it for ever, and the next one that is asked begins anew.
            self._leave(threading.current_thread())

    def _turn(self) -> None:
        for one in self._taken():
            self._begin(one)
        for one in self._late():
            self._give_up(one)

    def _goes_on(self) -> bool:
        with self._changed:
            if not self._running and not self._queue:
                self._thread = None
                self._changed.notify_all()
            return self._thread is not None

    def _leave(self, thread: threading.Thread) -> None:
        """Answer for all that were asked, where a thread that looks after them is not or no more."""
        with self._changed:
            if self._thread is not thread:
                return
            for spec in self._queue:
                self._answers.append(Answer(spec.name, time(), NO_THREAD))
            self._queue.clear()
            for one in list(self._running.values()):
                one.decided = True
                self._answered(one, NO_THREAD)
            self._thread = None
            self._changed.notify_all()

    def _taken(self) -> list[_Reading]:
        """Take as many out of the queue as may be read at once."""
        taken = []
        with self._changed:
            while self._queue and len(self._running) < MOST_AT_ONCE:
                spec = self._queue.popleft()
                self._running[spec.name] = one = _Reading(spec)
                taken.append(one)
        return taken

    def _begin(self, one: _Reading) -> None:
        name = one.spec.name
        one.thread = threading.Thread(
            target=self._read, args=(one,), name=f"qaprod-gauge-{name}", daemon=True
        )
        one.ended = False
        if not _starts(one.thread, f"gauge.{name}"):
            with self._changed:
                one.decided = one.ended = True
                self._answered(one, NO_THREAD)

    def _late(self) -> list[_Reading]:
        """Wait until there is something to do; return the readings whose time is up."""
        with self._changed:
            if not (self._queue and len(self._running) < MOST_AT_ONCE) and self._running:
                self._changed.wait(self._pause())
            now = monotonic()
            late = [one for one in self._running.values() if not one.decided and now >= one.deadline]
            for one in late:
                one.decided = True
            return late

    def _pause(self) -> float | None:
        deadlines = [one.deadline for one in self._running.values() if not one.decided]
        return max(min(deadlines) - monotonic(), 0) if deadlines else None

    def _give_up(self, late: _Reading) -> None:
        """Report that a reading did not end in time, from where it hangs."""
        error = reading.out_of_time(late.spec).with_traceback(_where(late.thread))
        words = _report(late.spec, error)
        with self._changed:
            self._answered(late, words)

    def _answered(self, one: _Reading, words: str) -> None:
        """Put down how a reading went, once. Under the lock."""
        if self._running.get(one.spec.name) is not one:
            return
        del self._running[one.spec.name]
        if not one.ended:
            self._hanging[one.spec.name] = one
        self._answers.append(Answer(one.spec.name, time(), words))
        self._changed.notify_all()

    def _read(self, one: _Reading) -> None:
        """Read one gauge, in a thread of its own."""
        # Its failures and log lines belong together, and to nothing else.
        made = context.Context()
        made.kind, made.name = "gauge", one.spec.name
        context.enter(made)
        helpers = Helpers()
        values: list[Labelled] = []
        error: BaseException | None = GaugeValueError("It ended without an answer.")
        try:
            values = reading.read(one.spec, helpers)
            error = None
        except (Exception, SystemExit, CancelledError) as problem:  # noqa: BLE001 - it may raise what it likes
            error = problem
        finally:
            self._end(one, values, error, helpers)

    def _end(
        self, one: _Reading, values: list[Labelled], error: BaseException | None, helpers: Helpers
    ) -> None:
        with self._changed:
            in_time, one.decided = not one.decided, True
        words = "It could not be recorded."
        with guard.guard(f"gauge.{one.spec.name}"):
            if in_time:
                words = _book(one.spec, values) if error is None else _report(one.spec, error)
        with guard.guard("gauges"):
            connections.close()
        ended = helpers.end(GRACE)
        with self._changed:
            one.ended = ended
            if in_time:
                self._answered(one, words)
        if not ended:
            # What it has left hanging is its own: it is not asked again before.
            helpers.end()
        with self._changed:
            one.ended = True
            self._hanging.pop(one.spec.name, None)


def _starts(thread: threading.Thread, part: str) -> bool:
    """Start a thread; return false where the machine has none left."""
    try:
        thread.start()
    except Exception as error:  # noqa: BLE001 - MemoryError, RuntimeError, and what a tracer's wrapper raises
        guard.caught(part, error)
        return False
    return True


def _book(spec: GaugeSpec, values: list[Labelled]) -> str:
    for label, value in values:
        attributes = (("label", label),) if label else ()
        numbers.gauge(spec.name, label, attributes, value=value, unit=spec.unit)
    return ""


def _report(spec: GaugeSpec, error: BaseException) -> str:
    """Record the failure of a gauge; return it in words."""
    # What we say ourselves comes from nowhere in the host's code, so that places would not tell it apart.
    ours = isinstance(error, (GaugeTimeoutError, GaugeValueError))
    chosen = f"gauge {spec.name} {type(error).__name__}" if ours else None
    failures.report_exception(error, kind="gauge", name=spec.name, fingerprint=chosen)
    if not isinstance(error, Exception):
        return type(error).__name__
    return one_line(f"{type(error).__name__}: {guard.words_of(error)}", 500)


def _where(thread: threading.Thread) -> TracebackType | None:
    """Return where a thread is now, as the traceback of an error there."""
    frame = sys._current_frames().get(thread.ident or 0)
    traceback = None
    while frame is not None and frame.f_code is not reading.read.__code__:
        traceback = TracebackType(traceback, frame, max(frame.f_lasti, 0), frame.f_lineno or 1)
        frame = frame.f_back
    return traceback if frame is not None else None
