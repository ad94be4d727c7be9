"""Journeys: funnels, conversions, times between steps.

Conversion is by period: the subjects that took step B for the first time in the window, having taken A before,
over the subjects that took A for the first time in the window. So it can exceed 1 in a short window, and it adds
up over windows.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Literal

from ..histogram import RELATIVE_ERROR
from ..registry import JourneySpec
from .series import Window


@dataclass(frozen=True, slots=True, kw_only=True)
class StepCount:
    """A step of a funnel, beside the window before.

    ``events`` counts every time the step was taken, ``reached`` the subjects that took it for the first time.
    ``converted`` of them had taken the declared step before it; ``conversion`` is that over the ``reached`` of the
    step before, ``overall`` the same from the first step, ``None`` at the first step and where nobody reached the
    step before. ``dropped`` is how many reached the step before without being matched here.
    ``median`` and ``p95`` are seconds since the step before, right to the funnel's ``error``.
    """

    step: str
    title: str
    events: int
    reached: int
    converted: int | None
    conversion: float | None
    overall: float | None
    dropped: int
    median: float | None
    p95: float | None
    overall_median: float | None
    previous_events: int
    previous_reached: int
    previous_conversion: float | None
    previous_overall: float | None
    previous_median: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Funnel:
    """The steps of a journey in a window. ``variant`` and ``browser`` are set when only those events were counted."""

    journey: str
    title: str
    window: Window
    steps: list[StepCount]
    variant: str | None = None
    browser: str | None = None
    error: float = RELATIVE_ERROR


@dataclass(frozen=True, slots=True, kw_only=True)
class TrendPoint:
    """How often a step was taken in one step of a chart, and a week before."""

    start: datetime
    count: int
    week_before: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BigNumber:
    """How often a step was taken today, and up to the same time of the day a week before."""

    step: str
    title: str
    events: int
    reached: int
    week_before: int


def funnel(
    journey: JourneySpec, window: Window, *, variant: str | None = None, browser: str | None = None
) -> Funnel:
    """Return the funnel of a journey, of all its events or of one variant or browser family."""
    raise NotImplementedError


def compare(
    journey: JourneySpec, window: Window, *, by: Literal["variant", "browser"] = "variant"
) -> list[Funnel]:
    """Return a funnel for each variant or browser family, the most events first, for the price of one."""
    raise NotImplementedError


def variants(journey: JourneySpec, window: Window) -> list[str]:
    """Return the variants that occur in the window, sorted."""
    raise NotImplementedError


def browsers(journey: JourneySpec, window: Window) -> list[str]:
    """Return the browser families that occur in the window, sorted."""
    raise NotImplementedError


def trend(
    journey: JourneySpec, step: str, window: Window, step_seconds: int | None = None
) -> list[TrendPoint]:
    """Return how often a step was taken, step by step of a chart (an hour or a multiple), beside the week before."""
    raise NotImplementedError


def today(
    journey: JourneySpec, *, zone: tzinfo | None = None, now: datetime | None = None
) -> list[BigNumber]:
    """Return today's numbers of each step, beside those up to the same time a week before."""
    raise NotImplementedError
