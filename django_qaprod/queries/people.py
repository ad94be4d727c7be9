"""Whom failures hit, of many alerts at once; ``circumstances.hit`` says it of one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import reduce
from operator import or_
from typing import Any, NamedTuple

from django.db.models import Case, FilteredRelation, Q, Value, When

from ..conf import settings
from ..models import Affected, Failure
from ..registry import Measure
from .circumstances import MOST_FAILURES, Hit, failures_of

#: Of so many meetings with failures it is looked who it was; of all alerts together.
MOST = 20_000


class Asked(NamedTuple):
    """What is watched, and in which stretch it is asked whom its failures hit."""

    measures: tuple[Measure, ...]
    since: datetime
    until: datetime


class _Met(NamedTuple):
    """A failure and somebody who met it, or nobody; and whether it belongs, by what is watched."""

    failure: int
    first: datetime
    last: datetime
    met: int
    who: str | None
    key: str | None
    at: datetime | None
    belongs: tuple[bool, ...]


def hits(asked: Sequence[Asked]) -> list[Hit | None]:
    """Return whom the failures hit that belong to what is watched, ``None`` where none can belong.

    One query, however much is asked, and none for nothing. Of all the failures that belong to any of it those
    that happened most are looked at; ``Hit.at_least`` says so.
    """
    conditions = {one.measures: found for one in asked if (found := failures_of(one.measures)) is not None}
    wanted = [one for one in asked if one.measures in conditions]
    if not wanted:
        return [None for _one in asked]
    rows = _read(
        list(conditions.values()), min(one.since for one in wanted), max(one.until for one in wanted)
    )
    cut = len(rows) == MOST or len({row.failure for row in rows}) == MOST_FAILURES
    places = {measures: place for place, measures in enumerate(conditions)}
    return [
        _hit([row for row in rows if row.belongs[places[one.measures]]], one, cut=cut)
        if one.measures in places
        else None
        for one in asked
    ]


def _read(conditions: Sequence[Q], since: datetime, until: datetime) -> list[_Met]:
    seen = Failure.objects.filter(reduce(or_, conditions), last_seen__gte=since, first_seen__lte=until)
    belongs: dict[str, Any] = {
        f"belongs_{place}": Case(When(condition, then=Value(True)), default=Value(False))
        for place, condition in enumerate(conditions)
    }
    met = FilteredRelation("affected", condition=Q(affected__at__gte=since, affected__at__lte=until))
    found = Failure.objects.filter(pk__in=seen.order_by("-count")[:MOST_FAILURES].values("pk"))
    rows = (
        found.annotate(met=met, **belongs)
        .order_by()
        .values_list(
            "pk", "first_seen", "last_seen", "people", "subjects", "met__who", "met__key", "met__at", *belongs
        )
    )
    return [
        _Met(pk, first, last, people + subjects, who, key, at, tuple(flags))
        for pk, first, last, people, subjects, who, key, at, *flags in rows[:MOST]
    ]


def _hit(rows: Sequence[_Met], asked: Asked, *, cut: bool) -> Hit:
    during = [row for row in rows if row.last >= asked.since and row.first <= asked.until]
    met = {
        (row.who, row.key) for row in during if row.at is not None and asked.since <= row.at <= asked.until
    }
    cap = settings().affected_per_failure
    return Hit(
        people=sum(who == Affected.Who.USER for who, _key in met),
        subjects=sum(who == Affected.Who.SUBJECT for who, _key in met),
        at_least=cut or any(row.first < asked.since or row.met >= cap for row in during),
    )
