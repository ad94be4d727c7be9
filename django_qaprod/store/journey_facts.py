"""What the rows of events say about a journey: the one derivation behind roll-ups and pages.

Every fact belongs to the moment of one event, so that the facts of two adjacent stretches of time add up to
those of both together:

- *taken*: an event;
- *reached*: the first event of its subject and step;
- *duration*: for the one who reaches a step, the time since they reached the declared step before it, and
  since they reached the first one; no such fact where they reached that later or never.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple, TypeAlias
from uuid import UUID

from django.db.models import Min, Q

from .. import histogram
from ..models import Event
from ..registry import JourneySpec

#: Rows read at once: short queries, for SQLite's sake.
CHUNK = 1000

#: (step, variant, browser)
StepKey: TypeAlias = tuple[str, str, str]
#: (from step, to step, variant, browser)
DurationKey: TypeAlias = tuple[str, str, str, str]


@dataclass(slots=True)
class Durations:
    """Seconds added up."""

    count: int = 0
    total: float = 0.0
    minimum: float = float("inf")
    maximum: float = 0.0
    histogram: histogram.Buckets = field(default_factory=dict)

    def add(self, seconds: float) -> None:
        """Add one duration."""
        self.merge(Durations(1, seconds, seconds, seconds, {histogram.index(seconds): 1}))

    def merge(self, other: Durations) -> None:
        """Add all those of another."""
        self.count += other.count
        self.total += other.total
        self.minimum = min(self.minimum, other.minimum)
        self.maximum = max(self.maximum, other.maximum)
        histogram.merge(self.histogram, other.histogram)


@dataclass(slots=True)
class Facts:
    """How often steps were taken and reached, and how long it took."""

    taken: Counter[StepKey] = field(default_factory=Counter)
    reached: Counter[StepKey] = field(default_factory=Counter)
    durations: dict[DurationKey, Durations] = field(default_factory=dict)

    def add_duration(self, key: DurationKey, found: Durations) -> None:
        """Add durations of a pair of steps."""
        self.durations.setdefault(key, Durations()).merge(found)


class _Row(NamedTuple):
    id: UUID
    at: datetime
    step: str
    subject: str
    variant: str
    browser: str


def derive(journey: JourneySpec, start: datetime, end: datetime, into: Facts | None = None) -> Facts:
    """Return the facts of the events from ``start`` to before ``end``, added to ``into`` if given.

    Reads in chunks: two short queries for every thousand events.
    """
    facts = into if into is not None else Facts()
    origins = _origins(journey)
    seen: set[tuple[str, str]] = set()
    for rows in _chunks(journey.name, start, end):
        firsts = _firsts(journey.name, {row.subject for row in rows})
        for row in rows:
            _add(facts, row, firsts[row.subject], origins.get(row.step, ()), seen)
    return facts


def count(journey: str, start: datetime, end: datetime) -> int:
    """Return the number of events from ``start`` to before ``end``."""
    return Event.objects.filter(journey=journey, at__gte=start, at__lt=end).count()


def _add(
    facts: Facts,
    row: _Row,
    firsts: Mapping[str, datetime],
    origins: Iterable[str],
    seen: set[tuple[str, str]],
) -> None:
    key = (row.step, row.variant, row.browser)
    facts.taken[key] += 1
    # Of two events of one subject at the same instant the one with the lower id is the first.
    if row.at != firsts[row.step] or (row.subject, row.step) in seen:
        return
    seen.add((row.subject, row.step))
    facts.reached[key] += 1
    for origin in origins:
        since = firsts.get(origin)
        if since is not None and since <= row.at:
            durations = facts.durations.setdefault((origin, *key), Durations())
            durations.add((row.at - since).total_seconds())


def _origins(journey: JourneySpec) -> dict[str, tuple[str, ...]]:
    """Return from which steps the way to each step is timed: the one before and the first."""
    names = [step.name for step in journey.steps]
    return {
        name: tuple(dict.fromkeys((names[position - 1], names[0])))
        for position, name in enumerate(names)
        if position
    }


def _chunks(journey: str, start: datetime, end: datetime) -> Iterator[list[_Row]]:
    events = Event.objects.filter(journey=journey, at__lt=end).order_by("at", "id").values_list(*_Row._fields)
    after = Q(at__gte=start)
    while rows := [_Row._make(row) for row in events.filter(after)[:CHUNK]]:
        yield rows
        if len(rows) < CHUNK:
            return
        last = rows[-1]
        # ``at__gte`` again, because an index serves it and an OR not.
        after = Q(at__gte=last.at) & (Q(at__gt=last.at) | Q(id__gt=last.id))


def _firsts(journey: str, subjects: set[str]) -> dict[str, dict[str, datetime]]:
    found: dict[str, dict[str, datetime]] = {subject: {} for subject in subjects}
    first = (
        Event.objects.filter(journey=journey, subject__in=subjects)
        .order_by()
        .values_list("subject", "step")
        .annotate(first=Min("at"))
    )
    for subject, step, at in first:
        found[subject][step] = at
    return found
