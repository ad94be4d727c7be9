"""Numbers and spans as they are read on a phone at three in the morning."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from django_qaprod.alerts import phrases


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0 s"), (0.4, "0 s"), (45, "45 s"), (60, "1 min"), (90, "1 min 30 s"), (3599.7, "1 h"),
        (7800, "2 h 10 min"), (7829, "2 h 10 min"), (86399, "1 d"), (259200, "3 d"), (95400, "1 d 2 h"),
        (-5, "0 s"),
    ],
)  # fmt: skip
def test_a_span_has_its_two_largest_units(seconds: float, said: str) -> None:
    assert phrases.span(seconds) == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(60, "minute"), (3599.8, "hour"), (86400, "day"), (300, "5 min"), (3660, "1 h 1 min"), (172800, "2 d")],
)
def test_nobody_says_in_the_last_one_hour(seconds: float, said: str) -> None:
    assert phrases.lately(seconds) == said


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (0, "0"), (12, "12"), (1234, "1,234"), (3.4, "3.4"), (3.04, "3"), (99.96, "100"), (0.052, "0.052"),
        (-2.5, "-2.5"), (1234.5, "1,234"), (0.00001234, "0.000012"), (math.inf, "a lot"),
    ],
)  # fmt: skip
def test_a_number_has_the_digits_that_say_something(value: float, said: str) -> None:
    assert phrases.number(value) == said


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (0, "0%"), (0.3, "30%"), (0.125, "12.5%"), (1 / 3, "33.3%"), (0.034, "3.4%"), (0.0002, "0.02%"),
        (0.999, "99.9%"), (0.9995, "99.95%"), (0.99999, "99.999%"), (1, "100%"), (1.2, "120%"),
        (1.004, "100.4%"),
    ],
)  # fmt: skip
def test_a_share_is_a_percentage(value: float, said: str) -> None:
    assert phrases.share(value) == said


@given(st.floats(0, 1e9))
def test_every_number_can_be_said(value: float) -> None:
    for say in (phrases.span, phrases.number, phrases.share):
        assert "e" not in say(value)


@given(st.floats(1e-6, 1 - 1e-6))
def test_a_share_that_is_neither_nothing_nor_all_does_not_look_so(value: float) -> None:
    assert phrases.share(value) not in {"0%", "100%"}


def test_a_long_list_is_cut() -> None:
    assert phrases.listed("ab") == "a, b"
    assert phrases.listed("abcde") == "a, b, c and 2 more"
