"""This process's part in the pipeline: where records enter, and the thread that flushes and drains.

Nothing starts before the first record. After a fork everything starts afresh; where the server skips
Python's fork hooks (uWSGI without ``--py-call-uwsgi-fork-hooks``) the process id tells.
"""

from __future__ import annotations

import atexit
import os
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from time import monotonic, perf_counter, time
from types import ModuleType
from typing import TYPE_CHECKING

from django.apps import apps
from django.core import mail

from .. import Plain
from ..conf import in_test_run, settings
from ..exceptions import SpoolUnavailableError
from ..store import connections
from . import filelock, guard, hooks, numbers, threads

if TYPE_CHECKING:
    from ..records import FailureRecord, Record
    from . import spool
    from .drainer import Drainer

#: Seconds after which a request flushes by itself, because the thread should have done so by then.
OVERDUE_AFTER = numbers.FLUSH_EVERY + 2.0
#: Seconds between two reports of what went wrong inside us.
HEALTH_EVERY = 60.0
#: Seconds that the thread leaves to the first visitors before it imports what failures and flushes need.
IMPORT_AFTER = 0.5
#: Seconds that everything at exit may take together.
EXIT_WITHIN = 2.0
#: Cells of one record: all that a large site counts in five seconds is longer than a record may be.
CELLS_PER_RECORD = 50


class ProcessStatus(Plain):
    """What runs in this process."""

    recording: bool
    thread_alive: bool
    draining: bool


class _State:
    def __init__(self) -> None:
        self.pid = os.getpid()
        self.lock = threading.RLock()
        self.spool: spool.FileSpool | spool.MemorySpool | None = None
        self.thread: threading.Thread | None = None
        self.stop = threading.Event()
        self.draining = False
        #: The threads of ``hooks.neighbours``.
        self.beside: list[threading.Thread] = []
        # By ``perf_counter``; zero makes the first request start the thread.
        self.overdue_at = 0.0


_state = _State()
# Set by the tests of hosts: a list that takes the records, or a memory that is drained by hand.
_tap: list[Record] | None = None
_memory: spool.MemorySpool | None = None

#: Held while a thread of ours imports, and by whoever forks: a child would wait for ever for a module that
#: was half imported by a thread which it does not have.
importing = threading.RLock()


def recording() -> bool:
    """Whether anything is recorded: not in the host's test run, unless a test asks for it."""
    if _tap is not None or _memory is not None:
        return True
    # One look at a dict for each request, and a closer one where there is something.
    return ("outbox" not in mail.__dict__ or not in_test_run()) and settings().enabled


def storing() -> bool:
    """Whether events are written to the database, too: not while ``capture_records`` collects them."""
    return _tap is None and recording()


def submit(record: Record) -> None:
    """Append a scrubbed record to the spool. Never raises, and waits for nothing but the disk."""
    if _tap is not None:
        _tap.append(record)
        return
    if _memory is None and _in_pytest():
        return
    with guard.guard("submit"):
        records, spool = _modules()
        line = records.encode(record)
        if len(line) > spool.MAX_RECORD:
            guard.dropped("spool.too_long")
            return
        try:
            _own_spool().append(line)
        except (OSError, SpoolUnavailableError) as error:
            guard.dropped("spool.refused")
            guard.caught("spool", error)
        _ensure_thread()


def submit_failure(record: FailureRecord, error: BaseException | None = None) -> None:
    """Let the witnesses see a failure, and append it. Never raises."""
    submit(hooks.witnessed(record, error))


def tick(now: float) -> None:
    """Start the thread at the first request and stand in for it when late (``now``: ``perf_counter``)."""
    if now < _state.overdue_at:
        return
    first = not _state.overdue_at
    _state.overdue_at = now + OVERDUE_AFTER
    if _tap is None and _memory is None and not _in_pytest():
        _after_unseen_fork()
        _ensure_thread()
        if not first:
            flush()


def due() -> float:
    """Return the time, by ``perf_counter``, at which a request should call ``tick``."""
    return _state.overdue_at


def flush() -> None:
    """Move what was counted to the spool."""
    with guard.guard("flush"):
        from ..records import NumbersRecord, new_id

        hooks.tell(hooks.before_flush)
        cells, exemplars = numbers.take(), numbers.take_exemplars()
        at, release = time(), settings().release
        for begin in range(0, len(cells), CELLS_PER_RECORD):
            some = cells[begin : begin + CELLS_PER_RECORD]
            record = NumbersRecord(
                id=new_id(at),
                at=at,
                cells=some,
                release=release,
                host=host(),
                process=str(os.getpid()),
                exemplars=exemplars if not begin else (),
            )
            submit(record)
        _state.overdue_at = perf_counter() + OVERDUE_AFTER


def status() -> ProcessStatus:
    """Return what runs in this process."""
    thread = _state.thread
    return ProcessStatus(
        recording=recording(), thread_alive=bool(thread and thread.is_alive()), draining=_state.draining
    )


def memory_fill() -> float | None:
    """Return what part of its memory a spool without a directory has used, ``None`` where there is one."""
    return getattr(_state.spool, "fill", None)


@cache
def host() -> str:
    """Return this machine's name."""
    return socket.gethostname()[:100]


@contextmanager
def tapped(records: list[Record]) -> Iterator[None]:
    """Send records to a list instead of the spool. For tests."""
    global _tap
    before, _tap = _tap, records
    numbers.take()
    try:
        yield
    finally:
        flush()
        _tap = before


@contextmanager
def in_memory(*, sinks: tuple[str, ...] | None = None) -> Iterator[Drainer]:
    """Keep records in memory until the drainer that is yielded drains them. For tests.

    ``sinks`` stands in for ``QAPROD["SINKS"]``: a test must not send to those of production.
    """
    global _memory
    from . import spool
    from .drainer import Drainer

    before, _memory = _memory, spool.MemorySpool()
    numbers.take()
    guard.take()
    drainer = Drainer(_memory, sinks=sinks)
    drainer.acquire()
    try:
        yield drainer
    finally:
        drainer.release()
        _memory = before


def report_health() -> None:
    """Submit what went wrong inside us since the last report."""
    tally = guard.take()
    if tally is not None:
        from ..records import HealthRecord, new_id

        at = time()
        submit(
            HealthRecord(
                id=new_id(at),
                at=at,
                host=host(),
                process=str(os.getpid()),
                errors=tally.errors,
                dropped=tally.dropped,
                words=tally.words,
            )
        )


def shut_down(within: float = EXIT_WITHIN) -> None:
    """Flush, drain what can be drained within that many seconds, and end the thread."""
    thread = _state.thread
    if thread is None or _state.pid != os.getpid():
        return
    _state.stop.set()
    deadline = monotonic() + within
    # What a neighbour holds, others wait for until it is let go of.
    for one in (thread, *_state.beside):
        one.join(max(deadline - monotonic(), 0))


@cache
def _modules() -> tuple[ModuleType, ModuleType]:
    """Return ``records`` and ``spool``. Once: an import statement in a function costs more than the call."""
    from .. import records
    from . import spool

    return records, spool


def _in_pytest() -> bool:
    # It imports the host's modules, which may log, before it sets up Django's test environment.
    return "django_qaprod.testing.plugin" in sys.modules


def _own_spool() -> spool.FileSpool | spool.MemorySpool:
    if _memory is not None:
        return _memory
    _after_unseen_fork()
    if _state.spool is None:
        from . import spool

        with _state.lock:
            path = spool.directory()
            if _state.spool is None:
                _state.spool = spool.MemorySpool() if path is None else spool.FileSpool(path)
    return _state.spool


def _ensure_thread() -> None:
    # Before the apps are ready a sink could import what is not there yet; the record waits in the spool.
    if _runs() or _memory is not None or _state.stop.is_set() or not apps.ready:
        return
    with _state.lock:
        if not _runs():
            thread = threading.Thread(target=_pulse, args=(_state.stop,), name="qaprod", daemon=True)
            threads.start(thread)
            _state.thread = thread


def _runs() -> bool:
    return _state.thread is not None and _state.thread.is_alive()


@connections.kept()
def _pulse(stop: threading.Event) -> None:
    """Flush every five seconds; drain then and in between, in whichever process has the machine's lock."""
    stop.wait(IMPORT_AFTER)
    _import_rest()
    from . import spool
    from .drainer import EVERY, Drainer

    own = _own_spool()
    in_memory_only = isinstance(own, spool.MemorySpool)
    drainer = Drainer(own if isinstance(own, spool.MemorySpool) else own.path)
    drains = in_memory_only or settings().background == "thread"
    next_flush, next_health = _next_flush(), monotonic() + HEALTH_EVERY
    while not stop.wait(min(next_flush - time(), EVERY)):
        if in_test_run():
            # It has begun after something was recorded; the host's tests are not to meet us.
            stop.set()
            drainer.release()
            return
        with guard.guard("pulse"):
            # The clock may have been set back.
            if not 0 < next_flush - time() <= numbers.FLUSH_EVERY:
                flush()
                next_flush = _next_flush()
            if monotonic() >= next_health:
                report_health()
                next_health = monotonic() + HEALTH_EVERY
            if drains:
                _drain(drainer, stop)
    deadline = monotonic() + EXIT_WITHIN / 2
    with guard.guard("pulse"):
        flush()
        report_health()
    with guard.guard("pulse"):
        if drains and drainer.acquire():
            drainer.drain(deadline=deadline)
    with guard.guard("pulse"):
        drainer.release()
    hooks.tell(hooks.at_exit)


def _import_rest() -> None:
    """Import what a start can do without, so that the first failure does not have to."""
    # The guard outside: it may log, for which somebody may have to let go of a lock first.
    with guard.guard("import"), importing:
        from . import drainer, failures  # noqa: F401

        for name in hooks.imports:
            import_module(name)


def _drain(drainer: Drainer, stop: threading.Event) -> None:
    if not drainer.acquire():
        return
    if not _state.draining:
        for neighbour in hooks.neighbours:
            thread = threading.Thread(target=neighbour, args=(stop,), name="qaprod-neighbour", daemon=True)
            threads.start(thread)
            _state.beside.append(thread)
        hooks.watch(drainer, stop)
        _state.draining = True
    drainer.drain(wait=False)


def _next_flush() -> float:
    return (time() // numbers.FLUSH_EVERY + 1) * numbers.FLUSH_EVERY


def _after_unseen_fork() -> None:
    if _state.pid != os.getpid():
        _begin_afresh()


def _begin_afresh() -> None:
    global _state
    inherited = _state.spool
    _state = _State()
    filelock.abandon()
    guard.reset_after_fork()
    numbers.reset_after_fork()
    if inherited is not None:
        from . import spool

        if isinstance(inherited, spool.FileSpool):
            inherited.abandon()


os.register_at_fork(
    before=importing.acquire, after_in_parent=importing.release, after_in_child=importing.release
)
os.register_at_fork(after_in_child=_begin_afresh)
atexit.register(lambda: shut_down(threads.left_at_exit(EXIT_WITHIN)))
