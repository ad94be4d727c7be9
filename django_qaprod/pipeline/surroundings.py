"""What is known of what is being served, as the fields of a failure's record."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ..conf import settings
from ..records import REPLAY_OF, LogLine
from ..text import clean
from . import messages, process, scrub
from .identity import user_of

if TYPE_CHECKING:
    from ..context import Context

_MAX_LINE: Final = 500
# What is not ASCII takes six characters in a segment, and a record has to fit into ``spool.MAX_RECORD``.
_MAX_LINES_CHARACTERS: Final = 10_000

# When, level, logger, message.
Line = tuple[float, str, str, str]


def surroundings(current: Context | None, journey: str = "") -> dict[str, Any]:
    """Return the fields that say where an error happened and to whom."""
    known: dict[str, Any] = {"release": settings().release, "host": process.host()}
    if journey or current is not None:
        known["journey"] = clean(journey or (current.journey if current is not None else ""), 100)
    if current is None:
        return known
    known["subject"] = clean(current.subject, 200)
    known["critical"] = current.critical and not current.is_replay
    known["request_id"] = current.request_id
    known["lines"] = _lines(current)
    if current.request is not None:
        known["route"] = clean(current.route, 300)
        known["method"] = clean(current.method, 16)
        known["trace_id"] = current.trace_id
        known["span_id"] = current.span_id
        known["user"] = user_of(current.request)
        known["browser"] = current.browser
    return known


def named(name: str, current: Context | None) -> str:
    """Return the name of a record: the one given, else that of what is being served."""
    name = name or (current.name if current is not None else "")
    if is_replay(current):
        name = f"{REPLAY_OF}{name}" if name else "replay"
    return clean(name, 200)


def is_replay(current: Context | None) -> bool:
    """Whether a kept submission is being replayed, for which no visitor waits."""
    return current is not None and current.is_replay


def path_of(current: Context | None) -> str:
    """Return the path that is being served, when it is long enough to be looked for in text."""
    request = current.request if current is not None else None
    path = request.path if request is not None else ""
    return path if len(path) > 2 else ""


def without_path(words: str, path: str, current: Context | None) -> str:
    """Return the words with the route in the place of the path, if something is being served at one."""
    return words if not path or current is None else messages.without_path(words, path, current.route)


def _lines(current: Context) -> tuple[LogLine, ...]:
    if not current.lines:
        return ()
    path, lines = path_of(current), _latest(list(current.lines))
    messages_of_lines = scrub.texts([without_path(line[3], path, current) for line in lines], _MAX_LINE)
    return tuple(
        [
            LogLine(at=at, level=level, logger=clean(logger, 200), message=message)
            for (at, level, logger, _), message in zip(lines, messages_of_lines, strict=True)
        ]
    )


def _latest(lines: list[Line]) -> list[Line]:
    """Return the last lines that there is room for, the oldest first."""
    left = _MAX_LINES_CHARACTERS
    for count, line in enumerate(reversed(lines)):
        left -= min(len(line[2]), 200) + min(len(line[3]), _MAX_LINE)
        if left < 0:
            return lines[len(lines) - count :]
    return lines
