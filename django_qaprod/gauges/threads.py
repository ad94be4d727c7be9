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
from time import monotonic
from typing import Any, ParamSpec, TypeVar, TypeVarTuple

from ..pipeline import guard
from ..store import connections

P = ParamSpec("P")
R = TypeVar("R")
Ts = TypeVarTuple("Ts")

#: Calls of one reading that go on at once; others wait for their turn.
MOST_CALLS = 8


class Threads(Executor):
    """At most so many threads, which begin when they are needed and close their connections when they end.

    Calls may come from one thread alone, that of a loop.
    """

    def __init__(self, most: int = 1) -> None:
        self._most = most
        self._calls: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []

    def submit(self, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Future[R]:
        """Have a thread call a function."""
        if len(self._threads) < self._most:
            thread = threading.Thread(target=self._work, name="qaprod-gauge-calls", daemon=True)
            thread.start()
            self._threads.append(thread)
        future: Future[R] = Future()
        self._calls.put(partial(_answer, future, partial(fn, *args, **kwargs)))
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Have the threads end when they have done what they are at. Never waits, whatever is asked for."""
        for _ in self._threads:
            self._calls.put(None)

    def join(self, within: float | None = None) -> bool:
        """Wait until all have ended, at most that many seconds; return whether they have."""
        deadline = monotonic() + within if within is not None else None
        for thread in self._threads:
            thread.join(max(deadline - monotonic(), 0) if deadline is not None else None)
        return not any(thread.is_alive() for thread in self._threads)

    def _work(self) -> None:
        try:
            while (call := self._calls.get()) is not None:
                call()
        finally:
            with guard.guard("gauges"):
                connections.close()


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
