"""What was around alerts: releases and failures that came before them, whom it hit, what people changed.

For what is said of an alert, in a message or on a page. Each function is one or two short queries, whatever
the history holds.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from operator import or_
from typing import Any

from django.db.models import Case, Count, IntegerField, Q, Value, When

from ..conf import settings
from ..models import Affected, Alert, Breach, Deploy, Failure, Rule, Transition
from ..registry import SEVERITIES, Measure

#: Of so many failures, those that happened most, it is looked whom they hit.
MOST_FAILURES = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """Whom failures hit: ``people`` who were signed in, and ``subjects`` of journeys, each counted once.

    ``at_least`` says that there may be more: who has met a failure earlier is not counted again, and of a
    failure so many are kept.
    """

    people: int = 0
    subjects: int = 0
    at_least: bool = False


def failures_of(measures: Iterable[Measure]) -> Q | None:
    """Return which failures belong to what is watched; ``None`` when none do."""
    found = [condition for measure in measures if (condition := _failures_of(measure)) is not None]
    return reduce(or_, found) if found else None


def hit(measures: Collection[Measure], since: datetime, until: datetime) -> Hit | None:
    """Return whom the failures hit that belong to what is watched, ``None`` when none do. Two queries."""
    condition = failures_of(measures)
    if condition is None:
        return None
    failures = Failure.objects.filter(condition, last_seen__gte=since, first_seen__lte=until)
    known = list(failures.order_by("-count")[:MOST_FAILURES].values("pk", "first_seen", "people", "subjects"))
    met = Affected.objects.filter(failure__in=[row["pk"] for row in known], at__gte=since, at__lte=until)
    counted = met.order_by().values("who").annotate(n=Count("key", distinct=True))
    numbers = dict(counted.values_list("who", "n"))
    cap = settings().affected_per_failure
    return Hit(
        people=numbers.get(Affected.Who.USER, 0),
        subjects=numbers.get(Affected.Who.SUBJECT, 0),
        at_least=len(known) == MOST_FAILURES
        or any(row["first_seen"] < since or row["people"] + row["subjects"] >= cap for row in known),
    )


def breached(measures: Iterable[Measure], since: datetime, until: datetime) -> int | None:
    """Return for how many subjects the watched expectations were breached; ``None`` when none is watched."""
    names = {measure.name for measure in measures if measure.kind == "breaches"}
    if not names:
        return None
    found = Breach.objects.filter(found_at__gte=since, found_at__lte=until)
    if "" not in names:
        found = found.filter(expectation__in=names)
    number = found.aggregate(n=Count("subject", distinct=True))["n"]
    return int(number)


def deploys(since: datetime, until: datetime, *, most: int = 3, flags: int = 3) -> list[Deploy]:
    """Return what changed in a stretch, the latest first: ``most`` releases and ``flags``, each their latest.

    One query.
    """
    found = Deploy.objects.filter(at__gte=since, at__lte=until).order_by("-at", "-pk")
    # Of each kind by itself: a flag that is saved each minute must not push out the release.
    releases, changed = found.filter(flag=False)[:most], found.filter(flag=True)[:flags]
    return list(found.filter(Q(pk__in=releases.values("pk")) | Q(pk__in=changed.values("pk"))))


def new_failures(
    measures: Iterable[Measure], since: datetime, until: datetime, *, most: int = 3
) -> list[Failure]:
    """Return failures that happened for the first time in a stretch: those that belong, then the most often.

    Those that somebody has silenced are left out. One query.
    """
    # Who was seen first since then was seen last since then, and by that there is an index.
    found = Failure.objects.filter(last_seen__gte=since, first_seen__gte=since, first_seen__lte=until)
    found = found.exclude(state=Failure.State.SILENCED)
    if (condition := failures_of(measures)) is not None:
        belongs = Case(When(condition, then=Value(0)), default=Value(1), output_field=IntegerField())
        return list(found.order_by(belongs, "-count", "pk")[:most])
    return list(found.order_by("-count", "pk")[:most])


def overrides(rules: Collection[str]) -> dict[str, Mapping[str, Any]]:
    """Return what people say in place of the code, by rule, of those of which they do. One query."""
    rows = Rule.objects.filter(name__in=rules).order_by("name")
    # In one order, whatever the database makes of it.
    return {name: dict(sorted(said.items())) for name, said in rows.values_list("name", "override") if said}


def ends(alerts: Collection[int]) -> dict[int, Transition]:
    """Return who ended alerts the last time, and why, by the alert's primary key. One query."""
    rows = Transition.objects.filter(alert__in=alerts, after=Alert.State.RESOLVED)
    return {row.alert_id: row for row in rows.order_by("at", "pk") if row.alert_id is not None}


def _failures_of(measure: Measure) -> Q | None:
    if measure.kind == "requests":
        return Q(route=measure.name) if measure.name else Q(kind=Failure.Kind.UNHANDLED)
    if measure.kind == "step":
        return Q(journey=measure.journey)
    if measure.kind != "failures":
        return None
    return _named(measure, dict(measure.where))


def _named(measure: Measure, where: Mapping[str, str]) -> Q:
    condition = Q(journey=measure.journey) if measure.journey else ~Q(pk=None)
    for column, value in (("name", measure.name), ("kind", where.get("kind", ""))):
        if value:
            condition &= Q(**{column: value})
    if where.get("critical"):
        condition &= Q(critical=True)
    if (severity := where.get("severity", "")) in SEVERITIES:
        condition &= Q(severity__in=SEVERITIES[SEVERITIES.index(severity) :])
    return condition
