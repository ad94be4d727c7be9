"""What the doctor finds, and how it is said."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from ..pipeline import guard
from ..text import one_line


class Level(StrEnum):
    """How serious a finding is. Only errors make the doctor's exit status 1.

    Unknown is what nobody can tell from here, or not yet: neither well nor wrong.
    """

    OK = "ok"
    UNKNOWN = "unknown"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What was found of one part, and what to do about it."""

    part: str
    level: Level
    message: str
    hint: str = ""


def ok(part: str, message: str) -> Finding:
    """Return that all is well."""
    return Finding(part=part, level=Level.OK, message=message)


def unknown(part: str, message: str, hint: str = "") -> Finding:
    """Return that it cannot be told."""
    return Finding(part=part, level=Level.UNKNOWN, message=message, hint=hint)


def warning(part: str, message: str, hint: str = "") -> Finding:
    """Return that something should be looked at."""
    return Finding(part=part, level=Level.WARNING, message=message, hint=hint)


def error(part: str, message: str, hint: str = "") -> Finding:
    """Return that something is broken."""
    return Finding(part=part, level=Level.ERROR, message=message, hint=hint)


def number(count: int, thing: str) -> str:
    """Return a number of things in English: ``1 segment``, ``2 segments``."""
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"


def words(problem: Exception) -> str:
    """Return an error on one line, without secrets."""
    return one_line(f"{type(problem).__name__}: {guard.words_of(problem)}", 300)
