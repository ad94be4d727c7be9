"""Finds and keeps breaches: subjects for which an expectation was not met.

A pass over one expectation reads what is new:

1. First steps become due in the order of their times. Those that are due by now, and were not when it was
   looked last, are read from where that ended, and for their subjects the second steps.
2. Steps that were recorded since, by their ids, which sort by when that was: first steps with a time for
   which the first part has looked already; second steps, if they may be too many.
3. Breaches that are open, some at each pass: those for which what was missing has come are closed.

What is stored long after it was recorded (a long transaction, a spool that waited) is met by a longer look
once an hour. Every breach is stored once, so that a pass may be repeated, or made twice at once.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import monotonic
from typing import Any, Final, NamedTuple

from django.db.models import F, QuerySet

from .. import clock
from ..conf import events_alias, telemetry_alias
from ..models import Breach, Cursor, Event
from ..records import first_id
from ..specs import ExpectationSpec
from ..text import clean
from .statements import chunked

#: What happened in time may be committed, or come out of the spool, so much later.
GRACE = timedelta(seconds=60)
#: Clocks of machines differ by less.
SKEW = timedelta(seconds=5)
#: How far back it looks the first time.
FIRST = timedelta(days=1)
#: What was recorded so long before the last pass may be committed after it: at each pass, and once an hour.
OVERLAP, OVERLAP_HOURLY = timedelta(minutes=5), timedelta(days=1)
#: Open breaches that a pass looks at again.
AGAIN = 2000
#: Tries to repair a breach that are kept.
TRIES_KEPT = 10

#: Before the names of cursors.
SEGMENT = "expectation:"
_CHUNK = 500
_PAGE = 2000
_KINDS, _STATES = Breach.Kind, Breach.State
#: What a repair may help.
REPAIRABLE: Final[dict[str, str]] = {"kind": _KINDS.MISSING, "state": _STATES.OPEN}


class Taken(NamedTuple):
    """A step that was taken."""

    id: uuid.UUID
    at: datetime
    subject: str
    request_id: str


class Recorded(NamedTuple):
    """A step of any journey, and that it was taken."""

    step: tuple[str, str]
    taken: Taken


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """What a pass found. ``whole`` says that it came to its end."""

    found: int = 0
    closed: int = 0
    whole: bool = True


def look(spec: ExpectationSpec, *, now: datetime | None = None, seconds: float = 5.0) -> Looked:
    """Find the breaches of an expectation that are new, and close those that are none any more."""
    at, deadline = now or clock.now(), monotonic() + seconds
    since, seen = _begin(spec, at), f"{SEGMENT}{spec.name}:seen"
    found, whole = _settle(spec, at, deadline)
    for steps in _pages(_since(_position(seen), at), at - GRACE):
        found += _keep(_late(spec, steps, since, at))
        found += _keep(_extra(spec, steps, since, at))
    closed = _close(spec, at)
    if whole:
        _move(seen, at)
    return Looked(found=found, closed=closed, whole=whole)


def repairable(expectation: str) -> QuerySet[Breach]:
    """Return the open breaches that a repair may help, those that were tried least lately first."""
    rows = Breach.objects.using(telemetry_alias()).filter(expectation=expectation, **REPAIRABLE)
    return rows.order_by(F("tried_at").asc(nulls_first=True), "due_at", "pk")


def tries_since(expectation: str, since: datetime, *, who: str) -> int:
    """Return how often somebody has tried to repair breaches of an expectation."""
    rows = Breach.objects.using(telemetry_alias()).filter(expectation=expectation, tried_at__gte=since)
    edge = clock.epoch(since)
    tries = (one for tried in rows.values_list("tried", flat=True) for one in tried)
    return sum(one["who"] == who and one["at"] >= edge for one in tries)


def claim(breach: Breach, *, who: str) -> bool:
    """Write down that a repair is tried now; false if somebody else tries, or it is open no more.

    Before it is tried: what ends the process in the middle of it is a try, too.
    """
    at, rows = clock.now(), Breach.objects.using(telemetry_alias())
    rows = rows.filter(pk=breach.pk, tried_at=breach.tried_at, **REPAIRABLE)
    told = _told(who, "It was begun, and did not end.", failed=True, dry_run=False)
    tried = [*breach.tried, told][-TRIES_KEPT:]
    return bool(rows.update(tried=tried, tried_at=at, tries=F("tries") + 1))


def keep_end(breach: Breach, *, who: str, words: str, failed: bool, dry_run: bool) -> None:
    """Write down how a try that was claimed has ended."""
    rows = Breach.objects.using(telemetry_alias()).filter(pk=breach.pk)
    known = rows.values_list("tried", flat=True).first() or []
    # Somebody else may have tried meanwhile.
    begun = next((at for at in reversed(range(len(known))) if known[at]["who"] == who), len(known))
    rows.update(
        tried=[*known[:begun], _told(who, words, failed=failed, dry_run=dry_run), *known[begun + 1 :]]
    )


def keep_try(breach: Breach, *, who: str, words: str, failed: bool, dry_run: bool) -> None:
    """Write down that somebody has tried a repair, or asked what it would do."""
    rows = Breach.objects.using(telemetry_alias()).filter(pk=breach.pk)
    known = rows.values_list("tried", flat=True).first() or []
    rows.update(tried=[*known, _told(who, words, failed=failed, dry_run=dry_run)][-TRIES_KEPT:])


def close_if_it_came(spec: ExpectationSpec, breach: Breach) -> bool:
    """Close a breach at once, if the second step is there; return whether it is."""
    came = _times(spec.then, {breach.subject}, breach.at - SKEW)[breach.subject]
    if came:
        rows = Breach.objects.using(telemetry_alias()).filter(pk=breach.pk, **REPAIRABLE)
        rows.update(state=_STATES.CAME, closed_at=came[0])
    return bool(came)


def dismiss(ids: Iterable[int], *, who: str, why: str) -> int:
    """Close open breaches by a person's word; return how many."""
    rows = Breach.objects.using(telemetry_alias()).filter(pk__in=list(ids), state=_STATES.OPEN)
    return rows.update(
        state=_STATES.DISMISSED, closed_at=clock.now(), who=clean(who, 150), why=clean(why, 500)
    )


def _begin(spec: ExpectationSpec, now: datetime) -> datetime:
    """Return since when it is looked; what was before the first time is history."""
    segment = f"{SEGMENT}{spec.name}:from"
    since = _position(segment)
    if since is None:
        since = now - FIRST
        _move(segment, since)
        _move(f"{SEGMENT}{spec.name}:due", since)
    return since


def _since(seen: datetime | None, now: datetime) -> datetime:
    if seen is None:
        return now - FIRST
    hourly = clock.epoch(seen) // 3600 != clock.epoch(now) // 3600
    return min(seen, now) - (OVERLAP_HOURLY if hourly else OVERLAP)


def _settle(spec: ExpectationSpec, now: datetime, deadline: float) -> tuple[int, bool]:
    """Look at first steps that have become due; return how many are breaches, and whether it was all."""
    segment, found = f"{SEGMENT}{spec.name}:due", 0
    # Nothing that was taken later can be due yet.
    latest = now - spec.least - GRACE
    while monotonic() < deadline:
        position = _position(segment) or now - FIRST
        rows = _taken(spec.when).filter(at__gt=position, at__lte=latest)
        steps = list(map(Taken._make, rows[:_CHUNK]))
        due = [step for step in steps if spec.due(step.at) + GRACE <= now]
        whole = len(steps) < _CHUNK
        if len(due) < len(steps):
            end = steps[len(due)].at - timedelta(microseconds=1)
        elif whole:
            end = max(latest, position)
        else:
            end = due[-1].at
            # Others may have been taken at the very same time.
            together = map(Taken._make, _taken(spec.when).filter(at=end))
            due += [step for step in together if step not in due]
        found += _keep(_missing(spec, due, now))
        _move(segment, end)
        if whole or len(due) < len(steps):
            return found, True
    return found, False


def _late(
    spec: ExpectationSpec, steps: Sequence[Recorded], since: datetime, now: datetime
) -> Iterator[Breach]:
    """Yield the breaches of first steps that were recorded after it was looked at their time."""
    passed, begun = _position(f"{SEGMENT}{spec.name}:due") or since, _first(since + FIRST)
    first = [step.taken for step in steps if step.step == spec.when and step.taken.at <= passed]
    return _missing(spec, [step for step in first if step.at >= since or step.id >= begun], now)


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


def _close(spec: ExpectationSpec, now: datetime) -> int:
    """Look at some of the open breaches again, all in their turn; close those that are none any more."""
    segment = f"{SEGMENT}{spec.name}:open"
    rows = Breach.objects.using(telemetry_alias()).filter(expectation=spec.name, state=_STATES.OPEN)
    cursor = Cursor.objects.using(telemetry_alias()).filter(segment=segment)
    last = cursor.values_list("position", flat=True).first() or 0
    some = list(rows.filter(pk__gt=last).order_by("pk")[:AGAIN])
    if last or some:
        end = some[-1].pk if len(some) == AGAIN else 0
        Cursor.objects.using(telemetry_alias()).update_or_create(
            segment=segment, defaults={"position": end, "updated_at": now}
        )
    closed = 0
    for breaches in chunked(some, _CHUNK):
        for breach, at in _mended(spec, breaches, now):
            closed += rows.filter(pk=breach.pk).update(state=_STATES.CAME, closed_at=at)
    return closed


def _mended(
    spec: ExpectationSpec, breaches: Sequence[Breach], now: datetime
) -> Iterator[tuple[Breach, datetime]]:
    """Yield the breaches that are none any more, and since when."""
    missing = [breach for breach in breaches if breach.kind == _KINDS.MISSING]
    if missing:
        earliest = min(breach.at for breach in missing) - SKEW
        followed = _times(spec.then, {breach.subject for breach in missing}, earliest)
        for breach in missing:
            came = next((at for at in followed[breach.subject] if at >= breach.at - SKEW), None)
            if came is not None:
                yield breach, came
    others = [breach for breach in breaches if breach.kind != _KINDS.MISSING]
    if others:
        still = {(kind, step.id) for kind, step in _judged(spec, {breach.subject for breach in others})}
        for breach in others:
            if (breach.kind, breach.event) not in still:
                yield breach, now


def _extra(
    spec: ExpectationSpec, steps: Sequence[Recorded], since: datetime, now: datetime
) -> Iterator[Breach]:
    """Yield the breaches of second steps that are one too many, or had no first step before them."""
    if spec.once or spec.never_alone:
        subjects = {step.taken.subject for step in steps if step.step == spec.then}
        for kind, step in _judged(spec, subjects):
            if step.at >= since:
                yield _breach(spec, kind, step, step.at, now)


def _judged(spec: ExpectationSpec, subjects: set[str]) -> Iterator[tuple[str, Taken]]:
    """Yield the second steps of subjects that have no first step of their own, one for one in their order."""
    for some in chunked(sorted(subjects), _CHUNK):
        first, second = _steps(spec.when, some), _steps(spec.then, some)
        for subject in some:
            ended = 0
            for step in second[subject]:
                begun = sum(other.at <= step.at + SKEW for other in first[subject])
                if not begun:
                    if spec.never_alone:
                        yield _KINDS.ALONE, step
                    continue
                ended += 1
                if ended > begun and spec.once:
                    yield _KINDS.TWICE, step


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


def _pages(since: datetime, until: datetime) -> Iterator[list[Recorded]]:
    """Yield the steps that were recorded in a stretch of time, some at a time.

    Of all journeys, by the primary key: an index by journey would lead through all that it has.
    """
    rows = Event.objects.using(events_alias()).filter(id__lt=_first(until)).order_by("id")
    page = rows.filter(id__gte=_first(since))
    while found := list(page.values_list("journey", "step", "id", "at", "subject", "request_id")[:_PAGE]):
        yield [Recorded((journey, name), Taken._make(rest)) for journey, name, *rest in found]
        page = rows.filter(id__gt=found[-1][2])


def _times(step: tuple[str, str], subjects: set[str], since: datetime) -> defaultdict[str, list[datetime]]:
    """Return when each subject has taken a step, in order."""
    found: defaultdict[str, list[datetime]] = defaultdict(list)
    for taken in _of(step, subjects).filter(at__gte=since).values_list("subject", "at"):
        found[taken[0]].append(taken[1])
    return found


def _steps(step: tuple[str, str], subjects: Collection[str]) -> defaultdict[str, list[Taken]]:
    """Return all times that subjects have taken a step, in order."""
    found: defaultdict[str, list[Taken]] = defaultdict(list)
    for taken in _of(step, subjects).values_list("id", "at", "subject", "request_id"):
        found[taken[2]].append(Taken._make(taken))
    return found


def _of(step: tuple[str, str], subjects: Collection[str]) -> QuerySet[Event]:
    journey, name = step
    rows = Event.objects.using(events_alias()).filter(journey=journey, step=name, subject__in=subjects)
    return rows.order_by("at", "id")


def _told(who: str, words: str, *, failed: bool, dry_run: bool) -> dict[str, Any]:
    at = clock.epoch(clock.now())
    return {"at": at, "who": who, "words": clean(words, 500), "failed": failed, "dry_run": dry_run}


def _first(at: datetime) -> uuid.UUID:
    return uuid.UUID(first_id(clock.epoch(at)))


def _position(segment: str) -> datetime | None:
    rows = Cursor.objects.using(telemetry_alias()).filter(segment=segment)
    found = rows.values_list("position", flat=True).first()
    return clock.moment(found / 1e6) if found else None


def _move(segment: str, at: datetime) -> None:
    Cursor.objects.using(telemetry_alias()).update_or_create(
        segment=segment, defaults={"position": round(clock.epoch(at) * 1e6), "updated_at": clock.now()}
    )
