"""Failures: what the list and a failure's page show beside its own columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from django.core.paginator import Paginator
from django.db.models import Min

from .. import clock, registry
from ..models import Affected, Deploy, Event, Occurrence
from ..registry import JourneySpec
from . import buckets, journeys
from .series import Point, Window, named, points
from .stacks import Frame, Link, chain, frames
from .window import DAY, HOUR

__all__ = [
    "FailureDetail",
    "Frame",
    "Impact",
    "Link",
    "OccurrencePage",
    "Share",
    "Sparkline",
    "chain",
    "detail",
    "frames",
    "occurrences",
    "sparklines",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sparkline:
    """Occurrences in the last 24 hours by hour, and in the last 14 days (UTC) by day; the latest last."""

    day: list[int]
    fortnight: list[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """How many of the occurrences that are kept have a value. ``part`` is between 0 and 1."""

    value: str
    count: int
    part: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Impact:
    """What a failure did to a journey in the window: ``met`` of ``started`` subjects met it.

    ``served`` of them were served anyway, and ``went_on`` of those have taken a later step since. ``started``
    counts the subjects that took the first step in the window, and those that met the failure in it having
    started before or never. Both are ``None`` for a journey that is not declared any more.
    """

    journey: str
    title: str
    met: int
    started: int | None
    served: int
    went_on: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureDetail:
    """What a failure's page shows. The shares speak of the ``kept`` occurrences, a fair sample of all."""

    failure: int
    window: Window
    points: list[Point]
    routes: list[Share]
    releases: list[Share]
    browsers: list[Share]
    kept: int
    impact: list[Impact]
    deploys: list[Deploy]


@dataclass(frozen=True, slots=True, kw_only=True)
class OccurrencePage:
    """A page of kept occurrences, the latest first. ``page`` begins at 1 and is always one that exists."""

    items: list[Occurrence]
    page: int
    pages: int
    total: int


class _Met(NamedTuple):
    served: bool
    at: datetime


class _Step(NamedTuple):
    """A step that a subject has taken: its place among the declared ones, and when it was taken first."""

    position: int
    first: datetime


_NUMBERS = "qaprod.failures"
_HOURS, _DAYS = 24, 14
# No more subjects than these are asked for in one query.
_CHUNK = 500


def sparklines(ids: Iterable[int], *, now: datetime | None = None) -> dict[int, Sparkline]:
    """Return the sparklines of several failures, every one of them. Three queries however many."""
    wanted = list(ids)
    at = clock.epoch(clock.now() if now is None else now)
    labels = dict(named(_NUMBERS, labels=[str(pk) for pk in wanted]).values_list("pk", "label"))
    day = _counts(labels, at, HOUR, _HOURS)
    fortnight = _counts(labels, at, DAY, _DAYS)
    return {
        pk: Sparkline(day=day.get(str(pk), [0] * _HOURS), fortnight=fortnight.get(str(pk), [0] * _DAYS))
        for pk in wanted
    }


def detail(failure_id: int, window: Window) -> FailureDetail:
    """Return what a failure's page shows.

    Four queries, and for each journey that met it those of ``journeys.facts`` and one for each 500 subjects.
    """
    kept = list(Occurrence.objects.filter(failure=failure_id).values_list("route", "release", "browser"))
    return FailureDetail(
        failure=failure_id,
        window=window,
        points=points(_NUMBERS, label=str(failure_id), window=window, step=window.step),
        routes=_shares(route for route, _, _ in kept),
        releases=_shares(release for _, release, _ in kept),
        browsers=_shares(browser for _, _, browser in kept),
        kept=len(kept),
        impact=_impact(failure_id, window),
        deploys=list(Deploy.objects.filter(at__gte=window.start, at__lt=window.end).order_by("at")),
    )


def occurrences(failure_id: int, page: int = 1, per_page: int = 20) -> OccurrencePage:
    """Return a page of the occurrences that are kept. Two queries."""
    # By offset: the kept occurrences of a failure are few, ``QAPROD["OCCURRENCES_PER_FAILURE"]`` and some.
    paginator = Paginator(Occurrence.objects.filter(failure=failure_id).order_by("-at", "-id"), per_page)
    found = paginator.get_page(page)
    return OccurrencePage(
        items=list(found.object_list), page=found.number, pages=paginator.num_pages, total=paginator.count
    )


def _counts(labels: Mapping[int, str], at: float, step: int, number: int) -> dict[str, list[int]]:
    end = (int(at // step) + 1) * step
    start = end - number * step
    found: dict[str, list[int]] = {}
    for row in buckets.short_rows(labels.keys(), buckets.steps(start, end, step)):
        found.setdefault(labels[row.series], [0] * number)[(row.start - start) // step] += row.count
    return found


def _shares(values: Iterable[str]) -> list[Share]:
    counted = Counter(value for value in values if value)
    whole = sum(counted.values())
    return [
        Share(value=value, count=count, part=count / whole)
        for value, count in sorted(counted.items(), key=lambda item: (-item[1], item[0]))
    ]


def _impact(failure_id: int, window: Window) -> list[Impact]:
    affected = Affected.objects.filter(
        failure=failure_id, who=Affected.Who.SUBJECT, at__gte=window.start, at__lt=window.end
    )
    met: dict[str, dict[str, _Met]] = {}
    for journey, key, served, at in affected.values_list("journey", "key", "served", "at"):
        met.setdefault(journey, {})[key] = _Met(served, at)
    impacts = [_of_journey(journey, subjects, window) for journey, subjects in met.items() if journey]
    return sorted(impacts, key=lambda impact: (-impact.met, impact.journey))


def _of_journey(name: str, subjects: Mapping[str, _Met], window: Window) -> Impact:
    spec = next((known for known in registry.journeys() if known.name == name), None)
    started = went_on = None
    if spec is not None:
        taken = _taken(spec, subjects)
        inside = sum(_started_in(window, steps) for steps in taken.values())
        started = journeys.reached(spec, spec.steps[0].name, window) + len(subjects) - inside
        went_on = sum(met.served and _went_on(taken.get(key, []), met.at) for key, met in subjects.items())
    return Impact(
        journey=name,
        title=spec.title if spec is not None else name,
        met=len(subjects),
        started=started,
        served=sum(met.served for met in subjects.values()),
        went_on=went_on,
    )


def _taken(spec: JourneySpec, subjects: Iterable[str]) -> dict[str, list[_Step]]:
    """Return which of the declared steps each of the subjects has taken."""
    positions = {step.name: position for position, step in enumerate(spec.steps)}
    keys = list(subjects)
    taken: dict[str, list[_Step]] = {}
    for begin in range(0, len(keys), _CHUNK):
        rows = (
            Event.objects.filter(
                journey=spec.name, subject__in=keys[begin : begin + _CHUNK], step__in=positions
            )
            .order_by()
            .values_list("subject", "step")
            .annotate(first=Min("at"))
        )
        for subject, step, first in rows:
            taken.setdefault(subject, []).append(_Step(positions[step], first))
    return taken


def _started_in(window: Window, steps: Iterable[_Step]) -> bool:
    """Return whether a subject took the first step for the first time in the window."""
    return any(step.position == 0 and window.start <= step.first < window.end for step in steps)


def _went_on(steps: Iterable[_Step], met: datetime) -> bool:
    """Return whether a subject has taken a step since that lies behind all that it had taken.

    Who met the failure on the way to the first step is not come on by that one: they were served just that.
    """
    come_to = max((step.position for step in steps if step.first <= met), default=0)
    return any(step.position > come_to for step in steps)
