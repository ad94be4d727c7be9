"""For hosts that log with structlog: the same context on each event, and no secrets in it."""

from __future__ import annotations

import sys
from collections.abc import MutableMapping
from typing import Any, Final

from .. import context
from ..pipeline import scrub
from ..pipeline.guard import guarded
from . import errors, surroundings
from .lines import storable

#: What we know for sure. Of the rest, what the host has bound by the same name stays.
_OURS: Final = ("request_id", "trace_id", "span_id")
_EXCEPTION: Final = "exc_info"


def structlog_processor(
    logger: Any, method_name: str, event_dict: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Add what is known about the request, command or task, and take secrets out of the event.

    A processor for structlog, to stand last but for the renderer. ``request_id`` is the one that failures and
    the other lines have, also where django-structlog has bound one of its own. ``exc_info`` becomes text
    under ``exception``. Objects that are no plain data are named by their type. Never raises.
    """
    _process(event_dict)
    return event_dict


@guarded("logs")
def _process(event: MutableMapping[str, Any]) -> None:
    around = surroundings.of_context(context.current())
    error = _error(event.get(_EXCEPTION))
    if error is not None:
        event["exception"] = errors.of(error, around).stack_trace
    for name, value in list(event.items()):
        # With an underscore before it, it is for structlog itself.
        if name != _EXCEPTION and not name.startswith("_"):
            plain = around.without_path_in(storable(value))
            event[name] = scrub.under(name, plain, limit=errors.MAX_STACK)
    event.pop(_EXCEPTION, None)
    for name, known in around.items():
        if name in _OURS or name not in event:
            event[name] = known


def _error(given: Any) -> BaseException | None:
    """Return the exception that ``exc_info`` stands for: it may be one, a tuple, or true."""
    if isinstance(given, BaseException):
        return given
    if isinstance(given, tuple):
        return given[1] if len(given) == 3 else None
    return sys.exc_info()[1] if given else None
