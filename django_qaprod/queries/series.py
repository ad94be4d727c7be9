"""Numbers over time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from .. import histogram
from .window import Window

__all__ = ["Point", "Total", "Window", "points", "totals"]


@dataclass(slots=True)
class Total:
    """Numbers added up. ``histogram`` is empty for series that have none, or when it was not asked for."""

    count: int = 0
    total: float = 0.0
    minimum: float | None = None
    maximum: float | None = None
    histogram: histogram.Buckets = field(default_factory=dict)

    @property
    def mean(self) -> float | None:
        """The mean of the values, ``None`` when there are none."""
        return self.total / self.count if self.count else None

    def quantile(self, fraction: float) -> float | None:
        """Return a quantile, right to ``histogram.RELATIVE_ERROR``."""
        return histogram.quantile(self.histogram, fraction)


@dataclass(slots=True)
class Point(Total):
    """The numbers of one step of a chart."""

    start: datetime = field(kw_only=True)


def points(
    name: str,
    *,
    window: Window,
    step: int,
    label: str | None = None,
    labels: Iterable[str] | None = None,
    attributes: Mapping[str, str] | None = None,
) -> list[Point]:
    """Return the numbers of a window step by step, the empty steps included.

    ``step`` is a multiple of 60 seconds; steps begin at multiples of it since the epoch, so the window is
    widened to whole ones. Series are chosen by ``label``, by several ``labels``, and by the attributes that
    they must have. Two queries.
    """
    raise NotImplementedError


def totals(
    name: str, *, window: Window, by: tuple[str, ...] = (), label: str | None = None, histograms: bool = True
) -> dict[tuple[str, ...], Total]:
    """Return the numbers of a window added up by the values of the attributes ``by``. Two queries."""
    raise NotImplementedError
