"""What errors and log records say, rendered without asking the host's objects more than they can bear.

``str()`` of an argument may run SQL, raise, or be a gigabyte. So what is not plain data is named by its
type, long text is cut before it is formatted, and a ``__str__`` of the host's own runs under a guard that
lets no query through.
"""

from __future__ import annotations

import builtins
import datetime
import decimal
import enum
import logging
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import PurePath
from typing import Any, Final

from django.conf import settings
from django.db import connections
from django.utils.functional import Promise

from ..exceptions import QAProdError
from ..text import clean_json
from .guard import guarded

#: Characters of a message that are looked at.
MAX_MESSAGE: Final = 4_000
MAX_NOTES: Final = 10
_MAX_ARGUMENT: Final = 1_000
_MAX_ARGUMENTS: Final = 10
_MAX_DEPTH: Final = 3

UNSHOWABLE: Final = "(its message cannot be shown)"

_PLAIN: Final = frozenset({str, int, float, bool, type(None), bytes})
# Their ``__str__`` is Python's own; a subclass could have another.
_WORTH_SHOWING: Final = frozenset(
    {decimal.Decimal, uuid.UUID, datetime.datetime, datetime.date, datetime.time, datetime.timedelta}
)
_CONTAINERS: Final = frozenset({tuple, list, dict, set, frozenset})
# The implementations of ``__str__`` that look at nothing but ``args`` and text attributes.
_BUILT_IN: Final = frozenset(
    vars(error)["__str__"]
    for error in vars(builtins).values()
    if isinstance(error, type) and issubclass(error, BaseException) and "__str__" in vars(error)
)
_OF_ONE_BYTE: Final = frozenset({UnicodeDecodeError.__str__, UnicodeEncodeError.__str__})


class QueryRefusedError(QAProdError):
    """A message wanted to ask the database while it was rendered."""


def of_exception(error: BaseException, depth: int = _MAX_DEPTH) -> str:
    """Return what the exception says, bounded, without a query, whatever its ``__str__`` does."""
    renderer = type(error).__str__
    if renderer not in _BUILT_IN:
        return _own_words(error)
    if all(map(_is_plain, error.args)):
        return _plain_words(error, renderer)
    if isinstance(error, BaseExceptionGroup):
        return f"{_shown(error.args[0], depth)} ({len(error.exceptions)} exceptions)"
    if len(error.args) == 1:
        return _shown(error.args[0], depth)
    shown = [
        repr(_cut(argument)) if type(argument) is str else _shown(argument, depth)
        for argument in error.args[:_MAX_ARGUMENTS]
    ]
    return f"({', '.join(shown)})"


def notes_of(error: BaseException) -> tuple[str, ...]:
    """Return the notes that were added to the exception."""
    notes = error.__dict__.get("__notes__")
    if not isinstance(notes, (list, tuple)):
        return ()
    return tuple(_shown(note, 1) for note in notes[:MAX_NOTES])


def of_log(record: logging.LogRecord) -> str:
    """Return the log record's message, bounded, without a query."""
    template, arguments = record.msg, record.args
    if type(template) is not str:
        template = _shown(template, _MAX_DEPTH)
    if not arguments:
        return template[:MAX_MESSAGE]
    template = template[:MAX_MESSAGE]
    if type(arguments) is tuple and all(map(_is_plain, arguments)) and not any(map(_is_long, arguments)):
        return _formatted(template, arguments)
    return _formatted(template, _stand_ins(arguments))


def template_of(record: logging.LogRecord) -> str:
    """Return the log record's message before its arguments are put in: alike for alike records."""
    return record.msg if type(record.msg) is str and record.args else of_log(record)


def without_path(words: str, path: str, route: str) -> str:
    """Return the words with the route in the place of the path: paths hold keys, names and reset tokens."""
    if path in words:
        words = words.replace(path, route)
    if not path.isascii():
        # Django escapes the paths that it logs.
        words = words.replace(path.encode("unicode_escape").decode("ascii"), route)
    return words


def _plain_words(error: BaseException, renderer: Callable[[BaseException], str]) -> str:
    # A UnicodeError shows one byte of the text that it holds, however long.
    if any(map(_is_long, error.args)) and renderer not in _OF_ONE_BYTE:
        return ", ".join(_shown(argument, 1) for argument in error.args[:_MAX_ARGUMENTS])
    return (_str(error) or "")[:MAX_MESSAGE]


def _own_words(error: BaseException) -> str:
    with queries_refused():
        words = _str(error)
    return UNSHOWABLE if words is None else words[:MAX_MESSAGE]


@guarded("messages")
def _str(value: object) -> str:
    return str.__str__(str(value))


def _formatted(template: str, arguments: Any) -> str:
    try:
        words: str = template % arguments
    except (TypeError, ValueError, KeyError, OverflowError):
        return template
    return words[:MAX_MESSAGE]


def _stand_ins(arguments: Any) -> Any:
    if issubclass(type(arguments), Mapping):
        return {key: _stand_in(value) for key, value in list(arguments.items())[:100] if isinstance(key, str)}
    return tuple(map(_stand_in, arguments)) if type(arguments) is tuple else (_stand_in(arguments),)


def _stand_in(value: object) -> object:
    """Return what may take the value's place in a ``%`` template: numbers stay numbers, for ``%d``."""
    if type(value) in (int, float, bool, decimal.Decimal):
        return value
    return _shown(value, _MAX_DEPTH)


def _shown(value: Any, depth: int) -> str:
    # By its type alone: ``isinstance`` asks ``__class__``, and a lazy ``request.user`` runs a query for that.
    kind = type(value)
    if issubclass(kind, str):
        return _cut(str.__str__(value))
    if issubclass(kind, bytes):
        return repr(bytes(value[:_MAX_ARGUMENT]))
    if kind in _PLAIN or kind in _WORTH_SHOWING or issubclass(kind, PurePath):
        return _cut(_str(value) or "")
    if issubclass(kind, enum.Enum):
        return f"{kind.__qualname__}.{value.name}"
    if issubclass(kind, BaseException) and depth > 0:
        return of_exception(value, depth - 1)
    if issubclass(kind, Promise):
        return _translated(value)
    if issubclass(kind, type):
        return f"<class {value.__qualname__}>"
    if kind in _CONTAINERS:
        return _cut(repr(clean_json(value, limit=200, depth=2)))
    return f"<{kind.__qualname__}>"


def _translated(value: Promise) -> str:
    with queries_refused():
        words = _str(value)
    return UNSHOWABLE if words is None else _cut(words)


def _cut(words: str) -> str:
    return words if len(words) <= _MAX_ARGUMENT else words[:_MAX_ARGUMENT] + "…"


def _is_plain(value: object) -> bool:
    return type(value) in _PLAIN


def _is_long(value: object) -> bool:
    return type(value) in (str, bytes) and len(value) > _MAX_ARGUMENT  # type: ignore[arg-type]


@contextmanager
def queries_refused() -> Iterator[None]:
    """Refuse every query on the connections that this thread has; others no object was loaded by.

    Raises ``QueryRefusedError`` in the block, where one is asked.
    """
    # Before Django has read the settings there is none, and asking for them would make it read them.
    open_ones = connections.all(initialized_only=True) if settings.configured else ()
    wrapped = [(connection, len(connection.queries_log)) for connection in open_ones]
    for connection, _ in wrapped:
        connection.execute_wrappers.append(_refuse)
    try:
        yield
    finally:
        for connection, logged in wrapped:
            connection.execute_wrappers.remove(_refuse)
            # In DEBUG and ``assertNumQueries`` those that were refused are counted, too.
            while len(connection.queries_log) > logged:
                connection.queries_log.pop()


def _refuse(*args: object) -> None:
    raise QueryRefusedError("The message of an error may not ask the database.")
