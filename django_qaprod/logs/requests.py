"""One line for each request, with all that is known about it, when it ends."""

from __future__ import annotations

import logging
import os
from collections import deque
from time import time
from typing import Final

from .. import context
from ..context import Context
from ..pipeline import guard, hooks, numbers
from .lines import ATTRIBUTE, Fields

logger = logging.getLogger("qaprod.request")

#: Outcomes of which the line is a WARNING: a visitor met what is broken here. Their cause is logged as ERROR.
TROUBLED: Final = frozenset({"server_error", "degraded"})
#: Lines that may wait until the next flush.
MAX_WAITING: Final = 1_000

_waiting: deque[tuple[Context, int, Fields]] = deque(maxlen=MAX_WAITING)


def install() -> None:
    """Log each request that is counted. May be called again."""
    if log not in hooks.request_witnesses:
        hooks.request_witnesses.append(log)
        hooks.before_flush.append(log_waiting)


def log(current: Context, key: numbers.RequestKey, seconds: float) -> None:
    """Log a request, at WARNING if it was in trouble, else at INFO."""
    route, method, status, outcome, browser = key
    level = logging.WARNING if outcome in TROUBLED else logging.INFO
    if not logger.isEnabledFor(level):
        return
    fields = Fields(route=route, method=method)
    if status:
        fields["status"] = status
    if current.degraded:
        fields["degradations"] = current.degraded
    fields["outcome"], fields["duration_ms"], fields["browser"] = outcome, round(seconds * 1000, 3), browser
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
    words = (
        f"{fields['method']} {fields['route']} {fields.get('status', '-')} {fields['outcome']} "
        f"in {fields['duration_ms']} ms"
    )
    token = context.enter(current)
    try:
        # Not by ``log``: it would look for who has called it, which is always us.
        logger.handle(
            logger.makeRecord(logger.name, level, __file__, 0, words, (), None, "log", {ATTRIBUTE: fields})
        )
    finally:
        context.leave(token)


# Its parent has them, too.
os.register_at_fork(after_in_child=_waiting.clear)
