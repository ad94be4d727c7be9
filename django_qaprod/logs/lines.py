"""What a log record says, without secrets, as plain data that each formatter writes in its own way."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from math import isfinite
from typing import Any, Final, NamedTuple

from ..pipeline import messages, scrub
from ..pipeline.guard import guarded
from ..text import ELLIPSIS, MAX_INTEGER, JSONValue, clean_json
from . import errors, surroundings
from .surroundings import Surroundings

#: Characters of a message.
MAX_MESSAGE: Final = scrub.MAX_TEXT
#: How many extras of a record are written, and how many characters they may take together.
MAX_EXTRAS: Final = 50
MAX_EXTRAS_CHARACTERS: Final = 10_000

#: The attribute of a record under which our own loggers have their fields.
ATTRIBUTE: Final = "qaprod"
UNSHOWABLE: Final = "(this record cannot be shown)"

# What every record has, what Django and uvicorn add that is no data, and the ids that are known otherwise.
_EVERY: Final = logging.LogRecord("", 0, "", 0, "", (), None).__dict__
_USUAL: Final = len(_EVERY)
_NO_EXTRAS: Final = frozenset(
    {
        *_EVERY,
        *("message", "asctime", "taskName", "request", "server_time", "color_message"),
        *(surroundings.ATTRIBUTE, "otelTraceID", "otelSpanID", "otelTraceSampled", "otelServiceName"),
    }
)


class Fields(dict[str, JSONValue]):
    """The fields of a record that we make ourselves, of what is scrubbed already: written as they are.

    ``at`` among them is when it happened, in seconds since the epoch, if that is not when it is logged.
    ``words`` is the message for formatters that write the fields, too.
    """

    words = ""


class Line(NamedTuple):
    """What a record says. ``own`` are the fields of our own loggers, ``stack`` is where it was logged.

    ``own`` goes before ``surroundings``: it may tell of another request than is served.
    """

    at: float
    message: str
    surroundings: Mapping[str, str] = {}
    own: Mapping[str, JSONValue] = {}
    extras: Mapping[str, JSONValue] = {}
    error: errors.Told | None = None
    stack: str = ""

    def fields(self) -> Iterator[tuple[str, JSONValue]]:
        """Yield all that has a name of ours, by that name, the longest at the end; the extras have theirs."""
        own = self.own
        if own:
            yield from [field for field in self.surroundings.items() if field[0] not in own]
            yield from [field for field in own.items() if field[0] != "at"]
        else:
            yield from self.surroundings.items()
        if self.error is not None:
            yield from [field for field in self.error._asdict().items() if field[1]]
        if self.stack:
            yield "stack", self.stack


def of(record: logging.LogRecord) -> Line:
    """Return what the record says."""
    given = record.__dict__
    around = surroundings.of(record)
    own = given.get(ATTRIBUTE)
    if type(own) is Fields:
        at: Any = own.get("at", record.created)
        return Line(at, own.words or record.getMessage(), around, own)
    # To ask for the names takes longer than all else here.
    has_extras = len(given) != _USUAL and bool(given.keys() - _NO_EXTRAS)
    return Line(
        record.created,
        _message(record, around),
        around,
        {},
        _extras(given, around) if has_extras else {},
        _error(record, around) if record.exc_info or record.exc_text else None,
        _end(record.stack_info, around) if record.stack_info else "",
    )


def storable(value: object) -> object:
    """Return a value, and nothing in the place of each number that a store cannot hold.

    That is what is no number (RFC 8259), and a whole one beyond 64 bits. As text it would make a store
    refuse the line, whose field is one of numbers. What may have some in it comes back as plain data.
    """
    # By its type alone: for ``isinstance`` a lazy ``request.user`` would run a query.
    kind = type(value)
    if kind is str:
        return value
    if issubclass(kind, float):
        return value if isfinite(float.__float__(value)) else None  # type: ignore[arg-type]
    if issubclass(kind, int):
        return value if -MAX_INTEGER <= int.__int__(value) <= MAX_INTEGER else None  # type: ignore[arg-type]
    if issubclass(kind, (Mapping, list, tuple, set, frozenset)):
        return clean_json(value, limit=scrub.MAX_TEXT, strict_numbers=True)
    return value


def _message(record: logging.LogRecord, around: Surroundings) -> str:
    words = _in_full(record)
    if words is None:
        words = messages.of_log(record)
    return scrub.text(around.without_path(words), MAX_MESSAGE)


@guarded("logs.message")
def _in_full(record: logging.LogRecord) -> str:
    return str.__str__(record.getMessage())


def _extras(given: Mapping[str, Any], around: Surroundings) -> dict[str, JSONValue]:
    filtered = surroundings.ATTRIBUTE in given
    extras: dict[str, JSONValue] = {}
    left = MAX_EXTRAS_CHARACTERS
    for name, value in given.items():
        if name in _NO_EXTRAS or type(name) is not str or name.startswith("_"):
            continue
        if filtered and _is_from_filter(name, value, around):
            continue
        if len(extras) == MAX_EXTRAS:
            break
        found = scrub.under(name, around.without_path_in(storable(value)))
        left -= len(found) if type(found) is str else len(repr(found))
        extras[name if name.isidentifier() else scrub.text(name, 100)] = found if left >= 0 else ELLIPSIS
    return extras


def _is_from_filter(name: str, value: object, around: Surroundings) -> bool:
    return name in surroundings.NAMES and type(value) is str and value == around.get(name, "")


def _error(record: logging.LogRecord, around: Surroundings) -> errors.Told | None:
    error = record.exc_info[1] if isinstance(record.exc_info, tuple) else None
    if isinstance(error, BaseException):
        return errors.of(error, around)
    if not record.exc_text:
        return None
    # It comes from another process, or through a queue.
    return errors.Told(stack_trace=_end(record.exc_text, around))


def _end(text: str, around: Surroundings) -> str:
    """Return the end of a long text, in whole lines: half a line might be a secret without its name."""
    if len(text) > scrub.MAX_TEXT:
        text = text[-scrub.MAX_TEXT :].partition("\n")[2]
    return scrub.text(around.without_path(text), scrub.MAX_TEXT)
