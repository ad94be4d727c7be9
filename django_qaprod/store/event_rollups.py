"""Rolls events up into hourly numbers of journeys, so that a page need not read the rows of its whole window.

The numbers are derived and replaced, never added to, hour by hour:

1. Each closed hour from the first event on is derived once; a cursor per journey says up to where.
2. Transactions commit late. The last 25 hours are recounted at each run, the last seven days once a day; an
   hour whose rows have changed in number is derived anew, and so are the later hours of its subjects, since
   who reached a step first, and how long it took, may have changed there.
3. Hours that are too old to change any more are added up into days.

Only the telemetry's database is written; the events are read by short queries.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from time import monotonic
from typing import TypeAlias, TypeVar

from django.db import transaction
from django.db.models import Min, QuerySet, Sum

from .. import clock, histogram, registry
from ..conf import settings, telemetry_alias
from ..models import Bucket, Cursor, Event, Series
from ..registry import JourneySpec
from . import journey_facts
from .journey_facts import Durations, Facts
from .numbers import OVERFLOW, digest_of
from .statements import chunked

STEP = "qaprod.journey.step"
REACHED = "qaprod.journey.reached"
DURATION = "qaprod.journey.duration"
#: Names whose rows are derived here alone, days included: no other roll-up may touch them.
DERIVED = (STEP, REACHED, DURATION)

HOUR, DAY = 3600, 86400
#: Seconds after its end at which an hour is taken for closed.
GRACE = 600
#: Seconds that are recounted at each run, and once a day.
RECOUNT, RECOUNT_DAILY = 25 * HOUR, 7 * DAY
#: Seconds after which hours become days: beyond any recount.
DAYS_AFTER = 9 * DAY

_CHUNK = 500
_DAILY = "events"

T = TypeVar("T")
Key: TypeAlias = tuple[str, tuple[tuple[str, str], ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class RollUpReport:
    """What a run did."""

    hours: int = 0
    replaced: int = 0
    days: int = 0


def roll_up(now: datetime | None = None, *, seconds: float = 20.0) -> RollUpReport:
    """Bring the roll-ups of every declared journey up to date, or as far as that many seconds allow.

    Running it twice changes nothing, nor do two that run at once.
    """
    at, deadline = clock.epoch(clock.now() if now is None else now), monotonic() + seconds
    daily = _daily_recount_due(at)
    horizon = RECOUNT_DAILY if daily else RECOUNT
    reports = [_roll_up(journey, at, horizon, deadline) for journey in registry.journeys()]
    if daily:
        _move(_DAILY, int(at))
    return RollUpReport(
        hours=sum(report.hours for report in reports),
        replaced=sum(report.replaced for report in reports),
        days=sum(report.days for report in reports),
    )


def rebuild(journey: str, since: datetime) -> None:
    """Forget a journey's roll-ups from the day (UTC) of ``since`` on; the next runs derive them anew.

    For events that were recorded with a time longer ago than the recounts reach.
    """
    start = _floor(clock.epoch(since), DAY)
    with _alone(journey):
        _rows(journey).filter(start__gte=clock.moment(start)).delete()
        if covered_until(journey) > start:
            _move(_segment(journey), start)


def covered_until(journey: str) -> int:
    """Return up to when, in epoch seconds, a journey's closed hours are all rolled up; 0 if none is."""
    found = Cursor.objects.filter(segment=_segment(journey)).values_list("position", flat=True).first()
    return found or 0


def _roll_up(journey: JourneySpec, now: float, horizon: int, deadline: float) -> RollUpReport:
    segment = _segment(journey.name)
    Cursor.objects.get_or_create(segment=segment, defaults={"updated_at": clock.now()})
    covered = covered_until(journey.name)
    oldest = _oldest(journey.name)
    replaced = 0
    if covered and oldest is not None:
        replaced = _recount(journey, _floor(now, HOUR) - horizon, covered, _floor(oldest, HOUR))
    closed = _floor(now - GRACE, HOUR)
    filled, hours = _fill(journey, covered or _floor(oldest or now, HOUR), closed, deadline)
    # Only from where we began: a rebuild may have moved it back meanwhile.
    Cursor.objects.filter(segment=segment, position=covered).update(position=filled, updated_at=clock.now())
    days = _fill_days(journey.name, min(filled, _floor(now - DAYS_AFTER, DAY)), deadline)
    return RollUpReport(hours=hours, replaced=replaced, days=days)


def _fill(journey: JourneySpec, start: int, end: int, deadline: float) -> tuple[int, int]:
    hours = 0
    while start < end and monotonic() < deadline:
        following = _next_event(journey.name, start)
        if following is None or following >= end:
            return end, hours
        start = _floor(following, HOUR)
        _replace(journey, start)
        start += HOUR
        hours += 1
    return start, hours


def _recount(journey: JourneySpec, start: int, end: int, oldest: int) -> int:
    known = _known_counts(journey.name, start, end)
    changed: list[int] = []
    for hour in range(start, end, HOUR):
        count, before = _count(journey.name, hour), known.get(hour, 0)
        # The oldest hour may have lost a part of its rows to retention: what was derived from them stays.
        if count > before or (count < before and hour > oldest):
            changed.append(hour)
    hours = set(changed)
    for hour in changed:
        hours |= _later_hours(journey.name, hour, end)
    for hour in sorted(hours):
        _replace(journey, hour)
    return len(hours)


def _known_counts(journey: str, start: int, end: int) -> dict[int, int]:
    rows = _rows(journey, STEP).filter(
        resolution=HOUR, start__gte=clock.moment(start), start__lt=clock.moment(end)
    )
    counts = rows.order_by().values_list("start").annotate(count=Sum("count"))
    return {int(clock.epoch(start)): count for start, count in counts}


def _count(journey: str, hour: int) -> int:
    return journey_facts.count(journey, clock.moment(hour), clock.moment(hour + HOUR))


def _later_hours(journey: str, hour: int, end: int) -> set[int]:
    """Return the hours after one, up to ``end``, in which its subjects took steps."""
    begin, after = clock.moment(hour), clock.moment(hour + HOUR)
    subjects = Event.objects.filter(journey=journey, at__gte=begin, at__lt=after).order_by()
    keys = list(subjects.values_list("subject", flat=True).distinct())
    hours: set[int] = set()
    for chunk in chunked(keys, _CHUNK):
        later = Event.objects.filter(
            journey=journey, subject__in=chunk, at__gte=after, at__lt=clock.moment(end)
        ).order_by()
        hours.update(_floor(clock.epoch(at), HOUR) for at in later.values_list("at", flat=True))
    return hours


def _replace(journey: JourneySpec, hour: int) -> None:
    start = clock.moment(hour)
    with _alone(journey.name):
        facts = journey_facts.derive(journey, start, clock.moment(hour + HOUR))
        _rows(journey.name).filter(resolution=HOUR, start=start).delete()
        Bucket.objects.bulk_create(_buckets(journey.name, facts, start, HOUR), batch_size=_CHUNK)


def _buckets(journey: str, facts: Facts, start: datetime, resolution: int) -> Iterator[Bucket]:
    sums = dict(_sums(journey, facts))
    series = _series(journey, sums)
    merged: dict[int, Durations] = {}
    for key, found in sums.items():
        merged.setdefault(series[key], Durations()).merge(found)
    for pk, found in merged.items():
        yield _bucket(pk, found, start, resolution)


def _bucket(series: int, found: Durations, start: datetime, resolution: int) -> Bucket:
    return Bucket(
        series_id=series,
        resolution=resolution,
        start=start,
        count=found.count,
        total=found.total,
        minimum=found.minimum if found.histogram else 0.0,
        maximum=found.maximum,
        histogram=histogram.encode(found.histogram),
    )


def _sums(journey: str, facts: Facts) -> Iterator[tuple[Key, Durations]]:
    for name, counts in ((STEP, facts.taken), (REACHED, facts.reached)):
        for (step, variant, browser), count in counts.items():
            yield (name, _attributes(journey, variant, browser, step=step)), Durations(count)
    for (origin, step, variant, browser), durations in facts.durations.items():
        steps = {"from": origin, "to": step}
        yield (DURATION, _attributes(journey, variant, browser, **steps)), durations


def _attributes(journey: str, variant: str, browser: str, **steps: str) -> tuple[tuple[str, str], ...]:
    return (("journey", journey), *steps.items(), ("variant", variant), ("browser", browser))


def _series(journey: str, wanted: Iterable[Key]) -> dict[Key, int]:
    known = dict(Series.objects.filter(name__in=DERIVED, label=journey).values_list("digest", "pk"))
    fitting: dict[Key, str] = {}
    missing: dict[str, Key] = {}
    room = settings().max_series - len(known)
    for key in wanted:
        digest = _digest(journey, key)
        if digest not in known and len(missing) >= room:
            # Somebody's variant is an id: the steps stay exact, the variants are no longer told apart.
            key_kept = (key[0], _overflowing(key[1]))
            digest = _digest(journey, key_kept)
        else:
            key_kept = key
        if digest not in known:
            missing[digest] = key_kept
        fitting[key] = digest
    known |= _created(journey, missing)
    return {key: known[digest] for key, digest in fitting.items()}


def _created(journey: str, missing: dict[str, Key]) -> dict[str, int]:
    if not missing:
        return {}
    rows = [
        Series(digest=digest, name=name, label=journey, attributes=dict(attributes))
        for digest, (name, attributes) in sorted(missing.items())
    ]
    Series.objects.bulk_create(rows, ignore_conflicts=True, batch_size=_CHUNK)
    found: dict[str, int] = {}
    for chunk in chunked(list(missing), _CHUNK):
        found.update(Series.objects.filter(digest__in=chunk).values_list("digest", "pk"))
    return found


def _overflowing(attributes: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    return tuple((name, OVERFLOW if name in {"variant", "browser"} else value) for name, value in attributes)


def _digest(journey: str, key: Key) -> str:
    return digest_of(key[0], journey, key[1]).hex()


@contextmanager
def _alone(journey: str) -> Iterator[None]:
    """Open a transaction that no other of the same journey overlaps: two would insert the same rows."""
    with transaction.atomic(using=telemetry_alias()):
        # On SQLite the transaction itself is enough: it is begun for writing.
        list(Cursor.objects.select_for_update().filter(segment=_segment(journey)))
        yield


def _fill_days(journey: str, end: int, deadline: float) -> int:
    days = 0
    while monotonic() < deadline:
        unrolled = _rows(journey).filter(resolution=HOUR, rolled=False, start__lt=clock.moment(end))
        start = unrolled.aggregate(start=Min("start"))["start"]
        if start is None:
            break
        _fill_day(journey, _floor(clock.epoch(start), DAY))
        days += 1
    return days


def _fill_day(journey: str, day: int) -> None:
    start, end = clock.moment(day), clock.moment(day + DAY)
    merged: dict[int, Durations] = {}
    with _alone(journey):
        hours = _rows(journey).filter(resolution=HOUR, rolled=False, start__gte=start, start__lt=end)
        rows = list(hours)
        for row in rows:
            merged.setdefault(row.series_id, Durations()).merge(stored(row))
        Bucket.objects.bulk_create(
            (_bucket(pk, found, start, DAY) for pk, found in merged.items()), batch_size=_CHUNK
        )
        for chunk in chunked((row.pk for row in rows), _CHUNK):
            Bucket.objects.filter(pk__in=chunk).update(rolled=True)


def stored(row: Bucket) -> Durations:
    """Return the numbers of a row that was derived here."""
    return Durations(row.count, row.total, row.minimum, row.maximum, histogram.decode(bytes(row.histogram)))


def _daily_recount_due(now: float) -> bool:
    last = Cursor.objects.filter(segment=_DAILY).values_list("position", flat=True).first()
    return last is None or now - last >= DAY


def _oldest(journey: str) -> float | None:
    found = Event.objects.filter(journey=journey).order_by("at").values_list("at", flat=True).first()
    return None if found is None else clock.epoch(found)


def _next_event(journey: str, start: int) -> float | None:
    following = Event.objects.filter(journey=journey, at__gte=clock.moment(start)).order_by("at")
    found = following.values_list("at", flat=True).first()
    return None if found is None else clock.epoch(found)


def _rows(journey: str, *names: str) -> QuerySet[Bucket]:
    series = Series.objects.filter(name__in=names or DERIVED, label=journey)
    return Bucket.objects.filter(series__in=series.values("pk"))


def _segment(journey: str) -> str:
    return f"events/{journey}"


def _move(segment: str, position: int) -> None:
    Cursor.objects.update_or_create(
        segment=segment, defaults={"position": position, "updated_at": clock.now()}
    )


def _floor(epoch: float, step: int) -> int:
    return int(epoch // step) * step
