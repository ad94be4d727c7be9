"""How high something climbs that turns back by itself."""

from __future__ import annotations

import pytest

from django_qaprod.alerts.statistics.turns import Hour, turning


def _hours(*values: float, told: bool = False) -> list[Hour]:
    return [Hour(value, told) for value in values]


HEAPS = [*_hours(0, 0, 30, 0, 0, 40, 0, 0, 20, 0, 0)]


def test_the_next_may_be_somewhat_higher_than_the_highest() -> None:
    """By half of what that was above their median."""
    assert turning(HEAPS, limit=100) == pytest.approx(40 + (40 - 30) / 2)


@pytest.mark.parametrize("hours", [[], _hours(5, 5, 5), _hours(0, 0, 30, 0, 0, 40, 0, 0)])
def test_of_few_climbs_nothing_is_known(hours: list[Hour]) -> None:
    """Nor of none."""
    assert turning(hours, limit=100) is None


def test_one_that_goes_on_has_not_turned_back() -> None:
    """It may be the one that will not."""
    assert turning([*HEAPS, *_hours(0, 55, 56)], limit=100) == turning(HEAPS, limit=100)


def test_one_that_was_told_near_the_limit_was_stopped() -> None:
    """Another that was told and is far from it turned back by itself; so did one that nobody was told of."""
    high, low = (0, 20, 40, 60, 80), (0, 10, 20, 30, 45)
    assert turning([*HEAPS, *_hours(*high, told=True), *_hours(0, 0, 0)], limit=100) == 45
    assert turning([*HEAPS, *_hours(*low, told=True), *_hours(0, 0, 0)], limit=100) == pytest.approx(50)
    assert turning([*HEAPS, *_hours(*high), *_hours(0, 0, 0)], limit=100) == pytest.approx(200 / 3)


def test_what_would_have_been_at_the_limit_soon_was_stopped() -> None:
    """Of a fast one the mean of its last hour is known, and not how far it came."""
    fast = [*HEAPS, *_hours(0, 5, 60, told=True), *_hours(0, 0, 0)]
    assert turning(fast, limit=100) == 45
    assert turning(fast, limit=200) > 60
