"""Whom failures hit: for the list of alerts, the page of one, and what is sent of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from django.db.models import Count, F, Max, Q, QuerySet, Value

from ..conf import settings
from ..models import Affected, Failure
from ..specs import Measure
from .circumstances import failures_of

#: Of so many failures, those that happened most, it is looked whom they hit: so many for each that is asked.
MOST_FAILURES = 20


class Asked(NamedTuple):
    """What is watched, and in which stretch it is asked whom its failures hit."""

    measures: tuple[Measure, ...]
    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """Whom failures hit: ``people`` who were signed in, and ``subjects`` of journeys, each counted once.

    ``at_least`` says that there may be more: who has met a failure earlier is not counted again, and of a
    failure so many are kept.
    """

    people: int = 0
    subjects: int = 0
    at_least: bool = False


class _Loud(NamedTuple):
    """A failure; ``met`` is how many have met it ever, of those that are kept."""

    pk: int
    first_seen: datetime
    met: int


def hit(measures: Collection[Measure], since: datetime, until: datetime) -> Hit | None:
    """Return whom the failures hit that belong to what is watched, ``None`` when none can. Two queries."""
    return hits([Asked(tuple(measures), since, until)])[0]


def hits(asked: Sequence[Asked]) -> list[Hit | None]:
    """Return the same of each that is asked. Two queries, however many they are, and none for nothing.

    They are counted in the database, which looks at each meeting once, however many are asked about it.
    """
    conditions = {one: found for one in asked if (found := failures_of(one.measures)) is not None}
    loudest = dict(zip(conditions, _loudest(conditions), strict=True))
    met = _met(loudest)
    return [_hit(one, loudest[one], met[one]) if one in conditions else None for one in asked]


def _loudest(conditions: Mapping[Asked, Q]) -> list[list[_Loud]]:
    """Return of each the failures that belong to it and happened in its stretch, so many at most."""
    found: list[list[_Loud]] = [[] for _one in conditions]
    parts = [_part(place, *one) for place, one in enumerate(conditions.items())]
    # Unordered, because the order of the model is none of a union.
    for place, *failure in parts[0].union(*parts[1:], all=True).order_by() if parts else ():
        found[place].append(_Loud(*failure))
    return found


def _part(place: int, asked: Asked, condition: Q) -> QuerySet[Failure, tuple[Any, ...]]:
    seen = Failure.objects.filter(condition, last_seen__gte=asked.since, first_seen__lte=asked.until)
    # One within the other, because in SQLite a part of a union has no limit.
    found = Failure.objects.filter(pk__in=seen.order_by("-count", "pk")[:MOST_FAILURES].values("pk"))
    met = F("people") + F("subjects")
    return found.order_by().values_list(Value(place), "pk", "first_seen", met)


def _met(loudest: Mapping[Asked, Sequence[_Loud]]) -> dict[Asked, dict[str, int]]:
    """Return of each how many people and how many subjects met its failures in its stretch."""
    latest: dict[tuple[frozenset[int], datetime], str] = {}
    numbers: dict[str, Count] = {}
    for place, (one, failures) in enumerate(loudest.items()):
        if not failures:
            continue
        # What goes wrong together has the same failures: then there is one column for all of it.
        of = frozenset(failure.pk for failure in failures), one.until
        column = latest.setdefault(of, f"latest_{len(latest)}")
        for who in Affected.Who:
            during = Q(**{"who": who, f"{column}__gte": one.since})
            numbers[f"{who}_{place}"] = Count("key", filter=during)
    counted = _counted(latest, min(one.since for one in loudest), numbers) if numbers else {}
    return {
        one: {who: counted.get(f"{who}_{place}", 0) for who in Affected.Who}
        for place, one in enumerate(loudest)
    }


def _counted(
    latest: Mapping[tuple[frozenset[int], datetime], str], since: datetime, numbers: Mapping[str, Count]
) -> dict[str, int]:
    """Return numbers of those who met failures. They may ask when each met some of them the last time.

    Those are the columns of ``latest``, by which failures, and until when.
    """
    met = Affected.objects.filter(failure__in=frozenset().union(*(pks for pks, _until in latest)))
    columns = {
        column: Max("at", filter=Q(failure__in=pks, at__lte=until)) for (pks, until), column in latest.items()
    }
    each = met.filter(at__gte=since).order_by().values("who", "key").annotate(**columns)
    return each.aggregate(**numbers)


def _hit(asked: Asked, failures: Sequence[_Loud], met: Mapping[str, int]) -> Hit:
    cap = settings().affected_per_failure
    return Hit(
        people=met[Affected.Who.USER],
        subjects=met[Affected.Who.SUBJECT],
        at_least=len(failures) == MOST_FAILURES
        or any(failure.first_seen < asked.since or failure.met >= cap for failure in failures),
    )
