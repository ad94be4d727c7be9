"""Where errors of our own are caught: counted, logged at a bounded rate, never raised into the host."""

from __future__ import annotations

import logging
import threading
import traceback as tracebacks
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, wraps
from time import monotonic
from types import TracebackType
from typing import ParamSpec, TypeVar

from .. import Plain
from ..text import one_line

P = ParamSpec("P")
R = TypeVar("R")

logger = logging.getLogger("django_qaprod")

#: One log line a part and minute: a broken disk must not fill the disk with words about it.
LOG_EVERY = 60.0
#: Characters of an error's message that are kept.
MAX_WORDS = 300


class Tally(Plain):
    """What went wrong since the last ``take``: by part, errors caught, records dropped, the last words."""

    errors: dict[str, int]
    dropped: dict[str, int]
    last_error: str
    words: dict[str, str]


class _Inside(threading.local):
    depth = 0
    # How many of those are blocks of ``ours``.
    ours = 0


class _Counts:
    def __init__(self) -> None:
        # Re-entrant: a signal handler or a destructor may come in between and have something to count.
        self.lock = threading.RLock()
        self.logged_at: dict[str, float] = {}
        self.clear()

    def clear(self) -> None:
        self.errors: Counter[str] = Counter()
        self.dropped: Counter[str] = Counter()
        self.last_error = ""
        self.words: dict[str, str] = {}


_inside = _Inside()
_counts = _Counts()


class Guard:
    """A reusable context manager that lets no ``Exception`` of its block out."""

    __slots__ = ("part",)

    def __init__(self, part: str) -> None:
        self.part = part

    def __enter__(self) -> None:
        _inside.depth += 1

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        _inside.depth -= 1
        if not isinstance(error, Exception):
            return False
        caught(self.part, error)
        return True


@cache
def guard(part: str) -> Guard:
    """Return the guard of a part. Log records made inside are ignored by our own capture; see ``theirs``."""
    return Guard(part)


def guarded(part: str) -> Callable[[Callable[P, R]], Callable[P, R | None]]:
    """Make a function return ``None`` where it would raise. For hot paths: cheaper than ``guard``."""

    def decorate(function: Callable[P, R]) -> Callable[P, R | None]:
        @wraps(function)
        def wrapper(*args: P.args, **kwargs: P.kwargs) -> R | None:
            try:
                return function(*args, **kwargs)
            except Exception as error:  # noqa: BLE001 - this is the guard
                caught(part, error)
                return None

        return wrapper

    return decorate


def inside() -> bool:
    """Whether this thread is in code of ours, so that nothing it does is recorded again."""
    return _inside.depth > 0


def inside_ours() -> bool:
    """Whether this thread is in a block of ``ours``; within a guard alone it may be in code of the host's."""
    return _inside.ours > 0


@contextmanager
def ours() -> Iterator[None]:
    """Mark what happens in the block as ours, without catching anything."""
    _inside.depth += 1
    _inside.ours += 1
    try:
        yield
    finally:
        _inside.depth -= 1
        _inside.ours -= 1


@contextmanager
def theirs() -> Iterator[None]:
    """Mark what happens in the block as the host's, within guards too: what it logs is captured.

    For what we call of the host's, but nothing that is called on account of what was captured (a fingerprint,
    a sink, a channel): for that it would be called again. Not to be held over an ``await``.
    """
    depth, ours = _inside.depth, _inside.ours
    _inside.depth = _inside.ours = 0
    try:
        yield
    finally:
        _inside.depth, _inside.ours = depth, ours


def caught(part: str, error: Exception) -> None:
    """Count an error of our own and log it, unless this part did so within the last minute."""
    # Not under the lock: a message may be made by code of the host's.
    words = one_line(f"{part}: {type(error).__name__}: {words_of(error)}", MAX_WORDS + 100)
    with _counts.lock:
        _counts.errors[part] += 1
        _counts.last_error = _counts.words[part] = words
        now = monotonic()
        due = now - _counts.logged_at.get(part, -LOG_EVERY) >= LOG_EVERY
        if due:
            _counts.logged_at[part] = now
    if due:
        _log(words, error)


def dropped(part: str, n: int = 1) -> None:
    """Count records that were given up, by the part and reason (``"spool.full"``)."""
    with _counts.lock:
        _counts.dropped[part] += n


def take() -> Tally | None:
    """Return what went wrong since the last call and begin anew; ``None`` when all was well."""
    if not _counts.errors and not _counts.dropped:
        return None
    with _counts.lock:
        tally = Tally(
            errors=dict(_counts.errors),
            dropped=dict(_counts.dropped),
            last_error=_counts.last_error,
            words=dict(_counts.words),
        )
        _counts.clear()
    return tally


def reset_after_fork() -> None:
    """Begin anew in a child process: the parent reports its own counts, and its lock may be held."""
    global _counts, _inside
    _counts = _Counts()
    _inside = _Inside()


def words_of(error: Exception) -> str:
    """Return what the error says, without secrets, bounded: databases repeat the values they were given."""
    try:
        with ours():
            # Not at every start of the host: its patterns are many.
            from . import scrub

            return scrub.text(str(error), MAX_WORDS)
    except Exception:  # noqa: BLE001 - this is the guard
        return "(its message cannot be shown)"


def _log(words: str, error: Exception) -> None:
    _inside.depth += 1
    try:
        # Not as ``exc_info``: that would write out the message as it is, and those it came from.
        places = "".join(tracebacks.format_tb(error.__traceback__)).rstrip()
        logger.warning("%s; the host was left alone.\n%s", words.removesuffix("."), places)
    except Exception:  # noqa: BLE001, S110 - this is the guard
        # A handler of the host's that raises: the error is counted already, and there is nobody left to tell.
        pass
    finally:
        _inside.depth -= 1
