"""Reads the stored traces of occurrences: bounded, and tolerant of whatever is in them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from ..models import Occurrence, Stack
from ..text import clean

# What a page shows of a stack at most; capture keeps far less.
_MAX_TEXT, _MAX_LINKS, _MAX_FRAMES, _MAX_LINES = 2_000_000, 20, 250, 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """A call in a trace, with the lines of source around it. Every text is hostile until escaped."""

    file: str = ""
    line: int = 0
    function: str = ""
    module: str = ""
    in_app: bool = False
    before: list[str] = field(default_factory=list)
    code: str = ""
    after: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """One exception of a chain and its frames, the innermost call last.

    ``relation`` to the link before: "" for the first, else cause, context or group.
    """

    error_type: str
    message: str
    notes: list[str]
    relation: str
    frames: list[Frame]


def frames(occurrence: Occurrence) -> list[list[Frame]]:
    """Return the frames of each exception of the chain; none for what is missing or damaged. One query."""
    text = Stack.objects.filter(digest=occurrence.stack).values_list("frames", flat=True).first()
    return parsed_frames(text or "")


def chain(occurrence: Occurrence) -> list[Link]:
    """Return the exceptions of an occurrence with their frames. One query."""
    links = occurrence.chain if isinstance(occurrence.chain, list) else []
    stacks = frames(occurrence)
    return [
        _link(link, stacks[position] if position < len(stacks) else [])
        for position, link in enumerate(links[:_MAX_LINKS])
        if isinstance(link, dict)
    ]


def parsed_frames(text: str) -> list[list[Frame]]:
    """Return the frames in the JSON text of a stack, bounded, whatever the text is."""
    if len(text) > _MAX_TEXT:
        return []
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return []
    if not isinstance(found, list):
        return []
    return [
        [_frame(frame) for frame in stack[:_MAX_FRAMES] if isinstance(frame, dict)]
        for stack in found[:_MAX_LINKS]
        if isinstance(stack, list)
    ]


def _link(link: Mapping[str, object], stack: list[Frame]) -> Link:
    return Link(
        error_type=_text(link.get("error_type")),
        message=_text(link.get("message")),
        notes=_lines(link.get("notes")),
        relation=_text(link.get("relation")),
        frames=stack,
    )


def _frame(frame: Mapping[str, object]) -> Frame:
    line = frame.get("line")
    return Frame(
        file=_text(frame.get("file")),
        line=line if isinstance(line, int) else 0,
        function=_text(frame.get("function")),
        module=_text(frame.get("module")),
        in_app=frame.get("in_app") is True,
        before=_lines(frame.get("before")),
        code=_text(frame.get("code")),
        after=_lines(frame.get("after")),
    )


def _text(value: object) -> str:
    return clean(value) if isinstance(value, str) else ""


def _lines(value: object) -> list[str]:
    return [_text(line) for line in value[:_MAX_LINES]] if isinstance(value, list) else []
