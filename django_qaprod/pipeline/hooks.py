"""Where other parts join the pipeline: lists of what is called, and told.

Parts add to them in ``ready()``; nothing here raises into its caller.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from . import guard, threads

if TYPE_CHECKING:
    from ..context import Context
    from ..records import EventRecord, FailureRecord
    from .drainer import Drainer
    from .numbers import RequestKey

#: Given each failure before it is appended, with its error where there is one, while what it belongs to is
#: still served: a tracer, the host's own Sentry. Each returns the record, perhaps with more in it.
failure_witnesses: list[Callable[[FailureRecord, BaseException | None], FailureRecord]] = []

#: Told of each step when it is committed, in the process that took it.
step_witnesses: list[Callable[[EventRecord], None]] = []

#: Told of each request when it is counted: its context, the series, and how many seconds it took.
request_witnesses: list[Callable[[Context, RequestKey, float], None]] = []

#: Told of the context of a response that goes on as a stream; the request ends with it.
stream_witnesses: list[Callable[[Context], None]] = []

#: Run, each in a thread of its own, by whichever process drains this machine's spool.
neighbours: list[Callable[[threading.Event], None]] = []

#: Run, each in a thread of its own, beside a drainer that goes on, until the event is set: they look at it
#: from outside, also while it is stuck.
watchers: list[Callable[[Drainer, threading.Event], None]] = []

#: Called with the spool's directory at each of the drainer's passes, for what else lies there. A pass comes
#: every 2.5 seconds, so they cost nothing when there is nothing to do.
companions: list[Callable[[Path], None]] = []

#: Modules that this process's thread imports when it begins, so that no flush has to.
imports: list[str] = []

#: Called before each flush, to add to the numbers.
before_flush: list[Callable[[], None]] = []

#: Called at the end by this process's thread, which is waited for ``process.EXIT_WITHIN`` seconds altogether.
at_exit: list[Callable[[], None]] = []


def watch(drainer: Drainer, stop: threading.Event) -> None:
    """Begin the ``watchers`` of a drainer that goes on until ``stop`` is set."""
    for watcher in watchers:
        # Where the machine has no thread left, it drains all the same.
        with guard.guard("watcher"):
            thread = threading.Thread(
                target=watcher, args=(drainer, stop), name="qaprod-watcher", daemon=True
            )
            threads.start(thread)


def tell(told: Iterable[Callable[..., None]], *seen: object) -> None:
    """Call each of them with what was seen."""
    for one in told:
        with guard.guard("witness"):
            one(*seen)


def witnessed(record: FailureRecord, error: BaseException | None) -> FailureRecord:
    """Return a failure as it is when all its witnesses have seen it."""
    for witness in failure_witnesses:
        with guard.guard("witness"):
            record = witness(record, error)
    return record


def tell_of_step(event: EventRecord) -> None:
    """Tell of a step that is committed."""
    tell(step_witnesses, event)
