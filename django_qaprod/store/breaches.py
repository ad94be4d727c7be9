"""Finds and keeps breaches: subjects for which an expectation was not met.

A pass over one expectation reads what is new:

1. First steps become due in the order of their times. Those that are due by now, and were not when it was
   looked last, are read from where that ended, and for their subjects the second steps.
2. Steps that were recorded since, by their ids, which sort by when that was: first steps with a time for
   which the first part has looked already; second steps, which close breaches, or are too many.

Every breach is stored once, so that a pass may be repeated, or made twice at once.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import monotonic
from typing import Any, NamedTuple

from django.db.models import F, Q, QuerySet

from .. import clock
from ..conf import events_alias, telemetry_alias
from ..models import Breach, Cursor, Event
from ..records import first_id
from ..registry import ExpectationSpec
from .statements import chunked

#: What happened in time may be committed, or come out of the spool, so much later.
GRACE = timedelta(seconds=60)
#: Clocks of machines differ by less.
SKEW = timedelta(seconds=5)
#: How far back it looks the first time.
FIRST = timedelta(days=1)
#: What was recorded so long before the last pass may have been committed after it.
OVERLAP = timedelta(minutes=5)
#: How far back the steps of a subject are counted, to tell whether a second one is one too many.
COUNTED = timedelta(days=35)
#: Tries to repair a breach that are kept.
TRIES_KEPT = 10

#: Before the names of cursors.
SEGMENT = "expectation:"
_CHUNK = 500
_KINDS, _STATES = Breach.Kind, Breach.State


class Taken(NamedTuple):
    """A step that was taken."""

    id: uuid.UUID
    at: datetime
    subject: str
    request_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """What a pass found. ``whole`` says that it came to its end."""

    found: int = 0
    closed: int = 0
    whole: bool = True


def look(spec: ExpectationSpec, *, now: datetime | None = None, seconds: float = 5.0) -> Looked:
    """Find the breaches of an expectation that are new, and close those that are none any more."""
    at, deadline = now or clock.now(), monotonic() + seconds
    before = _position(f"{SEGMENT}{spec.name}:seen")
    since = (before or at - FIRST) - OVERLAP
    found, whole = _settle(spec, at, deadline)
    found += _look_at_late(spec, since, at)
    closed = _close(spec, since)
    found += _look_at_extra(spec, since, at)
    if whole:
        _move(f"{SEGMENT}{spec.name}:seen", at)
    return Looked(found=found, closed=closed, whole=whole)


def open_breaches(expectation: str) -> QuerySet[Breach]:
    """Return the open breaches of an expectation, those that were tried least lately first."""
    rows = Breach.objects.using(telemetry_alias()).filter(expectation=expectation, state=_STATES.OPEN)
    return rows.order_by(F("tried_at").asc(nulls_first=True), "due_at", "pk")


def tried_since(expectation: str, since: datetime) -> int:
    """Return how many breaches of an expectation were tried to be repaired."""
    rows = Breach.objects.using(telemetry_alias())
    return rows.filter(expectation=expectation, tried_at__gte=since).count()


def keep_try(breach: Breach, *, who: str, words: str, failed: bool, dry_run: bool) -> None:
    """Write down that a repair was tried, or what it would do.

    A dry run that fails is a try, too: it is not repeated for ever.
    """
    at, tries = clock.now(), int(failed or not dry_run)
    told = {"at": clock.epoch(at), "who": who, "words": words[:500], "failed": failed, "dry_run": dry_run}
    rows = Breach.objects.using(telemetry_alias()).filter(pk=breach.pk)
    known = rows.values_list("tried", flat=True).first() or []
    rows.update(tried=[*known, told][-TRIES_KEPT:], tried_at=at, tries=F("tries") + tries)


def close_if_it_came(spec: ExpectationSpec, breach: Breach) -> None:
    """Close a breach at once, if the second step is there."""
    came = _times(spec.then, {breach.subject}, breach.at - SKEW)[breach.subject]
    if came and breach.kind == _KINDS.MISSING:
        rows = Breach.objects.using(telemetry_alias()).filter(pk=breach.pk, state=_STATES.OPEN)
        rows.update(state=_STATES.CAME, closed_at=came[0])


def dismiss(ids: Iterable[int], *, who: str, why: str) -> int:
    """Close open breaches by a person's word; return how many."""
    rows = Breach.objects.using(telemetry_alias()).filter(pk__in=list(ids), state=_STATES.OPEN)
    return rows.update(state=_STATES.DISMISSED, closed_at=clock.now(), who=who[:150], why=why[:500])


def _settle(spec: ExpectationSpec, now: datetime, deadline: float) -> tuple[int, bool]:
    """Look at first steps that have become due; return how many are breaches, and whether it was all."""
    segment, found = f"{SEGMENT}{spec.name}:due", 0
    position = _position(segment) or now - FIRST
    while monotonic() < deadline:
        steps = list(_taken(spec.when).filter(at__gt=position)[:_CHUNK])
        due = [step for step in map(Taken._make, steps) if spec.due(step.at) + GRACE <= now]
        if not due:
            return found, True
        position = due[-1].at
        if len(due) == _CHUNK:
            # Others may have been taken at the very same time.
            together = map(Taken._make, _taken(spec.when).filter(at=position))
            due += [step for step in together if step not in due]
        found += _keep(_missing(spec, due, now))
        _move(segment, position)
    return found, False


def _look_at_late(spec: ExpectationSpec, since: datetime, now: datetime) -> int:
    """Look at first steps that were recorded after they had become due."""
    passed = _position(f"{SEGMENT}{spec.name}:due")
    if passed is None:
        return 0
    found = 0
    late = _recorded(spec.when, since).filter(at__lte=passed)
    for steps in _pages(late):
        found += _keep(_missing(spec, steps, now))
    return found


def _missing(spec: ExpectationSpec, steps: Sequence[Taken], now: datetime) -> Iterator[Breach]:
    """Yield the breaches of first steps: those that were not followed, or too late."""
    for some in chunked(steps, _CHUNK):
        earliest = min(step.at for step in some) - SKEW
        followed = _times(spec.then, {step.subject for step in some}, earliest)
        for step in some:
            due = spec.due(step.at)
            came = next((at for at in followed[step.subject] if at >= step.at - SKEW), None)
            if came is None:
                yield _breach(spec, _KINDS.MISSING, step, due, now)
            elif came > due:
                yield _breach(spec, _KINDS.MISSING, step, due, now, came=came)


def _close(spec: ExpectationSpec, since: datetime) -> int:
    """Close the breaches for which the second step has come."""
    closed = 0
    rows = Breach.objects.using(telemetry_alias()).filter(
        expectation=spec.name, kind=_KINDS.MISSING, state=_STATES.OPEN
    )
    if not rows.exists():
        return 0
    for steps in _pages(_recorded(spec.then, since)):
        for breach in rows.filter(subject__in={step.subject for step in steps}):
            own = [step.at for step in steps if step.subject == breach.subject]
            came = [at for at in own if at >= breach.at - SKEW]
            if came:
                closed += rows.filter(pk=breach.pk).update(state=_STATES.CAME, closed_at=min(came))
    return closed


def _look_at_extra(spec: ExpectationSpec, since: datetime, now: datetime) -> int:
    """Look for second steps that are one too many, or had no first step before them."""
    if not (spec.once or spec.never_alone):
        return 0
    found = 0
    # A first step that belongs to it may be committed a little later.
    until = uuid.UUID(first_id(clock.epoch(now - GRACE)))
    steps = _recorded(spec.then, since - GRACE).filter(id__lt=until)
    for some in _pages(steps):
        found += _keep(_extra(spec, some, now))
    return found


def _extra(spec: ExpectationSpec, steps: Sequence[Taken], now: datetime) -> Iterator[Breach]:
    subjects, since = {step.subject for step in steps}, now - COUNTED
    first, second = _times(spec.when, subjects, since), _times(spec.then, subjects, since)
    for step in steps:
        begun = sum(at <= step.at + SKEW for at in first[step.subject])
        ended = sum(at <= step.at for at in second[step.subject])
        if not begun and spec.never_alone:
            yield _breach(spec, _KINDS.ALONE, step, step.at, now)
        elif begun and ended > begun and spec.once:
            yield _breach(spec, _KINDS.TWICE, step, step.at, now)


def _breach(
    spec: ExpectationSpec,
    kind: str,
    step: Taken,
    due: datetime,
    now: datetime,
    *,
    came: datetime | None = None,
) -> Breach:
    journey, name = spec.when if kind == _KINDS.MISSING else spec.then
    return Breach(
        expectation=spec.name,
        kind=kind,
        journey=journey,
        step=name,
        subject=step.subject,
        event=step.id,
        at=step.at,
        due_at=due,
        request_id=step.request_id,
        state=_STATES.OPEN if came is None else _STATES.CAME,
        found_at=now,
        closed_at=came,
    )


def _keep(breaches: Iterable[Breach]) -> int:
    """Store those that are new; return how many of them are open."""
    rows, kept = Breach.objects.using(telemetry_alias()), 0
    for some in chunked(breaches, _CHUNK):
        stored = rows.filter(
            expectation=some[0].expectation,
            kind__in={breach.kind for breach in some},
            event__in=[breach.event for breach in some],
        )
        known = set(stored.values_list("kind", "event"))
        new = [breach for breach in some if (breach.kind, breach.event) not in known]
        rows.bulk_create(new, ignore_conflicts=True)
        kept += sum(breach.state == _STATES.OPEN for breach in new)
    return kept


def _taken(step: tuple[str, str]) -> QuerySet[Event, tuple[Any, ...]]:
    journey, name = step
    rows = Event.objects.using(events_alias()).filter(journey=journey, step=name)
    return rows.order_by("at", "id").values_list("id", "at", "subject", "request_id")


def _recorded(step: tuple[str, str], since: datetime) -> QuerySet[Event, tuple[Any, ...]]:
    first = uuid.UUID(first_id(clock.epoch(since)))
    return _taken(step).filter(id__gte=first).order_by("id")


def _pages(rows: QuerySet[Event, tuple[Any, ...]]) -> Iterator[list[Taken]]:
    """Yield steps in the order of their ids, some at a time."""
    page = rows[:_CHUNK]
    while steps := list(map(Taken._make, page)):
        yield steps
        page = rows.filter(id__gt=steps[-1].id)[:_CHUNK]


def _times(step: tuple[str, str], subjects: set[str], since: datetime) -> defaultdict[str, list[datetime]]:
    """Return when each subject has taken a step, in order."""
    journey, name = step
    found: defaultdict[str, list[datetime]] = defaultdict(list)
    rows = Event.objects.using(events_alias()).filter(
        Q(journey=journey, step=name, at__gte=since), subject__in=subjects
    )
    for subject, at in rows.order_by("at").values_list("subject", "at"):
        found[subject].append(at)
    return found


def _position(segment: str) -> datetime | None:
    rows = Cursor.objects.using(telemetry_alias()).filter(segment=segment)
    found = rows.values_list("position", flat=True).first()
    return clock.moment(found / 1e6) if found else None


def _move(segment: str, at: datetime) -> None:
    Cursor.objects.using(telemetry_alias()).update_or_create(
        segment=segment, defaults={"position": round(clock.epoch(at) * 1e6), "updated_at": clock.now()}
    )
