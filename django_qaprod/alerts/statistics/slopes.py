"""A slope that outliers do not bend, how sure it is, and whether it is there at all."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist, median
from typing import NamedTuple

_STRAIGHT = 0.02


class Slope(NamedTuple):
    """A slope per second and its bounds, the level at the end, and by how many deviations it is no chance."""

    slope: float
    low: float
    high: float
    level: float
    deviations: float


def slope(points: Sequence[tuple[float, float]], *, end: float, confidence: float = 0.9) -> Slope:
    """Return the slope through ``points``, which are times and values in the order of time.

    The median of the slopes of all pairs, and its bounds by Kendall's tau (Sen: Estimates of the regression
    coefficient based on Kendall's tau, JASA 63, 1968); the test is Mann and Kendall's, its variance corrected
    for what follows from the value before (Hamed, Rao: A modified Mann-Kendall trend test for autocorrelated
    data, Journal of Hydrology 204, 1998). Needs three points; time goes as the square of their number.
    """
    slopes = sorted(
        (later - value) / (after - at)
        for place, (at, value) in enumerate(points)
        for after, later in points[place + 1 :]
    )
    found = _median(slopes)
    rest = [value - found * (at - end) for at, value in points]
    score = sum((one > 0) - (one < 0) for one in slopes)
    middle = median(rest)
    apart = median(abs(one - middle) for one in rest)
    # What is as straight as that needs no test of whether the rest, which may be rounding, is like itself.
    straight = apart < _STRAIGHT * abs(found) * (points[-1][0] - points[0][0])
    spread = math.sqrt(_variance(points) * (1.0 if straight else _correction(rest)))
    wide = NormalDist().inv_cdf((1 + confidence) / 2) * spread
    low = slopes[min(max(math.floor((len(slopes) - wide) / 2), 0), len(slopes) - 1)]
    high = slopes[min(math.ceil((len(slopes) + wide) / 2), len(slopes) - 1)]
    deviations = (score - math.copysign(1, score)) / spread if score and spread else 0.0
    return Slope(found, low, high, middle, deviations)


def _median(ordered: list[float]) -> float:
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2


def _variance(points: Sequence[tuple[float, float]]) -> float:
    """Return the variance of Kendall's score where there is no trend, less for values that are the same."""
    ties: dict[float, int] = {}
    for _, value in points:
        ties[value] = ties.get(value, 0) + 1
    return _triple(len(points)) - sum(_triple(n) for n in ties.values() if n > 1)


def _triple(n: int) -> float:
    return n * (n - 1) * (2 * n + 5) / 18


def _correction(rest: Sequence[float]) -> float:
    """Return by how much more the score varies because a value resembles the one before."""
    n = len(rest)
    order = {at: rank for rank, at in enumerate(sorted(range(n), key=rest.__getitem__))}
    ranks = [order[at] - (n - 1) / 2 for at in range(n)]
    square = sum(rank * rank for rank in ranks)
    more = 0.0
    for lag in range(1, n // 3):
        alike = sum(one * other for one, other in zip(ranks, ranks[lag:], strict=False)) / square
        # What is not significant is left out, as they do.
        if abs(alike) > 1.96 / math.sqrt(n):
            more += (n - lag) * (n - lag - 1) * (n - lag - 2) * alike
    return max(1 + 2 / (n * (n - 1) * (n - 2)) * more, 1.0) if square and n > 2 else 1.0
