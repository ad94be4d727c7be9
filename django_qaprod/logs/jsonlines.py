"""Lines of JSON, with the names of the Elastic Common Schema or of OpenTelemetry's log data model.

In ASCII, whatever the locale of the stream: what is not stands there as an escape, which every parser reads.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from functools import lru_cache
from json.encoder import encode_basestring_ascii as quoted
from math import isfinite
from typing import Any, Final, Literal, NamedTuple

from ..text import JSONValue
from .configuration import chosen
from .formatting import Formatter, logger_name, pid, utc
from .lines import Line

#: https://www.elastic.co/guide/en/ecs/current/ecs-field-reference.html
ECS_VERSION: Final = "8.11.0"

_SEVERITIES: Final = (1, 5, 9, 13, 17, 21)
_encode: Final = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode


class _Names(dict[str, str]):
    """What begins a member, by our own name; what has no name of theirs is ``qaprod.*``."""

    def __init__(self, theirs: Mapping[str, str]) -> None:
        super().__init__({name: _begins(key) for name, key in theirs.items()})

    def __missing__(self, name: str) -> str:
        # Our own names are few.
        made = self[name] = _begins(f"qaprod.{name}")
        return made


def _begins(key: str) -> str:
    return f",{quoted(key)}:"


class _Vocabulary(NamedTuple):
    """Their names, and how they measure a duration."""

    names: _Names
    duration: Callable[[Any], float]
    #: Names that are no member of the object, because they have a place of their own.
    apart: Mapping[str, str]

    def members(self, line: Line) -> str:
        parts, names, apart = [], self.names, self.apart
        for name, value in line.fields():
            if type(value) is str:
                if name not in apart:
                    parts.append(names[name] + quoted(value))
            else:
                parts.append(names[name] + _value(self.duration(value) if name == "duration_ms" else value))
        for name, value in line.extras.items():
            parts.append(f",{quoted(f'extra.{name}')}:{_value(value)}")
        return "".join(parts)


_COMMON: Final = {
    "request_id": "http.request.id",
    "route": "http.route",
    "method": "http.request.method",
    "status": "http.response.status_code",
    "browser": "user_agent.name",
    "user_id": "user.id",
    "stack": "code.stacktrace",
    "occurrence_id": "qaprod.occurrence.id",
}
_ECS: Final = _Vocabulary(
    names=_Names(
        {
            **_COMMON,
            "trace_id": "trace.id",
            "span_id": "span.id",
            "event": "event.action",
            "duration_ms": "event.duration",
            "error_type": "error.type",
            "error_message": "error.message",
            "stack_trace": "error.stack_trace",
        }
    ),
    # In nanoseconds.
    duration=lambda milliseconds: round(milliseconds * 1_000_000),
    apart={},
)
# https://opentelemetry.io/docs/specs/semconv/registry/attributes/
_OTEL: Final = _Vocabulary(
    names=_Names(
        {
            **_COMMON,
            "duration_ms": "http.server.request.duration",
            "error_type": "exception.type",
            "error_message": "exception.message",
            "stack_trace": "exception.stacktrace",
        }
    ),
    # In seconds.
    duration=lambda milliseconds: round(milliseconds / 1000, 6),
    # https://opentelemetry.io/docs/specs/otel/logs/data-model/: these are no attributes.
    apart={"trace_id": "trace_id", "span_id": "span_id", "event": "event_name"},
)


class JSONFormatter(Formatter):
    """Write a record as one object of JSON on one line.

    ``fields`` chooses the names: ``"otel"`` (OpenTelemetry's log data model) or ``"ecs"`` (the Elastic Common
    Schema). What the code gave as ``extra`` is ``extra.*``, so that it changes the type of no other field.
    ``resource`` are fields of every line, ``{"service.name": "jobs"}`` for instance.

    Raises ``DeclarationError`` for other names.
    """

    def __init__(
        self, *, fields: Literal["otel", "ecs"] = "otel", resource: Mapping[str, str | None] | None = None
    ) -> None:
        layouts: Mapping[str, Callable[[logging.LogRecord, Line, str], str]] = {"otel": _otel, "ecs": _ecs}
        chosen("fields", fields, layouts)
        self._layout = layouts[fields]
        super().__init__(resource=resource)

    def text(self, record: logging.LogRecord, line: Line, constant: str) -> str:
        return self._layout(record, line, constant)

    def constant(self, resource: Mapping[str, str]) -> str:
        return "".join([f",{quoted(name)}:{quoted(value)}" for name, value in resource.items()])


def _ecs(record: logging.LogRecord, line: Line, constant: str) -> str:
    return (
        f'{{"@timestamp":"{utc(line.at)}","log.level":{quoted(record.levelname.lower())},'
        f'"message":{quoted(line.message)},"log.logger":{_logger(record.name)}{_ECS.members(line)},'
        f'"process.pid":{pid(record)}{constant},"ecs.version":"{ECS_VERSION}"}}'
    )


def _otel(record: logging.LogRecord, line: Line, constant: str) -> str:
    apart = ""
    for name, key in _OTEL.apart.items():
        if found := line.own.get(name) or line.surroundings.get(name):
            apart += f',"{key}":{_value(found)}'
    return (
        f'{{"timestamp":"{utc(line.at)}","severity_text":{quoted(record.levelname)},'
        f'"severity_number":{_SEVERITIES[min(max(record.levelno // 10, 0), 5)]},'
        f'"body":{quoted(line.message)}{apart},"scope":{{"name":{_logger(record.name)}}},'
        f'"resource":{{{constant[1:]}}},"attributes":{{"process.pid":{pid(record)}'
        f"{_OTEL.members(line)}}}}}"
    )


def _value(value: JSONValue) -> str:
    kind = type(value)
    if kind is str:
        return quoted(value)  # type: ignore[arg-type]
    return str(value) if kind is int or (kind is float and isfinite(value)) else _encode(value)  # type: ignore[arg-type]


@lru_cache(maxsize=1024)
def _logger(name: str) -> str:
    return quoted(logger_name(name))
