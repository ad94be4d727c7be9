"""One line for each request, with all that is known about it, when it ends."""

from __future__ import annotations

import logging
import os
from collections import deque
from time import time
from typing import Final

from .. import context
from ..context import Context
from ..pipeline import guard, numbers, process
from ..text import JSONValue
from .lines import ATTRIBUTE, Fields

logger = logging.getLogger("qaprod.request")

#: Outcomes of which the line is a WARNING: a visitor met what is broken here. Their cause is logged as ERROR.
TROUBLED: Final = frozenset({"server_error", "degraded"})
#: Lines that may wait until the next flush.
MAX_WAITING: Final = 1_000

_waiting: deque[tuple[Context, int, Fields]] = deque(maxlen=MAX_WAITING)


def install() -> None:
    """Log each request that is counted. May be called again."""
    if log not in process.request_witnesses:
        process.request_witnesses.append(log)
        process.before_flush.append(log_waiting)


def log(current: Context, key: numbers.RequestKey, seconds: float) -> None:
    """Log a request, at WARNING if it was in trouble, else at INFO."""
    route, method, status, outcome, browser = key
    level = logging.WARNING if outcome in TROUBLED else logging.INFO
    if not logger.isEnabledFor(level):
        return
    fields = Fields(
        route=route,
        method=method,
        **_known(status=status, degradations=current.degraded),
        outcome=outcome,
        duration_ms=round(seconds * 1000, 3),
        browser=browser,
    )
    if not current.dropped:
        _log(current, level, fields)
        return
    # In a destructor: whatever this thread was in the middle of may hold a handler's lock.
    if len(_waiting) == MAX_WAITING:
        guard.dropped("logs.requests")
    fields["at"] = time()
    _waiting.append((current, level, fields))


def log_waiting() -> None:
    """Log the requests whose streams were let go of."""
    while _waiting:
        _log(*_waiting.popleft())


def _log(current: Context, level: int, fields: Fields) -> None:
    words = "%(method)s %(route)s %(status)s %(outcome)s in %(duration_ms)s ms"
    token = context.enter(current)
    try:
        logger.log(level, words, {"status": "-", **fields}, extra={ATTRIBUTE: fields})
    finally:
        context.leave(token)


def _known(**fields: JSONValue) -> dict[str, JSONValue]:
    return {name: value for name, value in fields.items() if value}


# Its parent has them, too.
os.register_at_fork(after_in_child=_waiting.clear)
