"""What was counted, as the cells of a record: made at a flush, and imported no earlier."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping

from .. import histogram
from ..records import Cell, Exemplar
from .numbers import REQUEST_BROWSER, REQUEST_DURATION, CountKey, Readings, RequestKey


def of_requests(taken: Iterable[tuple[RequestKey, list[float]]], start: int) -> list[Cell]:
    """Return durations by route, method, status and outcome, and counts by route, browser and outcome."""
    durations: dict[tuple[str, str, int, str], list[float]] = {}
    browsers: Counter[tuple[str, str, str]] = Counter()
    for (route, method, status, outcome, browser), seconds in taken:
        durations.setdefault((route, method, status, outcome), []).extend(seconds)
        browsers[route, browser, outcome] += len(seconds)
    return [_duration_cell(key, values, start) for key, values in durations.items()] + [
        Cell(
            name=REQUEST_BROWSER,
            label=route,
            attributes=(("http.route", route), ("browser", browser), ("qaprod.outcome", outcome)),
            start=start,
            count=n,
        )
        for (route, browser, outcome), n in browsers.items()
    ]


def of_counts(counts: Mapping[CountKey, int], start: int) -> list[Cell]:
    """Return the plain counters."""
    return [
        Cell(name=name, label=label, attributes=attributes, start=start, count=n)
        for (name, label, attributes), n in counts.items()
    ]


def of_gauges(gauges: Mapping[CountKey, Readings], start: int) -> list[Cell]:
    """Return what was read of gauges."""
    return [
        Cell(
            name=name,
            label=label,
            attributes=attributes,
            start=start,
            count=count,
            total=total,
            minimum=least,
            maximum=most,
            gauge=True,
            unit=unit,
        )
        for (name, label, attributes), (count, total, least, most, unit) in gauges.items()
    ]


def of_exemplars(taken: Mapping[RequestKey, tuple[float, float, str, str]]) -> tuple[Exemplar, ...]:
    """Return single requests, each with the attributes of its series."""
    return tuple(
        [
            Exemplar(attributes=attributes_of(*key[:4]), at=at, value=seconds, trace_id=trace, span_id=span)
            for key, (at, seconds, trace, span) in taken.items()
        ]
    )


def attributes_of(route: str, method: str, status: int, outcome: str) -> tuple[tuple[str, str], ...]:
    """Return the attributes of the durations of requests."""
    return (
        ("http.request.method", method),
        ("http.route", route),
        ("http.response.status_code", str(status or "")),
        ("qaprod.outcome", outcome),
    )


def _duration_cell(key: tuple[str, str, int, str], values: list[float], start: int) -> Cell:
    route, method, status, outcome = key
    return Cell(
        name=REQUEST_DURATION,
        label=route,
        attributes=attributes_of(route, method, status, outcome),
        start=start,
        count=len(values),
        total=math.fsum(values),
        minimum=min(values),
        maximum=max(values),
        histogram=histogram.encode(histogram.of(values)),
    )
