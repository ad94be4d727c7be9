"""Roll-ups: rows as they came → minutes → hours → days.

A step takes the rows of a closed period, and in one transaction adds them up by series, appends the sums at
the next resolution and marks (raw: deletes) what it took. So at any time the rows of one resolution and the
unrolled rows of all finer ones are everything, once. A row that comes late is just unrolled and gives another
row; nothing is ever updated in place. Two at once share the work where the database can skip locked rows, and
wait for each other where it cannot.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from time import monotonic

from django.db import connections, transaction
from django.db.models import QuerySet

from .. import clock
from ..conf import telemetry_alias
from ..models import Bucket, Series
from . import event_rollups, numbers

#: Seconds after its end at which a period is taken for closed. A later row costs a row, not a number.
GRACE = 10
#: Rows that one transaction takes.
ROWS = 2000

# What comes from which: the finer resolution, the coarser, how many rows of a series one period has about.
_STEPS = ((0, 60, 20), (60, 3600, 60), (3600, 86400, 24))


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """A closed stretch of time with unrolled rows; ``start`` in seconds since the epoch."""

    finer: int
    coarser: int
    start: int


def roll_up(*, seconds: float = 20.0, using: str | None = None) -> int:
    """Roll up everything that is closed, within that many seconds; return how many rows were taken."""
    alias, deadline = using or telemetry_alias(), monotonic() + seconds
    taken = 0
    for finer, coarser, per_series in _STEPS:
        while monotonic() < deadline:
            period = _oldest(finer, coarser, using=alias)
            if period is None:
                break
            rows = _roll_up(period, series_at_once=max(ROWS // per_series, 1), deadline=deadline, using=alias)
            taken += rows
            if not rows:  # Somebody else has them locked.
                break
    return taken


def _unrolled(finer: int, using: str) -> QuerySet[Bucket]:
    rows = Bucket.objects.using(using).filter(resolution=finer, rolled=False)
    if finer < Bucket.Resolution.HOUR:
        return rows
    # Hours of journeys are derived from events, and so are their days: see ``event_rollups``.
    derived = Series.objects.using(using).filter(name__in=event_rollups.DERIVED)
    return rows.exclude(series__in=derived.values("pk"))


def _oldest(finer: int, coarser: int, *, using: str) -> Period | None:
    closed = clock.now().timestamp() - GRACE
    until = clock.moment(closed - closed % coarser)
    first = (
        _unrolled(finer, using)
        .filter(start__lt=until)
        .order_by("start")
        .values_list("start", flat=True)
        .first()
    )
    if first is None:
        return None
    start = int(clock.epoch(first))
    return Period(finer=finer, coarser=coarser, start=start - start % coarser)


def _roll_up(period: Period, *, series_at_once: int, deadline: float, using: str) -> int:
    first, end = clock.moment(period.start), clock.moment(period.start + period.coarser)
    if end <= first:
        # The hour that comes twice when summer time ends: without zones (USE_TZ) its rows are those of one.
        end = first + timedelta(seconds=period.coarser)
    rows = _unrolled(period.finer, using).filter(start__gte=first, start__lt=end)
    series = sorted(set(rows.order_by().values_list("series", flat=True)))
    taken = 0
    for begin in range(0, len(series), series_at_once):
        if taken and monotonic() > deadline:
            break
        with transaction.atomic(using=using):
            chosen = rows.filter(series__in=series[begin : begin + series_at_once]).order_by()
            taken += _take(period, list(_locked(chosen)), using=using)
    return taken


def _locked(rows: QuerySet[Bucket]) -> QuerySet[Bucket]:
    features = connections[rows.db].features
    if features.has_select_for_update:
        return rows.select_for_update(skip_locked=features.has_select_for_update_skip_locked)
    return rows


def _take(period: Period, rows: Sequence[Bucket], *, using: str) -> int:
    sums = _summed(rows)
    numbers.append(
        ((series, period.coarser, period.start, found) for series, found in sums.items()), using=using
    )
    taken = Bucket.objects.using(using).filter(pk__in=[row.pk for row in rows])
    if period.finer == Bucket.Resolution.RAW:
        taken.delete()
    else:
        taken.update(rolled=True)
    return len(rows)


def _summed(rows: Iterable[Bucket]) -> dict[int, numbers.Sum]:
    sums: dict[int, numbers.Sum] = {}
    for row in rows:
        histogram = bytes(row.histogram)
        known = sums.get(row.series_id)
        if known is None:
            sums[row.series_id] = numbers.Sum(row.count, row.total, row.minimum, row.maximum, [histogram])
        else:
            known.add(row.count, row.total, row.minimum, row.maximum, histogram)
    return sums
