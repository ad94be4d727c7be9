"""Numbers, times and hostile text as people read them."""

from __future__ import annotations

import pytest
from django.utils.translation import override

from django_qaprod.dashboard import words


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("two\nlines\tand a tab", "two\nlines\tand a tab"),
        ("\u202egpj.exe", "[U+202E]gpj.exe"),
        ("a\u2066b\u2069", "a[U+2066]b[U+2069]"),
        ("\x1b[31m\r", "[U+001B][31m[U+000D]"),
        ("zero\u200bwidth\ufeff", "zero[U+200B]width[U+FEFF]"),
        ("line\u2028end", "line[U+2028]end"),
        ("\U0001f468\u200d\U0001f4bb é 日本 שלום", "\U0001f468\u200d\U0001f4bb é 日本 שלום"),
    ],
)
def test_what_reorders_or_hides_is_made_visible(text: str, shown: str) -> None:
    assert words.visible(text) == shown


def test_a_cut_text_is_one_line_of_bounded_length() -> None:
    assert words.cut("a\n  b\tc", 10) == "a b c"
    assert words.cut("x" * 1_000_000, 10) == "x" * 9 + "…"
    assert len(words.cut("\u202e" * 50, 20)) == 20


@pytest.mark.parametrize(
    ("value", "shown"),
    [(None, "–"), (0, "0"), (1234, "1,234"), (1234567, "1,234,567"), (0.26, "0.3"), (2.0, "2")],
)
def test_numbers(value: float | None, shown: str) -> None:
    assert words.number(value) == shown


def test_numbers_speak_the_language_of_the_reader() -> None:
    with override("nl"):
        assert words.number(1234567.5) == "1.234.567,5"


@pytest.mark.parametrize(
    ("fraction", "shown"),
    [(None, "–"), (0, "0%"), (0.0216, "2.2%"), (0.0999, "10%"), (0.5, "50%"), (1, "100%"), (1.2, "120%")],
)
def test_percentages_are_rounded_not_cut_off(fraction: float | None, shown: str) -> None:
    assert words.percent(fraction) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "–"),
        (0, "0 ms"),
        (0.0042, "4.2 ms"),
        (0.2349, "235 ms"),
        (0.9996, "1.0 s"),
        (1.26, "1.3 s"),
        (42.4, "42 s"),
        (59.7, "1 min 0 s"),
        (200, "3 min 20 s"),
        (7500, "2 h 5 min"),
        (200_000, "2 d 7 h"),
    ],
)
def test_stretches_of_time(value: float | None, shown: str) -> None:
    assert words.seconds(value) == shown


@pytest.mark.parametrize(
    ("now", "before", "shown"),
    [
        (5, 0, "none before"),
        (591, 1, "1 before"),
        (0, 0, ""),
        (100, 100, "="),
        (112, 100, "+12%"),
        (0, 10, "\N{MINUS SIGN}100%"),
        (500, 10, "50 times as many"),
    ],
)
def test_comparisons(now: float, before: float, shown: str) -> None:
    assert words.change(now, before) == shown
