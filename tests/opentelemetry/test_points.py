"""Our histogram as OpenTelemetry's: nothing is lost, and what is moved is moved by as much as is said."""

from __future__ import annotations

from bisect import bisect_left

from hypothesis import given
from hypothesis import strategies as some

from django_qaprod import histogram
from django_qaprod.sinks.opentelemetry import points

seconds = some.lists(some.floats(min_value=1e-6, max_value=1e5), min_size=1, max_size=200)


@given(seconds)
def test_explicit_buckets_hold_everything_near_where_it_was_measured(values: list[float]) -> None:
    counts = points.explicit(histogram.of(values))
    assert len(counts) == len(points.BOUNDS) + 1
    assert sum(counts) == len(values)
    for bound in range(len(points.BOUNDS)):
        below = sum(counts[: bound + 1])
        width = histogram.BASE
        assert below >= sum(value <= points.BOUNDS[bound] / width for value in values)
        assert below <= sum(value <= points.BOUNDS[bound] * width for value in values)


@given(some.sampled_from(points.BOUNDS), some.floats(min_value=0.95, max_value=1.05))
def test_a_value_away_from_a_bound_is_on_its_side(bound: float, near: float) -> None:
    value = bound * near
    counts = points.explicit(histogram.of([value]))
    if not 1 / histogram.BASE <= near <= histogram.BASE:
        assert counts[bisect_left(points.BOUNDS, value)] == 1


@given(seconds)
def test_exponential_buckets_are_merged_in_pairs_until_there_are_few(values: list[float]) -> None:
    buckets = histogram.of(values)
    found = points.exponential(buckets)
    assert len(found.counts) <= points.MOST_BUCKETS
    assert sum(found.counts) == len(values)
    assert found.counts[0]
    assert found.counts[-1]
    base = 2.0 ** (2.0**-found.scale)
    for at, count in enumerate(found.counts):
        low = base ** (found.offset + at)
        inside = sum(
            n
            for position, n in buckets.items()
            if low * 0.999 < histogram.midpoint(position) <= low * base * 1.001
        )
        assert inside >= count


def test_what_lies_close_together_keeps_its_resolution() -> None:
    found = points.exponential(histogram.of([0.01, 0.02, 0.5]))
    assert found.scale == histogram.SCALE
