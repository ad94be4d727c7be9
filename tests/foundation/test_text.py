"""Whatever comes in, what goes out is bounded and every store takes it."""

from __future__ import annotations

import datetime
import decimal
import json
import math
import uuid
from typing import Any

import pytest
from django.utils.functional import SimpleLazyObject
from hypothesis import given
from hypothesis import strategies as st

from django_qaprod import text

anything = st.text(st.characters(exclude_categories=()))
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | anything | st.binary() | st.decimals(),
    lambda inner: st.lists(inner) | st.dictionaries(anything | st.integers(), inner) | st.sets(st.integers()),
    max_leaves=20,
)


class Hostile:
    """Raises from everything that might be asked of it."""

    def __str__(self) -> str:
        raise RuntimeError("never ask")

    __repr__ = __str__


@given(anything, st.integers(1, 50))
def test_clean_text_is_bounded_utf8_without_nul(value: str, limit: int) -> None:
    found = text.clean(value, limit)
    assert len(found) <= limit
    assert "\x00" not in found
    found.encode("utf-8")


@given(st.text(st.characters(exclude_characters="\x00", exclude_categories=("Cs",)), max_size=50))
def test_what_is_clean_stays_as_it_is(value: str) -> None:
    assert text.clean(value, 50) == value


def test_a_cut_is_marked() -> None:
    assert text.clean("abcdef", 4) == "abc…"


@given(anything, st.integers(1, 50))
def test_one_line_has_no_line_break_or_control_character(value: str, limit: int) -> None:
    found = text.one_line(value, limit)
    assert len(found) <= limit
    assert len(found.splitlines()) <= 1
    assert found.isprintable()


@given(values)
def test_clean_json_is_what_postgresql_takes(value: Any) -> None:
    found = json.dumps(text.clean_json(value), allow_nan=False)
    assert "\\u0000" not in found
    json.loads(found)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        (True, True),
        (3, 3),
        (2**63 - 1, 2**63 - 1),
        (-(2**63), "-9223372036854775808"),
        (1.5, 1.5),
        (math.nan, "nan"),
        (-math.inf, "-inf"),
        ("a\x00b", "a�b"),
        ("\ud800", "?"),
        ((1, "x"), [1, "x"]),
        ({1: "x"}, {"int": "x"}),
        (datetime.date(2024, 5, 1), "2024-05-01"),
        (datetime.timedelta(hours=1), "1:00:00"),
        (decimal.Decimal("1.50"), "1.50"),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (b"secret", "<bytes>"),
        (Hostile(), "<Hostile>"),
    ],
)
def test_what_json_has_no_word_for_becomes_text(value: Any, expected: Any) -> None:
    assert text.clean_json(value) == expected


def test_an_integer_of_thousands_of_digits_is_named_by_its_type() -> None:
    assert text.clean_json(10**5000) == "<int>"


def test_a_lazy_object_is_not_evaluated() -> None:
    def evaluate() -> str:
        raise AssertionError("evaluated: this may run a query")

    assert text.clean_json({"user": SimpleLazyObject(evaluate)}) == {"user": "<SimpleLazyObject>"}


def test_depth_and_length_are_bounded() -> None:
    nested: list[Any] = []
    for _ in range(50):
        nested = [nested]
    assert json.dumps(text.clean_json(nested)).count("[") == text.MAX_DEPTH
    assert len(text.clean_json(list(range(1000)))) == text.MAX_ITEMS  # type: ignore[arg-type]


def test_a_value_that_contains_itself_many_times_does_not_explode() -> None:
    loop: list[Any] = []
    loop.extend([loop] * 100)
    assert len(json.dumps(text.clean_json(loop))) < 100_000


def test_long_strings_are_cut_and_long_keys_too() -> None:
    assert text.clean_json({"k" * 500: "v" * 500}, limit=10) == {"k" * 99 + "…": "v" * 9 + "…"}
