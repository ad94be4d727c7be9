"""Alerts: who was told, what was before, how useful they were. ``circumstances`` has what was around them."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db.models import BooleanField, Count, ExpressionWrapper, Q

from ..models import Alert, JobRun, Notification, Rule

#: The job that judges the rules, twice a minute; so long without is an outage.
JOB, STALE_AFTER = "alerts", timedelta(minutes=5)
#: What was not seen to be wrong for so long, as nobody could judge it, explains no other alert.
BELIEVED_FOR = timedelta(hours=1)
#: How long an alert that is not wrong any more explains what began while it was.
EXPLAINS_FOR = timedelta(minutes=10)
#: What was seen to be wrong that long ago may be wrong still: looks come twice a minute, or later.
SEEN_WITHIN = timedelta(minutes=2)
#: Notifications that are shown of one alert, and alerts before it.
MOST, MOST_EARLIER = 50, 5
#: Alerts that people judged that are read at most, the latest.
MOST_JUDGED = 20_000


class Judged(NamedTuple):
    """An alert of which somebody said whether it was useful."""

    rule: str
    at: datetime
    value: float | None
    limit: float | None
    useful: bool


def last_look() -> datetime | None:
    """Return when the rules were judged last, ``None`` when they never were."""
    return JobRun.objects.filter(name=JOB).values_list("succeeded_at", flat=True).first()


def notifications(alert: Alert) -> list[Notification]:
    """Return the messages about an alert, the latest first."""
    return list(alert.notifications.all()[:MOST])


def before(alert: Alert) -> list[Alert]:
    """Return the alerts of the same rule and key that fired before this one, the latest first."""
    same = Alert.objects.filter(rule=alert.rule, key=alert.key, fired_at__isnull=False)
    earlier = same.filter(began_at__lte=alert.began_at).exclude(pk=alert.pk)
    return list(earlier.order_by("-fired_at")[:MOST_EARLIER])


def held(ids: Collection[int]) -> dict[int, str]:
    """Return why messages about these alerts wait, by alert. One query."""
    waiting = Notification.objects.filter(alert__in=ids, state=Notification.State.WAITING)
    return dict(waiting.exclude(held="").order_by("pk").values_list("alert", "held"))


def active() -> dict[str, dict[str, int]]:
    """Return how many alerts of each rule are pending and fire. One query."""
    found: dict[str, dict[str, int]] = {}
    rows = Alert.objects.filter(state__in=(Alert.State.PENDING, Alert.State.FIRING)).order_by()
    for rule, state, number in rows.values_list("rule", "state").annotate(number=Count("pk")):
        found.setdefault(rule, {})[state] = number
    return found


def explaining(at: datetime) -> dict[str, datetime]:
    """Return the rules that may explain others, and until when what begins is explained by them. One query.

    Those that are wrong, and for ``EXPLAINS_FOR`` those that were, whether they still fire or not: what they
    explain is seldom over in the same moment, and what begins later is something else. One of which nothing
    can be said now is believed for ``BELIEVED_FOR``.
    """
    states = Alert.State
    unsure = Q(state=states.FIRING, rule__in=Rule.objects.exclude(error="", silent="").values("name"))
    lately = Q(wrong_at__gt=at - EXPLAINS_FOR)
    # By the indexes of what fires, and of what is over since then.
    fires = Q(state=states.FIRING) & (lately | unsure)
    over = Q(state=states.RESOLVED, resolved_at__gt=at - EXPLAINS_FOR) & lately
    rows = Alert.objects.filter(fires | over, wrong_at__gt=at - BELIEVED_FOR).order_by()
    rows = rows.annotate(unsure=ExpressionWrapper(unsure, output_field=BooleanField()))
    found: dict[str, datetime] = {}
    for rule, wrong_at, is_unsure in rows.values_list("rule", "wrong_at", "unsure"):
        until = at if is_unsure else wrong_at + SEEN_WITHIN
        found[rule] = max(until, found.get(rule, until))
    return found


def judged(since: datetime) -> list[Judged]:
    """Return the alerts since then that somebody judged, the latest first. One query."""
    rows = Alert.objects.filter(useful__isnull=False, began_at__gte=since).order_by("-pk")
    known = rows.values_list("rule", "began_at", "value", "limit", "useful")[:MOST_JUDGED]
    return [Judged(rule, at, value, limit, bool(useful)) for rule, at, value, limit, useful in known]
