"""Log records: those of ERROR and above are failures, the last ones of a request are the lines around.

Captured where records are made, by the log record factory. A handler on the root logger would silence
``logging.lastResort`` and turn the host's ``basicConfig()`` into a no-op; a factory changes nothing that is
logged.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from django.http import HttpRequest

from .. import context
from ..conf import settings
from ..pipeline import guard, messages, process
from . import failures
from .signals import RAISED

if TYPE_CHECKING:
    from ..records import Severity

#: Characters kept of a line around.
MAX_LINE = 500

# Django logs the end of a failed task here, ``(id, path, state)`` being the arguments.
_TASKS = "django.tasks"
# Statements with their parameters; only made in DEBUG.
_SQL = "django.db.backends"
# Responses of 5xx that no exception made.
_RESPONSES = "django.request"
_FRAMES_TO_DJANGO = 20


class _Probe(threading.local):
    seen = False


_probe = _Probe()
_PROBE_LEVEL = -1


def install() -> None:
    """Put our log record factory behind the one that is there. May be called again."""
    if not logging_installed():
        logging.setLogRecordFactory(capturing(logging.getLogRecordFactory()))


def logging_installed() -> bool:
    """Whether log records still pass by us: a host may set a factory of its own after start-up."""
    _probe.seen = False
    logging.getLogRecordFactory()("django_qaprod.probe", _PROBE_LEVEL, "", 0, "", (), None)
    return _probe.seen


def capturing(make: Callable[..., logging.LogRecord]) -> Callable[..., logging.LogRecord]:
    """Return a log record factory that makes records with ``make`` and looks at them."""

    def make_and_capture(*args: Any, **kwargs: Any) -> logging.LogRecord:
        record = make(*args, **kwargs)
        level: int | None = record.levelno
        if level is None:
            # An empty one of ``logging.makeLogRecord``, to be filled later.
            return record
        if level == _PROBE_LEVEL:
            _probe.seen = True
        elif level >= logging.ERROR or context.current() is not None:
            _capture(record)
        return record

    return make_and_capture


@guard.guarded("capture.logging")
def _capture(record: logging.LogRecord) -> None:
    if guard.inside() or not process.recording() or _ignored(record.name, settings().ignore_loggers):
        return
    if record.levelno >= logging.ERROR:
        _report(record)
    current = context.current()
    if current is not None:
        _remember(record, current)


def _report(record: logging.LogRecord) -> None:
    error = record.exc_info[1] if isinstance(record.exc_info, tuple) else None
    severity: Severity | None = "critical" if record.levelno >= logging.CRITICAL else None
    if record.name == _TASKS:
        if error is not None:
            failures().report_exception(error, kind="task", name=_task_name(record))
    elif record.name == _RESPONSES and _was_raised():
        # A handler's page that failed: Django logs its 500 without the error, or with the one it was for.
        return
    elif error is not None:
        failures().report_exception(
            error, kind="logged", severity=severity, extra={"logger": record.name[:200]}
        )
    else:
        with _serving(record):
            failures().report_log(record)


@contextmanager
def _serving(record: logging.LogRecord) -> Iterator[None]:
    """Give Django's word on a response of 5xx its request back: it comes when our middleware is done."""
    request = _request() if record.name == _RESPONSES and context.current() is None else None
    if request is None:
        yield
        return
    token = context.enter(context.Context(request))
    try:
        yield
    finally:
        context.leave(token)


def _was_raised() -> bool:
    request = _request()
    return request is not None and RAISED in vars(request)


def _request() -> HttpRequest | None:
    """Return the request that Django is logging about. The record does not have it yet: its maker has."""
    frame = sys._getframe(1)
    for _ in range(_FRAMES_TO_DJANGO):
        if frame.f_globals.get("__name__") == "django.utils.log":
            request = frame.f_locals.get("request")
            return request if isinstance(request, HttpRequest) else None
        if frame.f_back is None:
            break
        frame = frame.f_back
    return None


def _remember(record: logging.LogRecord, current: context.Context) -> None:
    lines = current.lines
    if lines is None:
        lines = current.lines = deque(maxlen=settings().lines_per_request)
    with guard.guard("capture.logging"):
        # Now, and not when there is a failure: what the arguments are may have changed by then.
        lines.append((record.created, record.levelname, record.name, messages.of_log(record)[:MAX_LINE]))


def _task_name(record: logging.LogRecord) -> str:
    arguments = record.args
    if isinstance(arguments, tuple) and len(arguments) > 1 and isinstance(arguments[1], str):
        return arguments[1]
    return ""


@lru_cache(maxsize=1024)
def _ignored(name: str, prefixes: tuple[str, ...]) -> bool:
    return any(name == prefix or name.startswith(f"{prefix}.") for prefix in (*prefixes, _SQL))
