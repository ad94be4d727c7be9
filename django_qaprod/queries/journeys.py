"""Journeys: funnels, conversions, times between steps.

Conversion is by period: the subjects that took step B for the first time in the window, having taken A
before, over the subjects that took A for the first time in the window. So it can exceed 1 in a short window,
and it adds up over windows. Days are those of UTC.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import Literal

from .. import clock, histogram
from ..histogram import RELATIVE_ERROR
from ..models import Event, Series
from ..registry import JourneySpec
from ..store import event_rollups
from ..store.journey_facts import Durations, Facts, derive
from . import buckets
from .window import DAY, HOUR, HOURS_KEPT, Window

WEEK = 7 * DAY


@dataclass(frozen=True, slots=True, kw_only=True)
class StepCount:
    """A step of a funnel, beside the window before.

    ``events`` counts every time the step was taken, ``reached`` the subjects that took it for the first
    time; ``converted`` of them had taken the declared step before it. ``conversion`` is that over the
    ``reached`` of the step before, ``overall`` the same from the first step; both are ``None`` at the first
    step and where nobody reached the other one. ``dropped`` is how many more reached the step before than
    came on to this one. ``median`` and ``p95`` are seconds since the step before, ``overall_median`` since
    the first, right to the funnel's ``error``.
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
    """The steps of a journey in a window; ``variant`` or ``browser`` is set when only its events count."""

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
    """How many subjects ``reached`` a step today, and up to the same time of the day a week before.

    As in a funnel: those that took it for the first time. ``events`` counts every time it was taken today.
    """

    step: str
    title: str
    events: int
    reached: int
    week_before: int


class Measured:
    """The facts of a window and of the one before it: read once, for any number of funnels."""

    def __init__(self, journey: JourneySpec, window: Window) -> None:
        self._journey, self._window = journey, _rounded(window)
        self._now = facts(journey, self._window)
        self._before = facts(journey, _rounded(self._window.before))

    def funnel(self, *, variant: str | None = None, browser: str | None = None) -> Funnel:
        """Return the funnel of all events or of one variant or browser family."""
        return _funnel(self._journey, self._window, self._now, self._before, variant, browser)

    def compare(self, *, by: Literal["variant", "browser"] = "variant") -> list[Funnel]:
        """Return a funnel for each variant or browser family, the most events first."""
        counted = _counted(self._now, by)
        values = sorted(counted, key=lambda value: (-counted[value], value))
        if by == "variant":
            return [self.funnel(variant=value) for value in values]
        return [self.funnel(browser=value) for value in values]


def funnel(
    journey: JourneySpec, window: Window, *, variant: str | None = None, browser: str | None = None
) -> Funnel:
    """Return the funnel of a journey, of all its events or of one variant or browser family.

    A window of more than two days is widened to begin with a whole hour.
    """
    return Measured(journey, window).funnel(variant=variant, browser=browser)


def compare(
    journey: JourneySpec, window: Window, *, by: Literal["variant", "browser"] = "variant"
) -> list[Funnel]:
    """Return a funnel for each variant or browser family, the most events first, for the price of one."""
    return Measured(journey, window).compare(by=by)


def variants(journey: JourneySpec, window: Window) -> list[str]:
    """Return the variants that occur in the window, sorted."""
    return sorted(_counted(facts(journey, window), "variant"))


def browsers(journey: JourneySpec, window: Window) -> list[str]:
    """Return the browser families that occur in the window, sorted."""
    return sorted(_counted(facts(journey, window), "browser"))


def reached(journey: JourneySpec, step: str, window: Window) -> int:
    """Return how many subjects took a step for the first time in the window."""
    return _Slice(facts(journey, window), None, None).reached[step]


def today(
    journey: JourneySpec, *, zone: tzinfo | None = None, now: datetime | None = None
) -> list[BigNumber]:
    """Return today's numbers of each step, beside those up to the same time a week before."""
    window = Window.today(zone, now=now)
    found = _Slice(facts(journey, window), None, None)
    before = _Slice(facts(journey, window.week_before), None, None)
    return [
        BigNumber(
            step=step.name,
            title=step.title,
            events=found.taken[step.name],
            reached=found.reached[step.name],
            week_before=before.reached[step.name],
        )
        for step in journey.steps
    ]


def trend(
    journey: JourneySpec, step: str, window: Window, step_seconds: int | None = None
) -> list[TrendPoint]:
    """Return how often a step was taken, step by step of a chart, beside the week before.

    A step of the chart is a whole number of hours; the window is widened to whole ones. Raises
    ``UnknownStepError`` for a step that the journey does not have.
    """
    journey.step(step)
    seconds = max((step_seconds or window.step) // HOUR, 1) * HOUR
    start, end = window.epochs(seconds)
    now = _taken(journey, step, start, end, seconds)
    before = _taken(journey, step, start - WEEK, end - WEEK, seconds)
    return [
        TrendPoint(start=clock.moment(at), count=now[at], week_before=before[at - WEEK])
        for at in range(start, end, seconds)
    ]


def facts(journey: JourneySpec, window: Window) -> Facts:
    """Return the facts of a window: its whole closed hours from the roll-ups, the rest from the rows."""
    start, end = clock.epoch(window.start), clock.epoch(window.end)
    low, high = _rolled_up(journey, start, end)
    if low >= high:
        return derive(journey, window.start, window.end)
    found = derive(journey, window.start, clock.moment(low))
    _add_rolled_up(found, journey, low, high)
    return derive(journey, clock.moment(high), window.end, found)


def _rounded(window: Window) -> Window:
    # The rows of a part of an hour can cost as much as the roll-ups of a month.
    if window.length <= timedelta(days=2):
        return window
    return Window(clock.moment(window.epochs(HOUR)[0]), window.end)


def _rolled_up(journey: JourneySpec, start: float, end: float) -> tuple[int, int]:
    """Return the whole hours of a window that are rolled up; days where its hours may be gone already."""
    covered = min(end, event_rollups.covered_until(journey.name))
    grain = HOUR if clock.epoch(clock.now()) - start <= HOURS_KEPT.total_seconds() else DAY
    return -int(-start // grain) * grain, int(covered // grain) * grain


def _add_rolled_up(found: Facts, journey: JourneySpec, low: int, high: int) -> None:
    series = Series.objects.filter(name__in=event_rollups.DERIVED, label=journey.name)
    kinds = {
        pk: (name, attributes) for pk, name, attributes in series.values_list("pk", "name", "attributes")
    }
    pieces = buckets.cover(low, high, DAY if high - low > 2 * DAY else HOUR, HOUR)
    for row in buckets.rows(series, pieces):
        if row.series in kinds:
            _add(found, *kinds[row.series], row)


def _add(found: Facts, name: str, attributes: Mapping[str, str], row: buckets.Row) -> None:
    variant, browser = attributes.get("variant", ""), attributes.get("browser", "")
    if name == event_rollups.DURATION:
        key = (attributes.get("from", ""), attributes.get("to", ""), variant, browser)
        found.add_duration(
            key, Durations(row.count, row.total, row.minimum, row.maximum, histogram.decode(row.histogram))
        )
    else:
        counts = found.taken if name == event_rollups.STEP else found.reached
        counts[attributes.get("step", ""), variant, browser] += row.count


class _Slice:
    """The facts of one variant and browser family, by step."""

    def __init__(self, facts: Facts, variant: str | None, browser: str | None) -> None:
        self.taken: Counter[str] = Counter()
        self.reached: Counter[str] = Counter()
        self.durations: dict[tuple[str, str], Durations] = {}
        for counts, into in ((facts.taken, self.taken), (facts.reached, self.reached)):
            for (step, *of), count in counts.items():
                if _matches(of, variant, browser):
                    into[step] += count
        for (origin, step, *of), durations in facts.durations.items():
            if _matches(of, variant, browser):
                self.durations.setdefault((origin, step), Durations()).merge(durations)

    def conversion(self, origin: str | None, step: str) -> float | None:
        if origin is None or not self.reached[origin]:
            return None
        return self.converted(origin, step) / self.reached[origin]

    def converted(self, origin: str, step: str) -> int:
        found = self.durations.get((origin, step))
        return found.count if found else 0

    def quantile(self, origin: str | None, step: str, fraction: float) -> float | None:
        found = self.durations.get((origin or "", step))
        return histogram.quantile(found.histogram, fraction) if found else None


def _matches(of: list[str], variant: str | None, browser: str | None) -> bool:
    return (variant is None or of[0] == variant) and (browser is None or of[1] == browser)


def _counted(facts: Facts, by: Literal["variant", "browser"]) -> Counter[str]:
    counted: Counter[str] = Counter()
    for key, count in facts.taken.items():
        counted[key[1 if by == "variant" else 2]] += count
    return counted


def _funnel(
    journey: JourneySpec, window: Window, now: Facts, before: Facts, variant: str | None, browser: str | None
) -> Funnel:
    found, earlier = _Slice(now, variant, browser), _Slice(before, variant, browser)
    return Funnel(
        journey=journey.name,
        title=journey.title,
        window=window,
        variant=variant,
        browser=browser,
        steps=[_step(journey, position, found, earlier) for position in range(len(journey.steps))],
    )


def _step(journey: JourneySpec, position: int, now: _Slice, before: _Slice) -> StepCount:
    step = journey.steps[position].name
    origin = journey.steps[position - 1].name if position else None
    first = journey.steps[0].name if position else None
    converted = now.converted(origin, step) if origin is not None else None
    return StepCount(
        step=step,
        title=journey.steps[position].title,
        events=now.taken[step],
        reached=now.reached[step],
        converted=converted,
        conversion=now.conversion(origin, step),
        overall=now.conversion(first, step),
        dropped=max(now.reached[origin] - (converted or 0), 0) if origin is not None else 0,
        median=now.quantile(origin, step, 0.5),
        p95=now.quantile(origin, step, 0.95),
        overall_median=now.quantile(first, step, 0.5),
        previous_events=before.taken[step],
        previous_reached=before.reached[step],
        previous_conversion=before.conversion(origin, step),
        previous_overall=before.conversion(first, step),
        previous_median=before.quantile(origin, step, 0.5),
    )


def _taken(journey: JourneySpec, step: str, start: int, end: int, seconds: int) -> Counter[int]:
    """Return how often a step was taken, by the beginning of the chart's steps."""
    found: Counter[int] = Counter()
    covered = event_rollups.covered_until(journey.name)
    high = max(min(end, covered - covered % HOUR), start)
    series = Series.objects.filter(name=event_rollups.STEP, label=journey.name)
    wanted = {
        pk for pk, attributes in series.values_list("pk", "attributes") if attributes.get("step") == step
    }
    resolution = DAY if seconds % DAY == 0 else HOUR
    for row in buckets.short_rows(series, buckets.cover(start, high, resolution, HOUR)):
        if row.series in wanted:
            found[row.start - row.start % seconds] += row.count
    events = Event.objects.filter(
        journey=journey.name, step=step, at__gte=clock.moment(high), at__lt=clock.moment(end)
    )
    for at in events.order_by().values_list("at", flat=True):
        found[int(clock.epoch(at) // seconds) * seconds] += 1
    return found
