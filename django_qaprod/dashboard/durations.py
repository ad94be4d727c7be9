"""Stretches of time as people type them: ``90 s``, ``1 d 12 h``. Exact, unlike ``words.seconds``."""

from __future__ import annotations

import re

_UNITS = (("d", 86_400.0), ("h", 3_600.0), ("min", 60.0), ("s", 1.0))
_SECONDS = {
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), 1.0),
    **dict.fromkeys(("", "m", "min", "mins", "minute", "minutes"), 60.0),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), 3_600.0),
    **dict.fromkeys(("d", "day", "days"), 86_400.0),
    **dict.fromkeys(("w", "week", "weeks"), 604_800.0),
}
_PART = re.compile(r"(\d+(?:[.,]\d+)?)\s*([a-z]*)\s*", re.ASCII)


def written(seconds: float) -> str:
    """Return a stretch so that ``read`` finds the same again."""
    parts, left = [], seconds
    for unit, size in _UNITS[:-1]:
        whole, left = divmod(left, size)
        if whole:
            parts.append(f"{whole:.0f} {unit}")
    if left or not parts:
        parts.append(f"{left:g} s")
    return " ".join(parts)


def read(text: str) -> float:
    """Return the seconds that ``text`` names; a number alone is of minutes.

    Raises ``ValueError`` for what names no time.
    """
    rest = text.strip().lower()
    found, at = 0.0, 0
    while at < len(rest):
        part = _PART.match(rest, at)
        if part is None or part[2] not in _SECONDS:
            raise ValueError(f"{text!r} is no time.")
        found, at = found + float(part[1].replace(",", ".")) * _SECONDS[part[2]], part.end()
    if not rest:
        raise ValueError("Nothing is no time.")
    return found
