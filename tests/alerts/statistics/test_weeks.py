"""What is usual at an hour of the week."""

from __future__ import annotations

import random

import pytest

from benchmarks.dips.series import poisson
from django_qaprod.alerts.statistics.weeks import WEEK, Usual, usual


def _usual(counts: list[float], weights: list[float] | None = None) -> Usual:
    return usual(counts, [at % WEEK for at in range(len(counts))], weights or [1.0] * len(counts))


def _mean(at: int) -> float:
    """By day and week: little at night, less on the two days that are a weekend."""
    return (20.0 if 8 <= at % 24 < 20 else 2.0) * (0.5 if at // 24 % 7 in (2, 3) else 1.0)


def _poisson(rate: float, weeks: int, seed: int = 1) -> list[float]:
    rng = random.Random(seed)
    return [float(poisson(rng, rate * _mean(at % WEEK) / 20)) for at in range(weeks * WEEK)]


def test_each_hour_of_the_week_has_its_rate() -> None:
    """Day and night, working day and weekend."""
    found = _usual([10 * _mean(at % WEEK) for at in range(8 * WEEK)])
    assert found.rates == pytest.approx([10 * _mean(at) for at in range(WEEK)], rel=0.13)


def test_where_few_are_counted_neighbours_make_it_steady() -> None:
    """Of one an hour, the rates are nearer to the truth than the means of eight are."""
    counts = _poisson(1.0, 8)
    found = _usual(counts)
    alone = [sum(counts[at::WEEK]) / 8 for at in range(WEEK)]
    truth = [_mean(at) / 20 for at in range(WEEK)]

    def off(rates: list[float]) -> float:
        return sum((one - true) ** 2 for one, true in zip(rates, truth, strict=True))

    assert off(found.rates) < off(alone) / 3


def test_a_week_that_was_out_of_line_says_little() -> None:
    """A day without anything, of which nobody was told, hardly lowers what is usual."""
    counts = [_mean(at % WEEK) for at in range(8 * WEEK)]
    day = slice(5 * WEEK + 24, 5 * WEEK + 48)
    counts[day] = [0.0] * 24
    assert sum(_usual(counts).rates[24:48]) > 0.97 * sum(_mean(at) for at in range(24, 48))


def test_hours_that_do_not_count_do_not_count() -> None:
    """As if they had not been."""
    counts = [10 * _mean(at % WEEK) for at in range(8 * WEEK)]
    weights = [1.0] * len(counts)
    for at in range(6 * WEEK, 7 * WEEK):
        counts[at], weights[at] = 0.0, 0.0
    assert _usual(counts, weights).rates == pytest.approx([10 * _mean(at) for at in range(WEEK)], rel=0.13)


@pytest.mark.parametrize("growth", [0.93, 1.07])
def test_a_slow_change_is_followed_but_never_upwards_beyond_what_was(growth: float) -> None:
    """Shrinking is foreseen; of growth, only what has been seen."""
    counts = [_mean(at % WEEK) * growth ** (at // WEEK) for at in range(8 * WEEK)]
    last = sum(counts[-WEEK:])
    expected = sum(_usual(counts).rates)
    assert 0.88 * last < expected <= 1.02 * last


def test_a_step_is_believed_after_some_weeks() -> None:
    """A site that lost a third for good two weeks ago is not told of it for two months."""
    counts = [_mean(at % WEEK) * (0.66 if at >= 6 * WEEK else 1.0) for at in range(8 * WEEK)]
    assert sum(_usual(counts).rates) < 1.1 * sum(counts[-WEEK:])


def test_chance_alone_is_not_taken_for_more() -> None:
    """Poisson's counts have a variance like their mean; days that differ have more."""
    assert _usual(_poisson(14.0, 8)).dispersion(6) < 2.0
    rng = random.Random(3)
    uneven = []
    for day in range(8 * 7):
        level = rng.choice((0.6, 1.0, 1.4))
        uneven += [float(poisson(rng, level * _mean((day * 24 + hour) % WEEK))) for hour in range(24)]
    assert _usual(uneven).dispersion(24) > 8


def test_where_days_differ_an_hour_follows_those_before_it() -> None:
    """And where they do not, it does not."""
    rng = random.Random(4)
    uneven = []
    for _ in range(8 * 7):
        level = rng.choice((0.6, 1.0, 1.4))
        uneven += [float(poisson(rng, level * 50)) for _ in range(24)]
    found = _usual(uneven)
    follows, wide = found.following(3, 6)
    assert follows > 0.7
    assert wide < 0.5 * found.dispersion(3)
    follows, _ = _usual([float(poisson(rng, 50)) for _ in range(8 * WEEK)]).following(3, 6)
    assert follows < 0.3
