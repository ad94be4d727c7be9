"""Threads for what a coroutine does outside of its loop, which a process that ends does not wait for.

Python joins the threads of ``concurrent.futures`` at exit, also those that have hung for days. Ours are
daemons.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from functools import partial
from queue import SimpleQueue
from typing import Any, NamedTuple, ParamSpec, TypeVar, TypeVarTuple

from ..pipeline import guard
from ..store import connections

P = ParamSpec("P")
R = TypeVar("R")
Ts = TypeVarTuple("Ts")

#: Calls of one reading that go on at once; others wait for their turn.
MOST_CALLS = 8


class _Call(NamedTuple):
    future: Future[Any]
    function: Callable[[], object]


class Threads(Executor):
    """At most so many threads, which begin when they are needed and close their connections when they end.

    Calls may come from several threads: asgiref finds it by a context variable, which ``asyncio.to_thread``
    takes along.
    """

    def __init__(self, most: int = 1) -> None:
        self._most = most
        self._calls: SimpleQueue[_Call | None] = SimpleQueue()
        self._changed = threading.Condition()
        #: Those that have a place, from before they begin until nothing of them goes on.
        self._threads: set[threading.Thread] = set()
        self._shut = False

    def submit(self, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Future[R]:
        """Have a thread call a function. Raises ``RuntimeError`` after ``shutdown``.

        That there is no thread to be had is the future's error.
        """
        future: Future[R] = Future()
        begins = None
        with self._changed:
            if self._shut:
                raise RuntimeError("cannot schedule new futures after shutdown")
            if len(self._threads) < self._most:
                begins = threading.Thread(target=self._work, name="qaprod-gauge-calls", daemon=True)
                self._threads.add(begins)
            # In here: behind what tells the threads to end nobody would take it.
            self._calls.put(_Call(future, partial(fn, *args, **kwargs)))
        if begins is not None:
            self._begin(begins)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Have the threads end when they have done what they are at. Never waits, whatever is asked for."""
        with self._changed:
            if not self._shut:
                self._shut = True
                for _ in self._threads:
                    self._calls.put(None)

    def join(self, within: float | None = None) -> bool:
        """Wait until all have ended, at most that many seconds; return whether they have."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._threads, within)

    def _begin(self, thread: threading.Thread) -> None:
        """Start a thread, not under the lock: that may take its time, and ``join`` is to keep to its own."""
        try:
            thread.start()
        except Exception as error:  # noqa: BLE001 - MemoryError, RuntimeError, and what a tracer's wrapper raises
            if not thread.is_alive():
                self._leave(thread, error)

    def _leave(self, thread: threading.Thread, error: Exception) -> None:
        """Give up a place; calls that wait where no thread is left end with the error."""
        left = []
        with self._changed:
            self._threads.discard(thread)
            while not self._threads and not self._calls.empty():
                left.append(self._calls.get())
            self._changed.notify_all()
        for call in left:
            if call is not None and call.future.set_running_or_notify_cancel():
                call.future.set_exception(error)

    def _work(self) -> None:
        try:
            while (call := self._calls.get()) is not None:
                _answer(*call)
        finally:
            with guard.guard("gauges"):
                connections.close()
            self._leave(threading.current_thread(), RuntimeError("Its thread has ended."))


class Helpers:
    """The threads that one reading needs besides its own: one for the ORM's queries, some for other calls."""

    def __init__(self) -> None:
        #: Where what is thread-sensitive runs, one call at a time.
        self.sensitive = Threads()
        self.others = Threads(MOST_CALLS)

    def end(self, within: float | None = None) -> bool:
        """Have them end, and wait at most that many seconds; return whether they have."""
        for threads in (self.sensitive, self.others):
            threads.shutdown()
        return self.sensitive.join(within) and self.others.join(within)


class Loop(asyncio.SelectorEventLoop):
    """A loop whose default executor is ours: the base class takes none but a ``ThreadPoolExecutor``."""

    def __init__(self, executor: Executor) -> None:
        super().__init__()
        self._others = executor

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[*Ts], R], *args: *Ts
    ) -> asyncio.Future[R]:
        """Call a function in a thread: of the executor's that is given, or one of ours."""
        return super().run_in_executor(executor or self._others, func, *args)


def _answer(future: Future[Any], call: Callable[[], object]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        answer = call()
    except BaseException as error:  # noqa: BLE001 - the caller's: it is raised where the future is awaited
        future.set_exception(error)
    else:
        future.set_result(answer)
