"""Long stretches of counts: their whole hours from what is kept of hours, the rest from what is fresh."""

from __future__ import annotations

from collections import defaultdict

from ...specs import Measure
from .base import Sight

_HOUR, _DAY = 3600, 86400


def total(sight: Sight, measure: Measure, start: float, end: float, *, by: str = "") -> dict[str, float]:
    """Return how often it happened in a stretch, by key; one of a day or more begins with a whole hour.

    Hours that have passed are read once and kept, so that a look costs what is new.
    """
    first, last = -int(-start // _HOUR) * _HOUR, int(end // _HOUR) * _HOUR
    if last - first < 2 * _HOUR or by not in {"", "variant", "browser"}:
        return {key: sum(row) for key, row in sight.counts(measure, start, end, by=by).items()}
    found: defaultdict[str, float] = defaultdict(float)
    edges = [(last, end)] if end - start >= _DAY else [(start, first), (last, end)]
    for begins, ends in edges:
        for key, row in sight.counts(measure, begins, ends, by=by).items() if begins < ends else ():
            found[key] += sum(row)
    for key, hours in sight.hours(measure, list(range(first, last, _HOUR)), by=by).items():
        found[key] += sum(hours.values())
    return dict(found)
