"""Log records as a host makes them, and what a formatter makes of them."""

from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django_qaprod.logs import ConsoleFormatter, JSONFormatter, KeyValueFormatter

FORMATTERS: dict[str, Callable[[], logging.Formatter]] = {
    "otel": JSONFormatter,
    "ecs": lambda: JSONFormatter(fields="ecs"),
    "keyvalue": KeyValueFormatter,
    "console": lambda: ConsoleFormatter(colours=False),
}

#: Splunk's automatic extraction, as its documentation describes ``KV_MODE = auto``: no escapes.
SPLUNK = re.compile(r'(?:^|\s)([A-Za-z_]\w*)=(?:"([^"]*)"|(\S+))')
#: ``logfmt``, as Loki and others read it: Go's escapes.
LOGFMT = re.compile(r'(?:^|\s)([A-Za-z_]\w*)=(?:"((?:[^"\\]|\\.)*)"|(\S+))')


class Keeping(logging.Handler):
    """Keeps the lines that a formatter makes, as a stream would get them."""

    def __init__(self, formatter: logging.Formatter | None = None) -> None:
        super().__init__()
        self.setFormatter(formatter or JSONFormatter(fields="ecs"))
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))

    @property
    def objects(self) -> list[dict[str, Any]]:
        """The lines of JSON as objects."""
        return [parsed(line) for line in self.lines]


@contextmanager
def kept(
    logger: str = "", *, formatter: logging.Formatter | None = None, level: int = logging.DEBUG
) -> Iterator[Keeping]:
    """Keep what a logger, and those below it, say in the block."""
    handler, listening = Keeping(formatter), logging.getLogger(logger)
    before = listening.level
    listening.addHandler(handler)
    listening.setLevel(level)
    try:
        yield handler
    finally:
        listening.removeHandler(handler)
        listening.setLevel(before)


def record(message: object, *arguments: object, **attributes: Any) -> logging.LogRecord:
    """Make a log record; ``extra`` and what else it may have are keywords."""
    extra = attributes.pop("extra", {})
    attributes = {"name": "jobs.views", "level": logging.INFO, "error": None, **attributes}
    error = attributes["error"]
    return logging.getLogger(attributes["name"]).makeRecord(
        attributes["name"],
        attributes["level"],
        "jobs/views.py",
        7,
        message,
        arguments,
        (type(error), error, error.__traceback__) if error is not None else None,
        extra=extra,
        sinfo=attributes.get("stack_info"),
    )


def raised(error: BaseException) -> BaseException:
    """Return the error, raised and caught."""
    try:
        raise error
    except BaseException:
        caught = sys.exc_info()[1]
        assert caught is not None
        return caught


def parsed(line: str) -> dict[str, Any]:
    """Return the object of a line; no key may be there twice, for each parser would take another."""
    found: dict[str, Any] = json.loads(line, object_pairs_hook=_once)
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    assert len(found) == len(pairs), pairs
    return found


def ecs(made: logging.LogRecord) -> dict[str, Any]:
    return parsed(JSONFormatter(fields="ecs").format(made))


def otel(made: logging.LogRecord) -> dict[str, Any]:
    return parsed(JSONFormatter().format(made))


def splunk(line: str) -> dict[str, str]:
    """Return the fields that Splunk finds: the first of each name."""
    found: dict[str, str] = {}
    for key, quoted, bare in SPLUNK.findall(line):
        found.setdefault(key, quoted or bare)
    return found
