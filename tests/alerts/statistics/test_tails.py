"""How likely so few are."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest

from django_qaprod.alerts.statistics.tails import binomial_fewer, fewer, most_with, usual_range


def _summed(count: int, mean: float, variance: float) -> float:
    """The sum of the probabilities, by their logarithms."""
    if variance <= mean:
        logs = [k * math.log(mean) - mean - math.lgamma(k + 1) for k in range(count + 1)]
    else:
        size = mean * mean / (variance - mean)
        own, other = math.log(size / (size + mean)), math.log(mean / (size + mean))
        logs = [
            math.lgamma(k + size) - math.lgamma(size) - math.lgamma(k + 1) + size * own + k * other
            for k in range(count + 1)
        ]
    return math.fsum(map(math.exp, logs))


@pytest.mark.parametrize("mean", [0.01, 0.3, 1.0, 5.0, 14.0, 100.0, 10_000.0])
@pytest.mark.parametrize("dispersion", [1.0, 1.5, 5.0, 300.0])
@pytest.mark.parametrize("deviations", [-6, -3, -1, 0, 2])
def test_a_tail_is_the_sum_of_its_probabilities(mean: float, dispersion: float, deviations: int) -> None:
    """From a hundredth to thousands, in the middle as far out."""
    count = max(int(mean + deviations * math.sqrt(mean * dispersion)), 0)
    assert fewer(count, mean, mean * dispersion) == pytest.approx(
        _summed(count, mean, mean * dispersion), rel=1e-8
    )


def test_a_million_keeps_its_digits() -> None:
    """Poisson's, six deviations out, against a sum in which only each term's ratio is used."""
    mean, count = 1_000_000, 994_000
    term = total = 1.0
    for k in range(count, count - 3000, -1):
        term *= k / mean
        total += term
    # Stirling's series, to its second term.
    first = math.exp(count - mean - count * math.log1p((count - mean) / mean) - 1 / (12 * count))
    assert fewer(count, mean, mean) == pytest.approx(total * first / math.sqrt(2 * math.pi * count), rel=1e-8)


def test_a_binomial_tail_is_exact() -> None:
    """Against fractions."""
    share, trials = Fraction(3, 10), 40
    exact = sum(math.comb(trials, k) * share**k * (1 - share) ** (trials - k) for k in range(5))
    assert binomial_fewer(4, trials, 0.3) == pytest.approx(float(exact), rel=1e-10)


def test_what_cannot_be_less_and_what_is_certain() -> None:
    """Fewer than none never, any number of none always."""
    assert fewer(-1, 5, 5) == 0
    assert fewer(0, 0, 0) == 1
    assert binomial_fewer(5, 5, 0.3) == 1
    assert binomial_fewer(0, 5, 0) == 1
    assert binomial_fewer(0, 5, 1) == 0
    assert binomial_fewer(-1, 5, 0.5) == 0


def test_the_largest_count_that_is_still_too_few() -> None:
    """One more would be as probable as is allowed, or more."""
    for mean, variance in ((14.0, 14.0), (50.0, 80.0), (3000.0, 9000.0)):
        most = most_with(1e-5, mean, variance)
        assert fewer(most, mean, variance) <= 1e-5 < fewer(most + 1, mean, variance)
    assert most_with(1e-5, 3.0, 3.0) == -1


def test_the_usual_range_holds_four_in_five() -> None:
    """A tenth lies below it, a tenth above."""
    low, high = usual_range(11.0, 11.0)
    assert (low, high) == (7, 15)
    assert fewer(low - 1, 11, 11) <= 0.1 <= fewer(low, 11, 11)
    assert usual_range(0.01, 0.01) == (0, 1)
