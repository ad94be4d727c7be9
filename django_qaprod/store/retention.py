"""Retention: what is too old or too much is deleted, in small batches, by the worker alone.

By size means by age, too: what is older than the newest N rows goes. Deleting is bounded in time; what is
left over goes in the next run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import monotonic
from typing import Any, Final

from django.db import connections, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from ..clock import now
from ..conf import events_alias, settings, telemetry_alias
from ..models import (
    Affected,
    Alert,
    Breach,
    Bucket,
    Cursor,
    Deploy,
    Event,
    Failure,
    Health,
    Occurrence,
    RescuedSubmission,
    Series,
    Silence,
    Stack,
    Transition,
)
from ..records import first_id
from . import gone as machines
from .breaches import SEGMENT

#: ``QAPROD["RETENTION_DAYS"]`` over these. Minutes and hours as long as pages read them: ``queries.buckets``.
DAYS: Final[Mapping[str, int]] = {
    "occurrences": 30,
    "failures": 90,
    "minutes": 3,
    "hours": 62,
    "days": 800,
    "deploys": 800,
    "flags": 800,
    "breaches": 90,
    "alerts": 400,
    "silences": 400,
    "health": 30,
    "cursors": 7,
    "events": 400,
    "submissions": 90,
}

#: ``QAPROD["MAX_ROWS"]`` over these; zero is without limit. Submissions that wait are not deleted for it:
#: further ones are not kept.
ROWS: Final[Mapping[str, int]] = {
    "occurrences": 300_000,
    "failures": 10_000,
    "minutes": 5_000_000,
    "hours": 2_000_000,
    "days": 1_000_000,
    "stacks": 50_000,
    "deploys": 10_000,
    "flags": 10_000,
    "breaches": 100_000,
    "alerts": 50_000,
    "silences": 10_000,
    "health": 10_000,
    "events": 0,
    "submissions": 20_000,
}

_BATCH = 500
# The host's own writers wait while we delete from its SQLite file.
_BATCH_BESIDE_THE_HOST = 50
# How far journeys are rolled up, and expectations looked at: no segments, and not to be forgotten.
_NO_SEGMENTS = Q(segment__startswith="events") | Q(segment__startswith=SEGMENT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """Rows under one key of the settings, and the column that says how old they are."""

    key: str
    rows: QuerySet[Any]
    by: str
    days: int
    most: int


def days(key: str) -> int:
    """Return how many days are kept of ``key``."""
    return settings().retention_days.get(key, DAYS[key])


def most(key: str) -> int:
    """Return how many rows are kept of ``key``; zero is without limit."""
    return settings().max_rows.get(key, ROWS.get(key, 0))


def prune(*, seconds: float = 10.0, using: str | None = None) -> dict[str, int]:
    """Delete telemetry that is over its age or its number; return how many rows went, by key."""
    alias, deadline = using or telemetry_alias(), monotonic() + seconds
    gone = {kept.key: _prune(kept, deadline) for kept in _telemetry(alias)}
    gone["failures"] = _prune_failures(deadline, using=alias)
    gone["machines"] = machines.fold(deadline=deadline, using=alias)
    gone["series"] = _prune_series(deadline, using=alias)
    return {key: count for key, count in gone.items() if count}


def prune_events(*, seconds: float = 10.0) -> int:
    """Delete events that are over their age or number; return how many went.

    They live in the host's database: a few rows at a time, and rarely. That a subject has taken a step that
    counts once (``EventKey``) is remembered for good: it has no age, and forgetting it would count twice.
    """
    alias, deadline = events_alias(), monotonic() + seconds
    batch = _BATCH_BESIDE_THE_HOST if connections[alias].vendor == "sqlite" else _BATCH
    events = Event.objects.using(alias)
    cutoff = now() - timedelta(days=days("events"))
    gone = 0
    # No index is by time alone.
    for journey in _journeys(events):
        old = events.filter(journey=journey, at__lt=cutoff).order_by("at")
        gone += _delete(old, events, deadline, batch=batch)
    if number := most("events"):
        # Those that were recorded last are kept.
        for last in events.order_by("-id").values_list("id", flat=True)[number - 1 : number]:
            gone += _delete(events.filter(id__lt=last).order_by("id"), events, deadline, batch=batch)
    return gone


def prune_submissions(*, seconds: float = 10.0) -> int:
    """Delete rescued submissions that are over their age, and what hangs on them; return how many rows went.

    What is being replayed is left for the next time.
    """
    alias, deadline = events_alias(), monotonic() + seconds
    batch = _BATCH_BESIDE_THE_HOST if connections[alias].vendor == "sqlite" else _BATCH
    rows = RescuedSubmission.objects.using(alias)
    # The ids sort by time, and no index is by anything else.
    edge = first_id((now() - timedelta(days=days("submissions"))).timestamp())
    old = rows.filter(pk__lt=edge).exclude(state=RescuedSubmission.State.REPLAYING).order_by("pk")
    return _delete(old, rows, deadline, batch=batch)


def _journeys(events: QuerySet[Event]) -> Iterator[str]:
    """Yield the journeys of all events, of those that are not declared any more, too: a look-up for each."""
    names = events.order_by("journey").values_list("journey", flat=True)
    name = names.first()
    while name is not None:
        yield name
        name = names.filter(journey__gt=name).first()


def _telemetry(using: str) -> Iterator[Kept]:
    buckets, cursors = Bucket.objects.using(using), Cursor.objects.using(using)
    deploys = Deploy.objects.using(using)
    # What has not been added to a coarser row yet is the only copy, however old.
    minutes = buckets.filter(resolution=Bucket.Resolution.MINUTE, rolled=True)
    hours = buckets.filter(resolution=Bucket.Resolution.HOUR, rolled=True)
    tables: tuple[tuple[str, QuerySet[Any], str], ...] = (
        ("minutes", minutes, "start"),
        ("hours", hours, "start"),
        ("days", buckets.filter(resolution=Bucket.Resolution.DAY), "start"),
        ("occurrences", Occurrence.objects.using(using), "at"),
        ("deploys", deploys.filter(flag=False), "at"),
        ("flags", deploys.filter(flag=True), "at"),
        ("breaches", Breach.objects.using(using), "found_at"),
        # With their notifications; what has not ended yet has no age.
        ("alerts", Alert.objects.using(using).filter(state=Alert.State.RESOLVED), "resolved_at"),
        ("silences", Silence.objects.using(using), "until"),
        ("health", Health.objects.using(using), "at"),
        ("cursors", cursors.exclude(_NO_SEGMENTS), "updated_at"),
    )
    for key, rows, by in tables:
        yield Kept(key=key, rows=rows, by=by, days=days(key), most=most(key))
    stacks = Stack.objects.using(using)
    yield Kept(key="stacks", rows=stacks, by="last_used", days=days("occurrences") + 1, most=most("stacks"))


def _prune(kept: Kept, deadline: float) -> int:
    old = kept.rows.filter(**{f"{kept.by}__lt": _cutoff(kept)}).order_by(kept.by)
    return _delete(old, kept.rows, deadline, batch=_BATCH)


def _delete(old: QuerySet[Any], rows: QuerySet[Any], deadline: float, *, batch: int) -> int:
    """Delete ``old`` in its order, some of ``rows`` at a time."""
    gone = 0
    while monotonic() < deadline and (found := list(old.values_list("pk", flat=True)[:batch])):
        with transaction.atomic(using=rows.db):
            gone += rows.filter(pk__in=found).delete()[0]
    return gone


def _cutoff(kept: Kept) -> datetime:
    """Return the moment before which rows go: by age, or by number."""
    by_age = now() - timedelta(days=kept.days)
    if not kept.most:
        return by_age
    newest_first = kept.rows.order_by(f"-{kept.by}").values_list(kept.by, flat=True)
    # The last that may stay. Others of the same moment stay with it.
    by_number: list[datetime] = list(newest_first[kept.most - 1 : kept.most])
    return max([by_age, *by_number])


def _prune_failures(deadline: float, *, using: str) -> int:
    kept = Kept(
        key="failures",
        rows=Failure.objects.using(using),
        by="last_seen",
        days=days("failures"),
        most=most("failures"),
    )
    old = kept.rows.filter(last_seen__lt=_cutoff(kept)).order_by("last_seen")
    gone = 0
    for failure in old.values_list("pk", flat=True)[:_BATCH]:
        if monotonic() > deadline:
            break
        gone += _delete_failure(failure, deadline, using=using)
    return gone


def _delete_failure(failure_id: int, deadline: float, *, using: str) -> int:
    # What hangs on it goes first, some at a time: thousands may have been affected.
    parts: tuple[QuerySet[Any], ...] = (
        Affected.objects.using(using),
        Occurrence.objects.using(using),
        Transition.objects.using(using),
    )
    for rows in parts:
        while found := list(rows.filter(failure=failure_id).order_by().values_list("pk", flat=True)[:_BATCH]):
            if monotonic() > deadline:
                return 0
            with transaction.atomic(using=using):
                rows.filter(pk__in=found).delete()
    return Failure.objects.using(using).filter(pk=failure_id).delete()[1].get(Failure._meta.label, 0)


def _prune_series(deadline: float, *, using: str) -> int:
    """Delete series without numbers: the drainer that remembers one finds out and makes it anew."""
    empty = Series.objects.using(using).filter(~Exists(Bucket.objects.filter(series=OuterRef("pk"))))
    gone = 0
    while monotonic() < deadline and (found := list(empty.values_list("pk", flat=True)[:_BATCH])):
        with transaction.atomic(using=using):
            gone += empty.filter(pk__in=found).delete()[0]
    return gone
