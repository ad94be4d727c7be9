"""The frozen records that cross from capture to the sinks, and their form in a segment.

A record is one line: a JSON object, and for a failure, behind a tab, its frames as JSON text that
was rendered once for all errors with the same stack and is parsed only by who shows it.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from functools import lru_cache
from operator import attrgetter
from typing import Any, Final, Literal, TypeAlias

from .exceptions import RecordFormatError
from .text import JSONValue

FailureKind = Literal["unhandled", "degraded", "logged", "task", "command", "gauge", "replay"]
Severity = Literal["info", "warning", "error", "critical"]
#: Kinds of failures that belong to no request, but to what has a name in the host's code, and so are few.
NAMED: Final[frozenset[FailureKind]] = frozenset({"command", "gauge", "task"})
#: How the names of failures begin that a replay has met.
REPLAY_OF: Final = "replay of "
#: Where the extra of a failure has the id of the event that a Sentry client of the host's made of it; empty
#: if that made none.
SENTRY_EVENT: Final = "sentry_event"
Outcome = Literal["ok", "client_error", "server_error", "degraded", "aborted"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine:
    """A log record made shortly before a failure; ``at`` in seconds since the epoch."""

    at: float
    level: str
    logger: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainLink:
    """One exception of a chain. ``relation`` says how it came to be beside the one before it."""

    error_type: str
    message: str
    notes: tuple[str, ...] = ()
    relation: Literal["", "cause", "context", "group"] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureRecord:
    """One error that happened: an occurrence in the making. ``at`` in seconds since the epoch.

    ``stack`` is the digest of ``frames``; ``frames`` is JSON text: for each link of ``chain`` a list
    of frames, the innermost call last, each ``{"file", "line", "function", "module", "in_app",
    "before": [str], "code": str, "after": [str]}``.
    """

    id: str
    at: float
    kind: FailureKind
    severity: Severity
    fingerprint: str
    error_type: str
    message: str
    chain: tuple[ChainLink, ...] = ()
    stack: str = ""
    frames: str = "[]"
    culprit: str = ""
    name: str = ""
    served: bool = False
    critical: bool = False
    journey: str = ""
    subject: str = ""
    route: str = ""
    method: str = ""
    request_id: str = ""
    trace_id: str = ""
    span_id: str = ""
    user: str = ""
    browser: str = ""
    release: str = ""
    host: str = ""
    lines: tuple[LogLine, ...] = ()
    extra: dict[str, JSONValue] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """Numbers of one series in one minute. ``start`` is the minute in seconds since the epoch.

    ``histogram`` holds ``histogram.encode``'s bytes, empty when the series has none. Of a ``gauge``,
    ``count`` is how often it was read and ``total`` the sum of what was read; ``unit`` is in UCUM (``By``).
    """

    name: str
    label: str
    attributes: tuple[tuple[str, str], ...]
    start: int
    count: int
    total: float = 0.0
    minimum: float = 0.0
    maximum: float = 0.0
    histogram: bytes = b""
    gauge: bool = False
    unit: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exemplar:
    """One request out of a series of durations, by which a trace is found. ``value`` in seconds."""

    attributes: tuple[tuple[str, str], ...]
    at: float
    value: float
    trace_id: str
    span_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NumbersRecord:
    """What one process counted in at most five seconds. ``process`` tells those of a machine apart."""

    id: str
    at: float
    cells: tuple[Cell, ...]
    release: str = ""
    host: str = ""
    process: str = ""
    exemplars: tuple[Exemplar, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRecord:
    """A step taken by a subject. ``at`` in seconds since the epoch; ``once`` counts a subject once."""

    id: str
    at: float
    journey: str
    step: str
    subject: str
    variant: str = ""
    browser: str = ""
    request_id: str = ""
    release: str = ""
    once: bool = False
    properties: dict[str, JSONValue] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthRecord:
    """What went wrong inside us, by part: counted, with its last words. Never a failure of the host."""

    id: str
    at: float
    host: str
    process: str
    errors: dict[str, int] = field(default_factory=dict)
    dropped: dict[str, int] = field(default_factory=dict)
    words: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class FlagRecord:
    """A feature flag that was changed. ``note`` says to what."""

    id: str
    at: float
    name: str
    note: str = ""
    release: str = ""
    host: str = ""


Record: TypeAlias = FailureRecord | NumbersRecord | EventRecord | HealthRecord | FlagRecord

_TAGS: Final = {
    FailureRecord: "failure",
    NumbersRecord: "numbers",
    EventRecord: "event",
    HealthRecord: "health",
    FlagRecord: "flag",
}
_CLASSES: Final = {tag: cls for cls, tag in _TAGS.items()}
_NESTED: Final = {"chain": ChainLink, "lines": LogLine, "cells": Cell, "exemplars": Exemplar}
# Empty values are left out of a line; only a field with a default can be told from its absence.
_ALWAYS: Final = {
    cls: frozenset(spec.name for spec in fields(cls) if spec.default is spec.default_factory)
    for cls in (*_TAGS, *_NESTED.values())
}
# Made once: ``json.dumps`` makes one a call. What goes in is bounded in depth, so that it holds no circle.
_ENCODER: Final = json.JSONEncoder(separators=(",", ":"), check_circular=False)
# The fields of a failure that are the same for many: their text is remembered.
_STEADY: Final = (
    "kind", "severity", "error_type", "stack", "culprit", "name", "served", "critical", "journey",
    "route", "method", "browser", "release", "host",
)  # fmt: skip
_steady_of: Final = attrgetter(*_STEADY)
_VARYING: Final = tuple(spec.name for spec in fields(FailureRecord) if spec.name not in {*_STEADY, "frames"})
# Of a UUID's 128 bits, 48 are the time, 4 the version, 2 the variant, and all others chance.
_VERSION_7: Final = 7 << 76 | 2 << 62
_NOISE: Final = (1 << 80) - 1 & ~(0xF << 76 | 3 << 62)
_NOT_ASCII: Final = re.compile(r"[^\x00-\x7f]+")


def new_id(at: float | None = None) -> str:
    """Return a new record id: 32 hex digits in the layout of UUID version 7 (RFC 9562), sorted by time."""
    milliseconds = int((time.time() if at is None else at) * 1000) & 0xFFFFFFFFFFFF
    noise = int.from_bytes(os.urandom(10)) & _NOISE
    return f"{milliseconds << 80 | noise | _VERSION_7:032x}"


def first_id(at: float) -> str:
    """Return what sorts before every id of a time, in seconds since the epoch, and after those before it."""
    return f"{int(at * 1000) & 0xFFFFFFFFFFFF:012x}{'0' * 20}"


def encode(record: Record) -> bytes:
    """Return the record as one line of a segment, the newline included."""
    if isinstance(record, FailureRecord):
        varying = _ENCODER.encode(_members(record, _VARYING))
        line = f"{varying[:-1]},{_steady(_steady_of(record))}\t{_ascii(record.frames)}"
    else:
        line = _ENCODER.encode(_members(record, record.__slots__))
    return line.encode("ascii") + b"\n"


def decode(line: bytes) -> Record:
    """Return the record of one line, its newline included.

    Raises ``RecordFormatError`` for what is torn, foreign or of another version.
    """
    try:
        return _record(line)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise RecordFormatError(f"This line is not a record: {type(error).__name__}.") from error


def _record(line: bytes) -> Record:
    if not line.endswith(b"\n"):
        raise ValueError("torn")
    # As text: of bytes the parser would first find out the encoding.
    head, tab, frames = line[:-1].decode("ascii").partition("\t")
    data = json.loads(head)
    cls: Any = _CLASSES[data.pop("_")]
    for name, nested in _NESTED.items():
        if name in data:
            data[name] = tuple([nested(**_deep(name, item)) for item in data[name]])
    if tab:
        data["frames"] = frames
    record: Record = cls(**data)
    return record


def _ascii(frames: str) -> str:
    """Return JSON text in ASCII: what is not can only stand in a string, where it may be escaped."""
    return frames if frames.isascii() else _NOT_ASCII.sub(lambda found: json.dumps(found[0])[1:-1], frames)


@lru_cache(maxsize=1024)
def _steady(values: tuple[object, ...]) -> str:
    """Return the members of an object in which failures are alike, and its end, as JSON text."""
    always = _ALWAYS[FailureRecord]
    members = {name: value for name, value in zip(_STEADY, values, strict=True) if value or name in always}
    return _ENCODER.encode(members)[1:]


def _members(record: Record, names: Iterable[str]) -> dict[str, Any]:
    data = {"_": _TAGS[type(record)], **_flat(record, names)}
    for name in _NESTED:
        if name in data:
            data[name] = [_flat(item, item.__slots__) for item in data[name]]
    return data


def _flat(item: Record | LogLine | ChainLink | Cell | Exemplar, names: Iterable[str]) -> dict[str, Any]:
    """Return those of the fields that differ from nothing, and those that have no default."""
    always = _ALWAYS[type(item)]
    flat = {name: value for name in names if (value := getattr(item, name)) or name in always}
    if "histogram" in flat:
        flat["histogram"] = flat["histogram"].hex()
    return flat


def _deep(name: str, item: dict[str, Any]) -> dict[str, Any]:
    if name == "cells":
        item["attributes"] = tuple((key, value) for key, value in item["attributes"])
        item["histogram"] = bytes.fromhex(item.get("histogram", ""))
    elif name == "exemplars":
        item["attributes"] = tuple((key, value) for key, value in item["attributes"])
    elif name == "chain":
        item["notes"] = tuple(item.get("notes", ()))
    return item
