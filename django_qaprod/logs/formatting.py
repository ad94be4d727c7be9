"""What all formatters share: they always write a line, and one record is one line."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from functools import lru_cache
from time import gmtime, strftime, time
from typing import Final

from .. import conf
from ..pipeline import scrub
from ..pipeline.guard import guarded
from . import lines
from .configuration import text_by_name

_UNKNOWN: Final = logging.LogRecord("django_qaprod", logging.WARNING, "", 0, "", None, None)


class Formatter(logging.Formatter):
    """A formatter of lines. ``resource`` are fields of every line, by which its source is known.

    ``service.name`` is one of them, if ``OTEL_SERVICE_NAME`` says it, and ``service.version``, which is
    ``QAPROD["RELEASE"]``, unless they are given. Raises ``DeclarationError`` if they are not text.
    """

    def __init__(self, *, resource: Mapping[str, str | None] | None = None) -> None:
        super().__init__()
        service = os.environ.get("OTEL_SERVICE_NAME", "")
        self._resource = {**({"service.name": service} if service else {}), **text_by_name(resource)}
        self._constant = ("", self.constant(self._resource))

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record. Never raises."""
        return self._formatted(record) or self.text(_UNKNOWN, lines.Line(time(), lines.UNSHOWABLE), "")

    @guarded("logs")
    def _formatted(self, record: logging.LogRecord) -> str:
        release, constant = self._constant
        if release != conf.known().release:
            release = conf.known().release
            constant = self.constant({"service.version": release, **self._resource})
            self._constant = (release, constant)
        return self.text(record, lines.of(record), constant)

    def text(self, record: logging.LogRecord, line: lines.Line, constant: str) -> str:
        """Return the text of a line."""
        raise NotImplementedError

    def constant(self, resource: Mapping[str, str]) -> str:
        """Return the part of the text that is the same on every line."""
        raise NotImplementedError


def utc(at: float) -> str:
    """Return a time in seconds since the epoch as RFC 3339 has it, to the microsecond."""
    second = int(at // 1)
    return f"{_second(second)}.{int((at - second) * 1_000_000):06d}Z"


@lru_cache(maxsize=8)
def _second(at: int) -> str:
    return strftime("%Y-%m-%dT%H:%M:%S", gmtime(at))


# Loggers are few, and nearly always modules.
@lru_cache(maxsize=1024)
def logger_name(name: str) -> str:
    """Return the name of a logger, which is not always the name of a module."""
    # Ours is for the line that is left when all else fails.
    return name if name == _UNKNOWN.name else scrub.text(name, 200)


def pid(record: logging.LogRecord) -> int:
    """Return the id of the process that made the record, 0 if it is not known."""
    return record.process if type(record.process) is int else 0


def printable(text: str) -> str:
    r"""Return the text with an escape in the place of each character that does not print.

    A line break becomes ``\n``, and what moves a terminal's cursor or turns the direction of writing is seen.
    """
    if text.isprintable():
        return text
    return "".join([char if char.isprintable() else _escaped(char) for char in text])


def _escaped(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")
