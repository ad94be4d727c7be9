"""Priority: what is broken worst, as a sum whose parts a person can follow.

Each part is a number of points; the parts are stored beside their sum and shown with it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from django.db.models import Sum

from ..clock import now
from ..conf import telemetry_alias
from ..models import Bucket, Failure
from .numbers import FAILURES
from .statements import select, update_each

KIND = {
    "unhandled": 30.0, "task": 20.0, "command": 20.0, "degraded": 15.0, "gauge": 15.0, "logged": 10.0,
    "replay": 5.0,
}  # fmt: skip
SEVERITY = {"critical": 20.0, "error": 10.0, "warning": 4.0, "info": 0.0}
CRITICAL_VIEW = 25.0
IN_A_JOURNEY = 15.0
#: Points for each doubling, and at most.
PEOPLE = (4.0, 30.0)
RATE = (3.0, 20.0)
#: How long ago it was seen at most, and the points for that; beyond the last, ``LONG_AGO``.
RECENCY = (
    (timedelta(hours=1), 15.0),
    (timedelta(days=1), 0.0),
    (timedelta(days=7), -20.0),
    (timedelta(days=30), -40.0),
)
LONG_AGO = -70.0

_HOUR = timedelta(hours=1)
_CHUNK = 200
_SET = "UPDATE {table} SET {rate} = %s, {priority} = %s, {priority_parts} = %s WHERE {id} = %s"
_MOVING = (
    "SELECT {id} FROM {table} WHERE {last_seen} >= %s OR {rate} > 0"  # noqa: S608 - of constants alone
    + " OR {last_seen} > %s AND {last_seen} <= %s" * len(RECENCY[1:])
)
_COLUMNS = (
    "pk", "kind", "severity", "critical", "journey", "people", "subjects",
    "rate", "last_seen", "priority", "priority_parts",
)  # fmt: skip


def score(failure: Failure, *, at: datetime) -> bool:
    """Set ``priority`` and its parts as of ``at`` from the other columns; return whether they changed."""
    parts: dict[str, float] = {
        "kind": KIND.get(failure.kind, 0.0),
        "severity": SEVERITY.get(failure.severity, 0.0),
        "journey": CRITICAL_VIEW if failure.critical else IN_A_JOURNEY if failure.journey else 0.0,
        "people": _doublings(max(failure.people, failure.subjects), *PEOPLE),
        "rate": _doublings(failure.rate, *RATE),
        "recency": _recency(at - failure.last_seen),
    }
    if failure.kind == Failure.Kind.REPLAY:
        # Nobody stands there and waits, however many are replayed at once.
        parts.update(journey=0.0, people=0.0, rate=0.0)
    changed = bool(parts != failure.priority_parts)
    failure.priority_parts = parts
    failure.priority = round(sum(parts.values()), 1)
    return changed


def _doublings(amount: float, points: float, most: float) -> float:
    return min(round(points * math.log2(1 + amount), 1), most)


def _recency(ago: timedelta) -> float:
    return next((points for span, points in RECENCY if ago < span), LONG_AGO)


def refresh(*, since: datetime | None, using: str | None = None) -> int:
    """Bring ``rate`` and ``priority`` up to date and return how many failures changed.

    Looks only at failures that were seen in the last hour, whose rate has to fall, or whose last sight has
    passed a limit of ``RECENCY`` since then (``None``: all): the cost follows what happens, not the history.
    """
    alias, at = using or telemetry_alias(), now()
    moving = _moving(at, since, using=alias)
    return sum(
        _refresh(moving[begin : begin + _CHUNK], at=at, using=alias)
        for begin in range(0, len(moving), _CHUNK)
    )


def _moving(at: datetime, since: datetime | None, *, using: str) -> list[int]:
    if since is None:
        return list(Failure.objects.using(using).order_by("pk").values_list("pk", flat=True))
    limits = [min(at, since) - _HOUR]
    for span, _ in RECENCY[1:]:
        limits += [since - span - _HOUR, at - span]
    return sorted(pk for (pk,) in select(Failure, _MOVING, ("last_seen",) * len(limits), limits, using=using))


def _refresh(failure_ids: Sequence[int], *, at: datetime, using: str) -> int:
    failures = Failure.objects.using(using).filter(pk__in=failure_ids).order_by("pk").only(*_COLUMNS)
    rates = _rates(failure_ids, at=at, using=using)
    changed = []
    for failure in failures:
        rate = float(rates.get(failure.pk, 0))
        moved = rate != failure.rate
        failure.rate = rate
        if score(failure, at=at) or moved:
            changed.append((failure.rate, failure.priority, failure.priority_parts, failure.pk))
    update_each(Failure, _SET, ("rate", "priority", "priority_parts", "id"), changed, using=using)
    return len(changed)


def _rates(failure_ids: Iterable[int], *, at: datetime, using: str) -> dict[int, int]:
    """Return the occurrences of the last hour: raw rows are no longer there once they are in a minute's."""
    rows = Bucket.objects.using(using).filter(
        series__name=FAILURES,
        series__label__in=[str(pk) for pk in failure_ids],
        resolution__in=(Bucket.Resolution.RAW, Bucket.Resolution.MINUTE),
        start__gt=at - _HOUR,
    )
    sums = rows.values_list("series__label").annotate(Sum("count"))
    return {int(label): count for label, count in sums}
