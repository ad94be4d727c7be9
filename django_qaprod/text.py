"""Bring text and JSON values into a shape that every store accepts.

NUL bytes break PostgreSQL, ``NaN`` breaks JSON, lone surrogates break UTF-8 and nobody
reads a megabyte: everything that goes to a sink passes here first.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TypeAlias

JSONValue: TypeAlias = "str | int | float | bool | list[JSONValue] | dict[str, JSONValue] | None"

ELLIPSIS = "…"
MAX_DEPTH = 6
MAX_ITEMS = 100
# 2**63: larger integers survive neither PostgreSQL's bigint nor a JavaScript chart.
MAX_INTEGER = 9_223_372_036_854_775_807


def clean(text: str, limit: int = 1000) -> str:
    """Return ``text`` without NUL and lone surrogates, at most ``limit`` characters long.

    A cut is marked by a trailing ``…`` that counts towards the limit.
    """
    if len(text) > limit:
        text = text[: limit - 1] + ELLIPSIS
    if "\x00" in text:
        text = text.replace("\x00", "�")
    if not text.isascii():
        try:
            text.encode("utf-8")
        except UnicodeEncodeError:
            text = text.encode("utf-8", "replace").decode("utf-8")
    return text


def one_line(text: str, limit: int = 200) -> str:
    """Return ``text`` as a single line: every run of white space and control characters is one space."""
    spaced = "".join(char if char.isprintable() else " " for char in text[: limit * 4])
    return clean(" ".join(spaced.split()), limit)


def clean_json(value: object, *, limit: int = 1000, depth: int = MAX_DEPTH) -> JSONValue:
    """Return ``value`` as plain JSON data, bounded in depth, length and size.

    What JSON has no word for (``NaN``, a date, an object) becomes text. ``__str__`` is called
    on nothing but strings, numbers, dates, UUIDs and decimals; other objects are named by their type.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return clean(str.__str__(value), limit)
    if isinstance(value, int):
        return int(value) if abs(value) <= MAX_INTEGER else clean(str(int(value)), limit)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else str(float(value))
    if depth <= 0:
        return ELLIPSIS
    if isinstance(value, Mapping):
        pairs = list(value.items())[:MAX_ITEMS]
        return {
            clean(key if isinstance(key, str) else type(key).__name__, 100): clean_json(
                item, limit=limit, depth=depth - 1
            )
            for key, item in pairs
        }
    if isinstance(value, (list, tuple, set, frozenset)):
        return [clean_json(item, limit=limit, depth=depth - 1) for item in list(value)[:MAX_ITEMS]]
    return clean(_plain(value), limit)


def _plain(value: object) -> str:
    import datetime
    import decimal
    import uuid

    if isinstance(value, (datetime.date, datetime.time)):
        return value.isoformat()
    if isinstance(value, (datetime.timedelta, decimal.Decimal, uuid.UUID)):
        return str(value)
    return f"<{type(value).__qualname__}>"
