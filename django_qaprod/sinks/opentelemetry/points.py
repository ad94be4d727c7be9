"""From what was counted to OpenTelemetry's data points.

https://opentelemetry.io/docs/specs/otel/metrics/data-model/
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from opentelemetry.sdk import metrics as sdk
from opentelemetry.sdk.metrics import export

from ... import histogram
from ...pipeline.numbers import STEPS
from .series import DEGRADATIONS, FAILURES, Attributes, Count, Due, Durations, Metric, Readings

#: What the conventions advise for the durations of requests, in seconds:
#: https://opentelemetry.io/docs/specs/semconv/http/http-metrics/#metric-httpserverrequestduration
BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)

#: Units of what is counted, where it has a name.
UNITS = {FAILURES: "{failure}", DEGRADATIONS: "{degradation}", STEPS: "{step}"}

#: Buckets of one exponential histogram, as the SDK has them at most.
MOST_BUCKETS = 160


class Exponential(NamedTuple):
    """Buckets ``offset``, ``offset + 1``, … of an exponential histogram of that scale."""

    scale: int
    offset: int
    counts: list[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """How numbers go out: as sums since the beginning or since the last time, with buckets of which kind."""

    cumulative: bool
    exponential: bool

    @property
    def temporality(self) -> export.AggregationTemporality:
        """The same in the SDK's words."""
        kinds = export.AggregationTemporality
        return kinds.CUMULATIVE if self.cumulative else kinds.DELTA


def explicit(buckets: Mapping[int, int]) -> list[int]:
    """Return the counts between ``BOUNDS``, one more than there are.

    A bucket of ours, 4.4% wide, goes as a whole to where its middle lies: what was measured within 4.4% of a
    bound may be counted on its other side.
    """
    counts = [0] * (len(BOUNDS) + 1)
    for position, count in buckets.items():
        counts[bisect_left(BOUNDS, histogram.midpoint(position))] += count
    return counts


def exponential(buckets: Mapping[int, int]) -> Exponential:
    """Return the buckets as they are, or in pairs of pairs where they would be more than ``MOST_BUCKETS``.

    Ours are those of the data model at scale 4; two that become one at the next lower scale lose nothing but
    resolution ("Exponential Scale", perfect subsetting).
    """
    low, high, shift = min(buckets), max(buckets), 0
    while (high >> shift) - (low >> shift) >= MOST_BUCKETS:
        shift += 1
    offset = low >> shift
    counts = [0] * ((high >> shift) - offset + 1)
    for position, count in buckets.items():
        counts[(position >> shift) - offset] += count
    return Exponential(histogram.SCALE - shift, offset, counts)


def of(due: Iterable[Due], style: Style, end: int) -> Iterator[export.Metric]:
    """Yield metrics with a point for each of these series, as of ``end``, in nanoseconds since the epoch."""
    points, keys = _Points(style, end), defaultdict[Metric[Any], list[Attributes]](list)
    for metric, key in due:
        keys[metric].append(key)
    for metric, found in keys.items():
        yield points.metric(metric, found)


class _Points:
    def __init__(self, style: Style, end: int) -> None:
        self._style = style
        self._end = end

    def metric(self, metric: Metric[Any], keys: Iterable[Attributes]) -> export.Metric:
        points = [self._point(dict(key), metric.series[key]) for key in keys]
        unit = UNITS.get(metric.name, metric.unit)
        return export.Metric(metric.name, "", unit, self._data(metric.make, points))

    def _data(self, kind: type, points: list[Any]) -> Any:
        if kind is Readings:
            return export.Gauge(points)
        if kind is Count:
            return export.Sum(points, self._style.temporality, is_monotonic=True)
        histograms = export.ExponentialHistogram if self._style.exponential else export.Histogram
        return histograms(points, self._style.temporality)

    def _point(self, attributes: dict[str, Any], found: Count | Durations | Readings) -> Any:
        if isinstance(found, Durations):
            make = self._exponential if self._style.exponential else self._explicit
            return make(attributes, found)
        value = found.value if isinstance(found, Count) else found.mean
        return export.NumberDataPoint(attributes, found.since, self._end, value)

    def _explicit(self, attributes: dict[str, Any], found: Durations) -> export.HistogramDataPoint:
        return export.HistogramDataPoint(
            attributes=attributes,
            start_time_unix_nano=found.since,
            time_unix_nano=self._end,
            count=found.count,
            sum=found.total,
            bucket_counts=explicit(found.buckets),
            explicit_bounds=BOUNDS,
            min=found.minimum,
            max=found.maximum,
            exemplars=_exemplars(found),
        )

    def _exponential(
        self, attributes: dict[str, Any], found: Durations
    ) -> export.ExponentialHistogramDataPoint:
        scale, offset, counts = exponential(found.buckets)
        return export.ExponentialHistogramDataPoint(
            attributes=attributes,
            start_time_unix_nano=found.since,
            time_unix_nano=self._end,
            count=found.count,
            sum=found.total,
            scale=scale,
            zero_count=0,
            positive=export.Buckets(offset, counts),
            negative=export.Buckets(0, []),
            flags=0,
            min=found.minimum,
            max=found.maximum,
            exemplars=_exemplars(found),
        )


def _exemplars(found: Durations) -> list[sdk.Exemplar]:
    return [
        sdk.Exemplar(
            filtered_attributes={},
            value=one.value,
            time_unix_nano=int(one.at * 1e9),
            span_id=int(one.span_id, 16),
            trace_id=int(one.trace_id, 16),
        )
        for one in found.exemplars
    ]
