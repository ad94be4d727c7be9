"""A few values stand for all: counts exact, means and quantiles with a stated error."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from django_qaprod import histogram
from django_qaprod.sinks.statsd.sampling import rate, sample

ERROR = histogram.RELATIVE_ERROR * 1.0001
DURATIONS = st.lists(st.floats(min_value=1e-5, max_value=1000), min_size=1, max_size=300)


def drawn(values: list[float], most: int) -> list[tuple[float, int]]:
    return list(sample(histogram.of(values), most, minimum=min(values), maximum=max(values)))


@given(DURATIONS, st.integers(1, 60))
def test_all_are_counted_and_few_are_sent(values: list[float], most: int) -> None:
    found = drawn(values, most)
    sizes = [size for _, size in found]
    assert sum(sizes) == len(values)
    assert len(sizes) == min(most, len(values))
    assert max(sizes) - min(sizes) <= 1
    # A mean of equal numbers may differ from them in its last digit.
    lowest, highest = min(values) * (1 - 1e-12), max(values) * (1 + 1e-12)
    assert all(lowest <= value <= highest for value, _ in found)


@given(DURATIONS, st.integers(1, 60))
def test_the_sum_is_right_to_the_error_of_the_histogram(values: list[float], most: int) -> None:
    total = sum(value * size for value, size in drawn(values, most))
    assert total == pytest.approx(math.fsum(values), rel=ERROR)


@given(DURATIONS, st.integers(1, 60))
def test_each_value_lies_among_those_that_it_stands_for(values: list[float], most: int) -> None:
    """So a quantile is off by no more than a group in rank, and the histogram's error in value."""
    values.sort()
    begin = 0
    for value, size in drawn(values, most):
        group = values[begin : begin + size]
        assert group[0] * (1 - ERROR) <= value <= group[-1] * (1 + ERROR)
        begin += size


@given(DURATIONS)
def test_when_there_are_few_each_is_sent(values: list[float]) -> None:
    found = drawn(values, len(values))
    assert [size for _, size in found] == [1] * len(values)
    assert [value for value, _ in found] == pytest.approx(sorted(values), rel=ERROR)


def test_a_single_one_is_exact() -> None:
    assert drawn([0.123], 50) == [(0.123, 1)]


def test_a_slow_few_are_not_left_out() -> None:
    """A sample of ranks would show none of them, and half of the mean."""
    values = [0.05] * 995 + [10.0] * 5
    found = drawn(values, 20)
    assert sum(value * size for value, size in found) / 1000 == pytest.approx(0.09975, rel=ERROR)
    assert found[-1][0] > 1


@given(st.integers(2, 3_000_000) | st.sampled_from([3125, 6250, 100_000, 1_600_000]))
def test_a_rate_says_a_whole_number_to_whoever_cuts_it(size: int) -> None:
    text = rate(size)
    assert text.startswith("|@0.")
    assert text[2:].replace(".", "").isdigit(), "no exponent"
    assert int(1 / float(text[2:])) == size
    assert 1 / float(text[2:]) == pytest.approx(size, rel=2e-8)


def test_one_that_stands_for_itself_has_no_rate() -> None:
    assert rate(1) == ""
