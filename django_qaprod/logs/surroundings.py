"""What is known about what was being served when a log record was made."""

from __future__ import annotations

import logging
from functools import lru_cache
from typing import Any

from .. import conf, context
from ..pipeline import messages, scrub
from ..pipeline.guard import guarded
from ..pipeline.identity import user_of
from ..text import JSONValue, clean_json

#: What a record may know, by the names that the filter gives it.
NAMES = (
    "request_id",
    "trace_id",
    "span_id",
    "route",
    "user_id",
    "journey",
    "subject",
    "command",
    "task",
    "gauge",
)
#: The attribute of a record under which the filter keeps it for our own formatters.
ATTRIBUTE = "qaprod_context"

# What the official instrumentation of ``logging`` puts on each record; "0" stands for none.
_TRACE, _SPAN = "otelTraceID", "otelSpanID"

_SCALARS = frozenset({int, float, bool, type(None)})


class Surroundings(dict[str, str]):
    """What is known, by name, without what is not. ``path`` is what was asked for, if that was much."""

    path = ""

    def without_path(self, words: str) -> str:
        """Return the words with the route in the place of the path."""
        if not self.path:
            return words
        return messages.without_path(words, self.path, self.get("route", context.UNMATCHED))

    def without_path_in(self, value: object) -> object:
        """Return a value without the path in any text of it, as plain data if it was looked through."""
        if not self.path or type(value) in _SCALARS:
            return value
        if type(value) is str:
            return self.without_path(value)
        return self._without_path_in(clean_json(value, limit=scrub.MAX_TEXT))

    def _without_path_in(self, value: JSONValue) -> JSONValue:
        if isinstance(value, str):
            return self.without_path(value)
        if isinstance(value, list):
            return [self._without_path_in(item) for item in value]
        if isinstance(value, dict):
            return {self.without_path(key): self._without_path_in(item) for key, item in value.items()}
        return value


class ContextFilter(logging.Filter):
    """Put what is known about the request, command or task on each record, for formatters of any kind.

    ``%(request_id)s``, ``trace_id``, ``span_id``, ``route``, ``user_id`` (as ``QAPROD["USER_IDS"]`` has it),
    ``journey``, ``subject``, ``command``, ``task`` and ``gauge`` are there on every record, as empty text
    where there is nothing. What the record has by that name already, from ``extra``, stays.

    It belongs on handlers: on a logger it sees only what is logged by that very name. Our own formatters do
    without it, except behind a ``QueueHandler``, where they work in another thread.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        given = record.__dict__
        if type(given.get(ATTRIBUTE)) is not Surroundings:
            found = given[ATTRIBUTE] = _found(record) or Surroundings()
            for name in NAMES:
                given.setdefault(name, found.get(name, ""))
        return True


@guarded("logs")
def _found(record: logging.LogRecord) -> Surroundings:
    return of(record)


def of(record: logging.LogRecord) -> Surroundings:
    """Return what is known about what was being served when the record was made."""
    given = record.__dict__
    kept = given.get(ATTRIBUTE)
    if type(kept) is Surroundings:
        return kept
    found = of_context(context.current() or _of_request(given.get("request")))
    if given.get(_TRACE, "0") != "0":
        found["trace_id"], found["span_id"] = str(given[_TRACE]), str(given.get(_SPAN, ""))
    return found


def of_context(current: context.Context | None) -> Surroundings:
    """Return what is known about what is being served."""
    found = Surroundings()
    if current is None:
        return found
    found["request_id"] = current.request_id
    if trace := current.trace_id:
        found["trace_id"], found["span_id"] = trace, current.span_id
    request = current.request
    if request is not None:
        found.path = request.path if len(request.path) > 2 else ""
        # Before the URL is resolved there is no route yet.
        if (route := current.route) != context.UNMATCHED:
            found["route"] = route
        if user := user_of(request):
            found["user_id"] = user
    elif current.name:
        found[current.kind] = current.name
    if current.journey:
        found["journey"] = current.journey
        found["subject"] = scrubbed(current.subject)
    return found


def scrubbed(subject: str) -> str:
    """Return a subject's key as lines have it."""
    # Where there is a subject, settings have been read.
    own = conf.settings()
    return _scrubbed(subject, own.scrub_keys, own.scrub_patterns)


# All lines of a request have the same. What the scrubber goes by is part of the key.
@lru_cache(maxsize=256)
def _scrubbed(subject: str, *settings: tuple[str, ...]) -> str:
    return scrub.text(subject, 200)


def _of_request(request: Any) -> context.Context | None:
    """Return the context of a request about which Django logs when the middleware is done with it."""
    if request is None:
        return None
    from django.http import HttpRequest

    # By its type alone. The development server has a socket there.
    return context.Context(request) if issubclass(type(request), HttpRequest) else None
