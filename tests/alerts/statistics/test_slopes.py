"""A slope that outliers do not bend."""

from __future__ import annotations

import math
import random

import pytest

from django_qaprod.alerts.statistics import slopes
from django_qaprod.alerts.statistics.slopes import slope


def test_outliers_do_not_bend_it() -> None:
    """A fifth of the readings is nonsense."""
    points = [(float(at), 3.0 + 0.5 * at + (1000.0 if at % 5 == 0 else 0.0)) for at in range(60)]
    found = slope(points, end=60.0)
    assert found.slope == pytest.approx(0.5, abs=0.02)
    assert found.level == pytest.approx(33.0, abs=1)


def test_its_bounds_hold_as_often_as_they_say() -> None:
    """Nine times in ten the true one lies between them."""
    rng = random.Random(5)
    held = 0
    for _ in range(150):
        found = slope([(float(at), 0.1 * at + rng.gauss(0, 2)) for at in range(30)], end=30.0)
        held += found.low <= 0.1 <= found.high
    assert 0.83 <= held / 150 <= 0.97


def test_what_follows_from_the_value_before_is_no_trend(monkeypatch: pytest.MonkeyPatch) -> None:
    """A value that wanders about is taken for a trend far less often than by the plain test."""
    rng = random.Random(6)
    found = plain = 0
    for _ in range(100):
        value, points = 0.0, []
        for at in range(60):
            value = 0.9 * value + rng.gauss(0, 1)
            points.append((float(at), value))
        found += abs(slope(points, end=60.0).deviations) > 3.1
        with monkeypatch.context() as patch:
            patch.setattr(slopes, "_correction", lambda rest: 1.0)
            plain += abs(slope(points, end=60.0).deviations) > 3.1
    assert found <= 10
    assert plain >= 3 * found


def test_the_same_value_always_has_no_slope() -> None:
    """Ties leave nothing to test."""
    found = slope([(float(at), 7.0) for at in range(20)], end=20.0)
    assert (found.slope, found.deviations) == (0.0, 0.0)
    assert math.isfinite(found.low)


def test_a_straight_line_is_a_trend_whatever_its_rounding() -> None:
    """What is left of it is nothing but digits, which resemble each other."""
    points = [(1.7e9 + 300 * at, 0.1 * at) for at in range(72)]
    assert slope(points, end=1.7e9 + 72 * 300).deviations > 10
