"""The log: one line per failure and event, for those who collect logs anyway."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator

from ..logs.lines import ATTRIBUTE, Fields
from ..records import EventRecord, FailureRecord, FlagRecord, HealthRecord, NumbersRecord, Record
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
    "subject", "route", "method", "request_id", "trace_id", "span_id", "user", "browser", "release", "host",
    "fingerprint",
)  # fmt: skip
_EVENT = (
    "id", "at", "journey", "step", "subject", "variant", "browser", "request_id", "release", "properties",
)  # fmt: skip
_FLAG = ("id", "at", "name", "note", "release", "host")
_HEALTH = ("id", "at", "host", "process", "errors", "dropped", "words")
# Lines have other names for some, by which all that tell of a failure are found.
_RENAMED = {"message": "error_message", "user": "user_id", "host": "machine"}


class LogSink:
    """Write each failure at its severity, each event at INFO and our own troubles at WARNING.

    The message is a word and one JSON object on one line; the same fields are under ``qaprod`` in the log
    record's ``extra``, for formatters that write them themselves, as those of ``django_qaprod.logs`` do, with
    a message for people beside them. Of numbers there is one line per batch, at DEBUG. A batch that comes
    again after a crash is written again.
    """

    name = "log"
    inline = True

    def __init__(self) -> None:
        self._logger = logging.getLogger(LOGGER)

    def write(self, batch: Batch) -> None:
        """Write the lines. Never fails: ``logging`` keeps the errors of handlers to itself."""
        for level, word, fields in _lines(batch.records):
            if self._logger.isEnabledFor(level):
                fields.words = f"{word} {fields.words}".strip()
                self._logger.log(level, "%s %s", word, json.dumps(fields), extra={ATTRIBUTE: fields})

    def close(self) -> None:
        """There is nothing to let go of."""


def _lines(records: tuple[Record, ...]) -> Iterator[tuple[int, str, Fields]]:
    cells = requests = 0
    for record in records:
        if isinstance(record, FailureRecord):
            words = f"{record.error_type}: {record.message}"
            yield _LEVELS[record.severity], "failure", _fields(record, _FAILURE, words, id="occurrence_id")
        elif isinstance(record, EventRecord):
            yield logging.INFO, "event", _fields(record, _EVENT, f"{record.journey}.{record.step}")
        elif isinstance(record, FlagRecord):
            yield logging.INFO, "flag", _fields(record, _FLAG, f"{record.name}: {record.note}")
        elif isinstance(record, HealthRecord):
            yield logging.WARNING, "health", _fields(record, _HEALTH, "; ".join(record.words.values()))
        elif isinstance(record, NumbersRecord):
            cells += len(record.cells)
            requests += sum(
                cell.count for cell in record.cells if cell.name == "http.server.request.duration"
            )
    if cells:
        yield logging.DEBUG, "numbers", Fields(cells=cells, requests=requests)


def _fields(record: Record, names: tuple[str, ...], words: str, **renamed: str) -> Fields:
    called = {**_RENAMED, **renamed}
    known = ((name, getattr(record, name)) for name in names)
    fields = Fields({called.get(name, name): value for name, value in known if value not in ("", {})})
    fields.words = words
    return fields
