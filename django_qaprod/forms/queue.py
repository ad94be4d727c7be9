"""Who replays what was asked for, and when: a thread of its own, in whichever process is told first.

It is told by ``ask`` after the commit: directly where background work is done by threads, else by a file in
the spool, which the machine's drainer sees within seconds. The worker's job is there for what was missed.
"""

from __future__ import annotations

import atexit
import os
import threading
from collections.abc import Iterable
from pathlib import Path

from django.db import transaction

from ..conf import events_alias, in_test_run, settings
from ..pipeline import guard, spool, threads
from ..store import connections, replays

#: The file in the spool's directory that says that something is queued.
FLAG = "replays"
#: Seconds that a replay may go on when the process ends.
END_WITHIN = 2.0


class _State:
    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.wanted = False
        self.thread: threading.Thread | None = None
        self.stop = threading.Event()


_state = _State()


def ask(ids: Iterable[str], *, who: str, doubtful: bool = False) -> int:
    """Have submissions replayed that wait; return how many were queued. For a person who may.

    Those in doubt are not, unless ``doubtful`` says that the person has confirmed it.
    """
    return _told(replays.ask(ids, who=who, doubtful=doubtful))


def ask_all(failure: str, *, who: str) -> int:
    """Have all replayed that wait because of a failure, by its fingerprint; return how many were queued.

    One goes first; while none has succeeded, one that fails calls off the others.
    """
    return _told(replays.ask_all(failure, who=who))


def look_after() -> None:
    """Give back what was cut off, ask for what a deploy may have healed, and go on. For the worker."""
    replays.expire()
    replays.heal()
    if next(replays.queued(), None) is not None:
        start()


def seen(path: Path) -> None:
    """Start if the file is there that says so. For the drainer, at each of its passes."""
    (path / FLAG).unlink(missing_ok=True)
    start()


def start() -> None:
    """Work in the thread, which is started if it is not there."""
    with _state.lock:
        _state.wanted = True
        # A view that calls ``sys.exit()`` has ended the thread, too.
        working = _state.thread is not None and _state.thread.is_alive()
        if not working and not _state.stop.is_set():
            thread = threading.Thread(target=_run, args=(_state,), name="qaprod-replays", daemon=True)
            threads.start(thread)
            _state.thread = thread


def wait(within: float | None = None) -> None:
    """Wait until the thread has nothing to do any more."""
    thread = _state.thread
    if thread is not None:
        thread.join(within)


def end(within: float = END_WITHIN) -> None:
    """Begin no other replay in this process, and wait for the one that is under way."""
    _state.stop.set()
    wait(within)


def work(stop: threading.Event | None = None) -> int:
    """Replay what is queued, one after the other, in this thread; return how many were."""
    from .replaying import replay

    done = 0
    for pk in replays.queued():
        if stop is not None and stop.is_set():
            break
        done += replay(pk) is not None
    return done


def _told(asked: int) -> int:
    if asked:
        transaction.on_commit(_tell, using=events_alias(), robust=True)
    return asked


@guard.guarded("replays")
def _tell() -> None:
    if in_test_run():
        return
    path = spool.directory() if settings().background == "command" else None
    if path is None:
        start()
    else:
        path.mkdir(parents=True, exist_ok=True)
        (path / FLAG).touch()


def _run(state: _State) -> None:
    while _wanted(state):
        try:
            _work(state.stop)
        finally:
            connections.close()


# Not ``guard()``: what the host logs meanwhile is not ours.
@guard.guarded("replays")
def _work(stop: threading.Event) -> None:
    work(stop)


def _wanted(state: _State) -> bool:
    with state.lock:
        wanted, state.wanted = state.wanted and not state.stop.is_set(), False
        if not wanted:
            state.thread = None
        return wanted


def _begin_afresh() -> None:
    global _state
    _state = _State()


os.register_at_fork(after_in_child=_begin_afresh)
atexit.register(lambda: end(threads.left_at_exit(END_WITHIN / 2)))
