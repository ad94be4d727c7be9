"""The log: one line per failure and event, for those who collect logs anyway."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator

from ..records import EventRecord, FailureRecord, HealthRecord, NumbersRecord, Record
from ..typing import Batch

#: Every line has this name; capture never records it, so that a line makes no failure.
LOGGER = "qaprod"

_LEVELS = {
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
    "critical": logging.CRITICAL,
}
_FAILURE = (
    "id", "at", "kind", "severity", "error_type", "message", "culprit", "name", "served", "journey",
    "subject", "route", "method", "request_id", "trace_id", "user", "browser", "release", "host",
    "fingerprint",
)  # fmt: skip
_EVENT = (
    "id",
    "at",
    "journey",
    "step",
    "subject",
    "variant",
    "browser",
    "request_id",
    "release",
    "properties",
)
_HEALTH = ("id", "at", "host", "process", "errors", "dropped", "last_error")


class LogSink:
    """Write each failure at its severity, each event at INFO and our own troubles at WARNING.

    The message is a word and one JSON object on one line; the same fields are under ``qaprod`` in the log
    record's ``extra``, for formatters that write JSON themselves. Of numbers there is one line per batch, at
    DEBUG. A batch that comes again after a crash is written again.
    """

    name = "log"
    inline = True

    def __init__(self) -> None:
        self._logger = logging.getLogger(LOGGER)

    def write(self, batch: Batch) -> None:
        """Write the lines. Never fails: ``logging`` keeps the errors of handlers to itself."""
        for level, word, fields in _lines(batch.records):
            if self._logger.isEnabledFor(level):
                self._logger.log(level, "%s %s", word, json.dumps(fields), extra={"qaprod": fields})

    def close(self) -> None:
        """There is nothing to let go of."""


def _lines(records: tuple[Record, ...]) -> Iterator[tuple[int, str, dict[str, object]]]:
    cells = requests = 0
    for record in records:
        if isinstance(record, FailureRecord):
            yield _LEVELS[record.severity], "failure", _fields(record, _FAILURE)
        elif isinstance(record, EventRecord):
            yield logging.INFO, "event", _fields(record, _EVENT)
        elif isinstance(record, HealthRecord):
            yield logging.WARNING, "health", _fields(record, _HEALTH)
        elif isinstance(record, NumbersRecord):
            cells += len(record.cells)
            requests += sum(
                cell.count for cell in record.cells if cell.name == "http.server.request.duration"
            )
    if cells:
        yield logging.DEBUG, "numbers", {"cells": cells, "requests": requests}


def _fields(record: Record, names: tuple[str, ...]) -> dict[str, object]:
    return {name: value for name in names if (value := getattr(record, name)) not in ("", {})}
