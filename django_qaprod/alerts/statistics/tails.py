"""How likely so few are: lower tails of the negative binomial, Poisson and binomial distributions.

All by the regularised incomplete beta and gamma functions, as continued fractions (modified Lentz; Press et
al.: Numerical Recipes, 3rd ed., 6.2 and 6.4) with the factor before them by saddle-point expansion (Loader:
Fast and Accurate Computation of Binomial Probabilities, 2000), which keeps its digits for a million as for
a hundredth, and far out in the tail.
"""

from __future__ import annotations

import math

_TINY = 1e-300
_PRECISION = 1e-13
_MOST_TERMS = 100_000
#: Above this size of a negative binomial only the last digits differ from Poisson's.
_LARGEST_SIZE = 1e12


def fewer(count: float, mean: float, variance: float) -> float:
    """Return the probability of ``count`` or fewer, by a negative binomial of that mean and variance.

    Poisson's where the variance is the mean or less. ``count`` need not be whole: between two whole numbers
    the probability lies between theirs.
    """
    if count < 0:
        return 0.0
    if mean <= 0:
        return 1.0
    size = mean * mean / (variance - mean) if variance > mean else math.inf
    if size > _LARGEST_SIZE * max(mean, 1.0):
        return _gamma_above(count + 1.0, mean)
    return _beta_below(size, count + 1.0, size / (size + mean), mean / (size + mean))


def binomial_fewer(count: float, trials: float, share: float) -> float:
    """Return the probability of ``count`` or fewer successes among ``trials``, which need not be whole."""
    if count < 0:
        return 0.0
    if count >= trials or share <= 0:
        return 1.0
    if share >= 1:
        return 0.0
    return _beta_below(trials - count, count + 1.0, 1 - share, share)


def most_with(probability: float, mean: float, variance: float) -> int:
    """Return the largest count of which that many or fewer are at most so probable; -1 when even 0 is not."""
    if fewer(0, mean, variance) > probability:
        return -1
    low, high = 0, max(math.ceil(mean), 1)
    while fewer(high, mean, variance) <= probability:
        low, high = high, high * 2
    while high - low > 1:
        middle = (low + high) // 2
        if fewer(middle, mean, variance) <= probability:
            low = middle
        else:
            high = middle
    return low


def usual_range(mean: float, variance: float) -> tuple[int, int]:
    """Return between which counts about four times in five it lies."""
    return most_with(0.1, mean, variance) + 1, max(most_with(0.9, mean, variance) + 1, 1)


def _beta_below(a: float, b: float, x: float, y: float) -> float:
    """Return the regularised incomplete beta function at ``x``, which is 1 - ``y``."""
    if x * (a + b) <= a:
        return min(_beta_tail(a, b, x, y), 1.0)
    return max(1.0 - _beta_tail(b, a, y, x), 0.0)


def _beta_tail(a: float, b: float, x: float, y: float) -> float:
    # x**a * y**b / (a * B(a, b)), as a binomial probability.
    front = _binomial(a, b, x, y) * b / (a + b)
    return front * _beta_fraction(a, b, x) if front > 0 else 0.0


def _beta_fraction(a: float, b: float, x: float) -> float:
    """Return the continued fraction, by the modified method of Lentz."""
    c = 1.0
    d = 1.0 / (1.0 - (a + b) * x / (a + 1) or _TINY)
    found = d
    for m in range(1, _MOST_TERMS):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        d = 1.0 / (1.0 + even * d or _TINY)
        c = 1.0 + even / c or _TINY
        found *= d * c
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        d = 1.0 / (1.0 + odd * d or _TINY)
        c = 1.0 + odd / c or _TINY
        step = d * c
        found *= step
        if abs(step - 1.0) < _PRECISION:
            break
    return found


def _gamma_above(a: float, x: float) -> float:
    """Return the regularised upper incomplete gamma function: Poisson's probability of fewer than ``a``."""
    front = a / x * _poisson(a, x)
    if x < a + 1:
        return max(1.0 - front * x / a * _gamma_series(a, x), 0.0)
    return min(front * x * _gamma_fraction(a, x), 1.0)


def _gamma_series(a: float, x: float) -> float:
    term = total = 1.0
    for n in range(1, _MOST_TERMS):
        term *= x / (a + n)
        total += term
        if term < total * _PRECISION:
            break
    return total


def _gamma_fraction(a: float, x: float) -> float:
    b = x + 1.0 - a
    c = 1.0 / _TINY
    d = 1.0 / (b or _TINY)
    found = d
    for n in range(1, _MOST_TERMS):
        factor = -n * (n - a)
        b += 2.0
        d = 1.0 / (factor * d + b or _TINY)
        c = b + factor / c or _TINY
        step = d * c
        found *= step
        if abs(step - 1.0) < _PRECISION:
            break
    return found


def _binomial(k: float, rest: float, p: float, q: float) -> float:
    """Return the binomial probability of ``k`` successes and ``rest`` failures; none need be whole."""
    n = k + rest
    if k <= 0:
        return math.exp(n * math.log1p(-p) if p < 0.5 else n * math.log(q)) if q > 0 else 0.0
    if rest <= 0:
        return math.exp(n * math.log(p)) if p > 0 else 0.0
    if p <= 0 or q <= 0:
        return 0.0
    exponent = _stirling(n) - _stirling(k) - _stirling(rest) - _deviance(k, n * p) - _deviance(rest, n * q)
    return math.exp(exponent) * math.sqrt(n / (2 * math.pi * k * rest))


def _poisson(k: float, mean: float) -> float:
    return math.exp(-_stirling(k) - _deviance(k, mean)) / math.sqrt(2 * math.pi * k)


def _stirling(n: float) -> float:
    """Return by how much the logarithm of n! exceeds Stirling's formula."""
    if n < 16:
        return math.lgamma(n + 1) - (n + 0.5) * math.log(n) + n - 0.5 * math.log(2 * math.pi)
    square = n * n
    return (1 / 12 - (1 / 360 - (1 / 1260 - (1 / 1680 - 1 / 1188 / square) / square) / square) / square) / n


def _deviance(x: float, mean: float) -> float:
    """Return ``x log(x / mean) + mean - x`` without losing digits where both are near."""
    if abs(x - mean) >= 0.1 * (x + mean):
        return x * math.log(x / mean) + mean - x
    v = (x - mean) / (x + mean)
    found = (x - mean) * v
    term = 2 * x * v
    for j in range(1, 1000):
        term *= v * v
        step = found + term / (2 * j + 1)
        if step == found:
            break
        found = step
    return found
