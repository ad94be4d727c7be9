"""Bring text and JSON values into a shape that every store accepts.

NUL bytes break PostgreSQL, ``NaN`` breaks JSON, lone surrogates break UTF-8 and nobody
reads a megabyte: everything that goes to a sink passes here first.
"""

from __future__ import annotations

import datetime
import decimal
import math
import uuid
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import TypeAlias, TypeVar

T = TypeVar("T")

JSONValue: TypeAlias = "str | int | float | bool | list[JSONValue] | dict[str, JSONValue] | None"

ELLIPSIS = "…"
MAX_DEPTH = 6
MAX_ITEMS = 100
MAX_VALUES = 2000
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


def clean_json(
    value: object, *, limit: int = 1000, depth: int = MAX_DEPTH, strict_numbers: bool = False
) -> JSONValue:
    """Return ``value`` as plain JSON data, bounded in depth, length and size.

    What JSON has no word for (``NaN``, a date, an object) becomes text, but with ``strict_numbers`` a number
    that no store can hold becomes nothing. ``__str__`` is called on nothing but strings, numbers, dates,
    UUIDs and decimals; other objects are named by their type.
    """
    return _Cleaner(limit, strict_numbers=strict_numbers).clean(value, depth)


class _Cleaner:
    """One value's way into JSON; ``left`` bounds what a list that holds itself a hundred times becomes."""

    def __init__(self, limit: int, *, strict_numbers: bool) -> None:
        self.limit = limit
        self.strict_numbers = strict_numbers
        self.left = MAX_VALUES

    def clean(self, value: object, depth: int) -> JSONValue:
        self.left -= 1
        # By its type alone: for ``isinstance`` a lazy ``request.user`` would run a query.
        kind = type(value)
        if value is None or value is True or value is False:
            return value
        if issubclass(kind, str):
            return clean(str.__str__(value), self.limit)
        if issubclass(kind, int):
            return self._number(_integer(int.__int__(value)))  # type: ignore[arg-type]
        if issubclass(kind, float):
            number = float.__float__(value)  # type: ignore[arg-type]
            return self._number(number if math.isfinite(number) else str(number))
        if depth <= 0 or self.left <= 0:
            return ELLIPSIS
        if issubclass(kind, Mapping):
            return self._object(value, depth - 1)  # type: ignore[arg-type]
        if issubclass(kind, (list, tuple, set, frozenset)):
            return [self.clean(item, depth - 1) for item in self._some(value)]  # type: ignore[arg-type,var-annotated]
        return clean(_plain(value, kind), self.limit)

    def _number(self, number: float | str) -> float | str | None:
        return None if self.strict_numbers and isinstance(number, str) else number

    def _object(self, value: Mapping[object, object], depth: int) -> dict[str, JSONValue]:
        return {_key(key): self.clean(item, depth) for key, item in self._some(value.items())}

    def _some(self, items: Iterable[T]) -> Iterator[T]:
        for item in islice(items, MAX_ITEMS):
            if self.left <= 0:
                return
            yield item


def _key(key: object) -> str:
    return clean(str.__str__(key) if issubclass(type(key), str) else type(key).__name__, 100)


def _integer(value: int) -> int | str:
    if -MAX_INTEGER <= value <= MAX_INTEGER:
        return value
    # Python refuses to write out integers of thousands of digits (CVE-2020-10735).
    return str(value) if value.bit_length() <= 1024 else "<int>"


def _plain(value: object, kind: type) -> str:
    if issubclass(kind, (datetime.date, datetime.time)):
        return value.isoformat()  # type: ignore[attr-defined,no-any-return]
    if issubclass(kind, (datetime.timedelta, decimal.Decimal, uuid.UUID)):
        return str(value)
    return f"<{kind.__qualname__}>"
