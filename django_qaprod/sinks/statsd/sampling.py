"""Timers out of histograms: a few values that stand for all requests, each with how many it stands for.

A daemon knows timers as values that were measured, and makes counts, means and quantiles of them itself. To
send it quantiles, as gauges, would be untrue as soon as there are two processes: the last one would win.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache

from ...histogram import midpoint


def sample(
    buckets: Mapping[int, int], most: int, *, minimum: float, maximum: float
) -> Iterator[tuple[float, int]]:
    """Yield at most ``most`` values, in rising order, and how many observations each stands for.

    A stratified sample:

    1. The observations, sorted, are split into groups of consecutive ones, of sizes as equal as whole numbers
       can be.
    2. The mean of each group is yielded. An observation counts as the middle of its bucket, and never lies
       outside ``minimum`` and ``maximum``.

    So counts are exact; sum and mean are right to ``histogram.RELATIVE_ERROR``; and a quantile read from the
    values lies between those of the observations whose rank is one group lower and one group higher, to the
    same error. When there are no more observations than ``most``, each is yielded for itself.
    """
    count = sum(buckets.values())
    groups = min(count, most)
    rest = iter(sorted(buckets.items()))
    left, value = 0, 0.0
    for group in range(groups):
        size = missing = (group + 1) * count // groups - group * count // groups
        total = 0.0
        while missing:
            if not left:
                position, left = next(rest)
                value = min(max(midpoint(position), minimum), maximum)
            taken = min(left, missing)
            total += taken * value
            left -= taken
            missing -= taken
        yield total / size, size


@cache
def rate(size: int) -> str:
    """Return what tells a daemon that a value stands for ``size`` observations.

    Without an exponent, which the original daemon misreads. Its reciprocal is never below ``size``: Telegraf
    and Prometheus' exporter take the whole number below it.
    """
    if size == 1:
        return ""
    digits = 8 + len(str(size))
    scaled = 10**digits // size
    if 1 / (scaled / 10**digits) < size:
        scaled -= 1
    return f"|@0.{scaled:0{digits}d}".rstrip("0")
