"""Lines for people at a terminal."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Mapping
from time import localtime, strftime
from typing import Final

from . import keyvalue
from .formatting import Formatter, logger_name, printable
from .lines import Line

_RESET, _DIM, _BOLD = "\x1b[0m", "\x1b[2m", "\x1b[1m"
_COLOURS: Final = ((logging.ERROR, "\x1b[31m"), (logging.WARNING, "\x1b[33m"), (logging.INFO, "\x1b[32m"))
# Told by what stands below the line.
_BELOW: Final = frozenset({"error_type", "error_message", "stack_trace", "stack"})


class ConsoleFormatter(Formatter):
    """Write a record as a person reads it: time, level, logger, message, and what is known besides.

    A traceback stands below, indented, so that no line of it can pass for a record. ``colours`` (default: if
    standard output is a terminal, ``NO_COLOR`` is not set and ``TERM`` is not ``dumb``) colours the level.
    """

    def __init__(
        self, *, resource: Mapping[str, str | None] | None = None, colours: bool | None = None
    ) -> None:
        super().__init__(resource=resource)
        self._colours = _wanted() if colours is None else colours

    def text(self, record: logging.LogRecord, line: Line, constant: str) -> str:
        level = printable(record.levelname)
        fields = [field for field in line.fields() if field[0] not in _BELOW]
        more = keyvalue.pairs([*fields, *line.extras.items()])
        head = (
            f"{strftime('%H:%M:%S', localtime(line.at))} {self._in(_colour(record.levelno), f'{level:<8}')} "
            f"{self._in(_DIM, printable(logger_name(record.name)))}: {printable(line.message)}"
            f"{self._in(_DIM, f' {more}') if more else ''}"
        )
        below = [text for text in (line.stack, line.error.stack_trace if line.error else "") if text]
        return "\n".join([head, *(f"    {printable(words)}" for text in below for words in text.split("\n"))])

    def constant(self, resource: Mapping[str, str]) -> str:
        # Who sits there knows what runs.
        return ""

    def _in(self, colour: str, words: str) -> str:
        return f"{colour}{words}{_RESET}" if self._colours and colour else words


def _colour(level: int) -> str:
    return next((colour for least, colour in _COLOURS if level >= least), "")


def _wanted() -> bool:
    # https://no-color.org
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return sys.stdout is not None and sys.stdout.isatty()
