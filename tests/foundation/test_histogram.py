"""Histograms merge without loss, and a quantile is as near as is stated."""

from __future__ import annotations

import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from django_qaprod import histogram
from django_qaprod.histogram import Buckets

# From a microsecond to a month.
durations = st.floats(2e-6, 2_600_000)
samples = st.lists(durations, min_size=1, max_size=200)
# Counts of one byte and of several.
buckets = st.dictionaries(
    st.integers(histogram.LOWEST, histogram.HIGHEST),
    st.integers(1, 130) | st.integers(1, 10**12),
    max_size=50,
)


@given(samples, st.floats(0, 1))
def test_a_quantile_is_within_the_stated_error(values: list[float], fraction: float) -> None:
    exact = sorted(values)[max(math.ceil(fraction * len(values)), 1) - 1]
    found = histogram.quantile(histogram.of(values), fraction)
    assert found is not None
    assert abs(found - exact) <= histogram.RELATIVE_ERROR * exact * (1 + 1e-9)


@given(samples | st.lists(st.floats(allow_nan=False)))
def test_many_values_land_where_each_would(values: list[float]) -> None:
    assert histogram.of(values) == Counter(map(histogram.index, values))


def test_the_stated_error_is_the_documented_one() -> None:
    assert pytest.approx(0.0217, abs=1e-4) == histogram.RELATIVE_ERROR


@given(samples, samples, samples)
def test_merging_is_the_same_as_observing_together(
    one: list[float], two: list[float], three: list[float]
) -> None:
    together = dict(histogram.of(one + two + three))
    left = histogram.merge(histogram.merge(histogram.of(one), histogram.of(two)), histogram.of(three))
    right = histogram.merge(histogram.of(three), histogram.merge(histogram.of(two), histogram.of(one)))
    assert dict(left) == dict(right) == together


@given(buckets)
def test_encoding_loses_nothing(found: Buckets) -> None:
    assert histogram.decode(histogram.encode(found)) == found


@given(buckets, st.lists(buckets, max_size=4))
def test_stored_histograms_merge_as_they_do_unpacked(into: Buckets, stored: list[Buckets]) -> None:
    expected = dict(into)
    for other in stored:
        histogram.merge(expected, other)
        histogram.merge_encoded(into, histogram.encode(other))
    assert into == expected


@given(samples)
def test_bytes_that_were_cut_are_refused_or_shorter(values: list[float]) -> None:
    data = histogram.encode(histogram.of(values))
    with pytest.raises(ValueError, match=r"pairs|middle"):
        histogram.decode(data[:-1])


@pytest.mark.parametrize("data", [b"\x80", b"\x01", b"\x01\x80"])
def test_half_a_pair_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"pairs|middle"):
        histogram.decode(data)


@pytest.mark.parametrize("value", [0.0, -1.0, 1e-30, math.inf, 1e300])
def test_what_is_out_of_range_is_counted_at_an_end(value: float) -> None:
    position = histogram.index(value)
    assert position == (histogram.LOWEST if value < 1 else histogram.HIGHEST)


def test_a_boundary_belongs_to_the_bucket_below() -> None:
    assert histogram.index(1.0) == -1
    assert histogram.index(math.nextafter(1.0, 2)) == 0


def test_without_observations_there_is_no_quantile() -> None:
    assert histogram.quantile({}, 0.5) is None
    assert histogram.quantile(histogram.decode(b""), 0.5) is None
