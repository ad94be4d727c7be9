"""What was around alerts: releases and failures that came before them, what people changed.

For what is said of an alert, in a message or on a page. Each function is one or two short queries, whatever
the history holds.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from functools import reduce
from operator import or_
from typing import Any

from django.db.models import Case, Count, IntegerField, Q, Value, When

from ..models import Alert, Breach, Deploy, Failure, Rule, Transition
from ..registry import SEVERITIES
from ..specs import Measure

#: So long before an alert began a release, or a flag that was changed, may be what brought it.
RELEASES_BEFORE = timedelta(hours=2)
# What is stored late, and what follows at once, belongs to it.
_SHORTLY_AFTER = timedelta(minutes=5)


def caused_by(alerts: Iterable[Alert], until: datetime) -> datetime:
    """Return until when what happened may have brought alerts: shortly after they fired.

    Not when they began: that is known by the minute, in the midst of which it may have been.
    """
    return min(max(alert.fired_at or alert.began_at for alert in alerts) + _SHORTLY_AFTER, until)


def failures_of(measures: Iterable[Measure]) -> Q | None:
    """Return which failures belong to what is watched; ``None`` when none do."""
    found = [condition for measure in measures if (condition := _failures_of(measure)) is not None]
    return reduce(or_, found) if found else None


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
