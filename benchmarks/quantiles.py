"""The numbers that are taken from many."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import median

__all__ = ["lowest_decile", "median", "spread"]


def lowest_decile(values: Iterable[float]) -> float:
    """Return the upper end of the lowest tenth: what is left of a burst when nothing disturbs it."""
    ordered = sorted(values)
    return ordered[max(-(-len(ordered) // 10) - 1, 0)]


def spread(values: Sequence[float]) -> float:
    """Return half the distance between the largest and the smallest."""
    return (max(values) - min(values)) / 2
