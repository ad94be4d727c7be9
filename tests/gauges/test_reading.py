"""Any number is a reading, by label if there are several; whatever else is returned says so."""

from __future__ import annotations

import asyncio
import math
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from django_qaprod.exceptions import GaugeTimeoutError, GaugeValueError
from django_qaprod.gauges import reading
from django_qaprod.gauges.threads import Helpers
from django_qaprod.pipeline import guard
from django_qaprod.registry import GaugeSpec


def read(answer: Any) -> list[tuple[str, float]]:
    return ask(spec(lambda: answer))


def ask(one: GaugeSpec) -> list[tuple[str, float]]:
    return [tuple(found) for found in reading.read(one, Helpers())]


def spec(function: Any, timeout: float = 10) -> GaugeSpec:
    return GaugeSpec(name="a", read=function, place="tests", every=60, timeout=timeout)


@pytest.mark.parametrize(
    ("answer", "number"),
    [(3, 3.0), (0, 0.0), (-2.5, -2.5), (Decimal("1.25"), 1.25), (Fraction(1, 4), 0.25), (True, 1.0)],
)
def test_any_number_is_a_reading(answer: Any, number: float) -> None:
    assert read(answer) == [("", number)]


def test_none_is_no_reading_now() -> None:
    assert read(None) == []
    assert read({}) == []
    assert read({"high": 1, "low": None}) == [("high", 1.0)]


def test_several_numbers_by_label() -> None:
    assert read({"high": 1, "low": Decimal(2), 3: 4}) == [("high", 1.0), ("low", 2.0), ("3", 4.0)]


def test_labels_are_one_line_without_secrets() -> None:
    labels = [label for label, _ in read({"ada@example.org": 1, "a\n\x1bb": 2, "x" * 500: 3})]
    assert labels[:2] == ["[email]", "a b"]
    assert len(labels[2]) == 100


def test_of_too_many_labels_the_first_are_kept_and_the_others_counted() -> None:
    guard.take()
    assert len(read({f"queue-{number}": number for number in range(70)})) == reading.MOST_LABELS
    tally = guard.take()
    assert tally is not None
    assert tally.dropped == {"gauge.a.labels": 20}, "it says of which"


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ("3", "returned a str"),
        ([1], "returned a list"),
        (object(), "returned a object"),
        (1j, "returned a complex"),
        ({"a": "b"}, "returned a str"),
        ({None: 1}, "returned a NoneType as a label"),
        (math.nan, "not finite"),
        (-math.inf, "not finite"),
        (10**400, "not finite"),
        (Decimal("sNaN"), "not finite"),
    ],
)
def test_what_is_no_number_is_an_error(answer: Any, words: str) -> None:
    with pytest.raises(GaugeValueError, match=words):
        read(answer)


numbers = st.one_of(
    st.integers(), st.floats(), st.decimals(), st.fractions(), st.booleans(), st.none(), st.text(max_size=3)
)


@given(st.one_of(numbers, st.dictionaries(st.one_of(st.text(), st.integers(), st.binary()), numbers)))
def test_whatever_is_returned_is_finite_numbers_or_an_error_of_its_own(answer: Any) -> None:
    try:
        found = read(answer)
    except GaugeValueError:
        return
    assert all(math.isfinite(value) and len(label) <= 100 and "\n" not in label for label, value in found)


class TestCoroutines:
    def test_a_coroutine_is_awaited(self) -> None:
        async def answer() -> dict[str, int]:
            await asyncio.sleep(0)
            return {"high": 1}

        assert read_async(answer) == [("high", 1.0)]

    def test_one_that_takes_too_long_is_stopped(self) -> None:
        stopped = []

        async def answer() -> int:
            try:
                await asyncio.sleep(60)
            finally:
                stopped.append(True)
            return 1

        with pytest.raises(GaugeTimeoutError, match=r"The gauge a did not answer within 0\.01 s\."):
            ask(spec(answer, timeout=0.01))
        assert stopped == [True]

    def test_its_own_timeout_is_its_own(self) -> None:
        async def answer() -> int:
            raise TimeoutError("the API is slow")

        with pytest.raises(TimeoutError, match="the API is slow") as caught:
            read_async(answer)
        assert not isinstance(caught.value, GaugeTimeoutError)

    def test_what_is_no_number_is_an_error(self) -> None:
        async def answer() -> Any:
            return "3"

        with pytest.raises(GaugeValueError):
            read_async(answer)


def read_async(function: Any) -> list[tuple[str, float]]:
    return ask(spec(function))
