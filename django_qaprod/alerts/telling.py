"""Who is told of an alert, when, and together with what; and what keeps it back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import NamedTuple

from django.utils.translation import gettext as _

from .. import registry
from ..models import Alert, Deploy, Silence
from ..pipeline import guard
from ..queries.inhibition import explanation
from ..specs import RouteSpec, RuleSpec
from ..store.alerts import RANKS, Telling, Told
from ..store.silences import matching
from . import channels, hours
from .languages import spoken

#: How long alerts of one cause are waited for, so that they are one message; what is critical, not at all.
GROUP_WAIT = timedelta(seconds=30)
#: What began so long after a release went live is told together.
BY_DEPLOY = timedelta(hours=1)
#: By so much an alert may have begun later than it says: numbers are kept by the minute.
BY_MINUTES = timedelta(minutes=1)
#: When an alert is told again that nobody acknowledges: so long after it fired, and then once a day.
REMIND_AFTER = (timedelta(minutes=30), timedelta(hours=2), timedelta(hours=8), timedelta(hours=24))


class Way(NamedTuple):
    """How an alert goes: to these channels, and to others if nobody acknowledges it in time (seconds)."""

    to: tuple[str, ...]
    escalate_after: float = 0.0
    escalate_to: tuple[str, ...] = ()


def ways(alert: Alert, spec: RuleSpec | None, at: datetime) -> tuple[list[Way], list[Way]]:
    """Return the ways that are open for an alert, and those that are closed at this hour.

    1. What the rule says itself.
    2. The routes in their order: the first that matches and is open, and further ones if it says so.
    3. Where there are no routes, all channels but those that only stand in for others.
    """
    if spec is not None and spec.to:
        return [Way(spec.to)], []
    routes = registry.routes()
    if not routes:
        return [Way(primary())], []
    opened: list[Way] = []
    closed: list[Way] = []
    for route in routes:
        if not matches(route, alert):
            continue
        way = Way(route.to, route.escalate_after, route.escalate_to)
        if not _is_open(route, at):
            closed.append(way)
            continue
        opened.append(way)
        if not route.further:
            break
    return opened, closed


def primary() -> tuple[str, ...]:
    """Return the channels that do not only stand in for others."""
    names = channels.names()
    standing_in = {channels.options(name).fallback for name in names}
    return tuple(name for name in names if name not in standing_in) or names


def telling(alert: Alert, spec: RuleSpec, at: datetime, deploys: Iterable[Deploy]) -> Telling:
    """Return what is to be made of an alert that begins to fire.

    Where no way is open, those that are closed are taken: the message waits until one opens.
    """
    opened, closed = ways(alert, spec, at)
    chosen = opened or closed
    after = [way.escalate_after for way in chosen if way.escalate_to]
    group = group_of(alert, deploys)
    due = at if alert.severity == "critical" else at + GROUP_WAIT
    lanes = dict.fromkeys(lane for way in chosen for lane in way.to)
    return Telling(
        told=[Told(lane, due, group) for lane in lanes],
        remind_at=at + REMIND_AFTER[0],
        escalate_at=at + timedelta(seconds=min(after)) if after else None,
    )


def group_of(alert: Alert, deploys: Iterable[Deploy]) -> str:
    """Return the likely cause, by which alerts are told together: release, flag, journey or rule."""
    began = alert.began_at
    before = [one for one in deploys if one.at - BY_MINUTES < began <= one.at + BY_DEPLOY]
    if before:
        return max(before, key=lambda one: one.at).named
    return f"journey {alert.journey}" if alert.journey else f"rule {alert.rule}"


def again(alert: Alert, spec: RuleSpec | None, at: datetime) -> list[Told]:
    """Return to whom an alert is told again."""
    opened, closed = ways(alert, spec, at)
    lanes = dict.fromkeys(lane for way in opened or closed for lane in way.to)
    return [Told(lane, at, f"again {alert.rule}") for lane in lanes]


def escalated(alert: Alert, spec: RuleSpec | None, at: datetime) -> list[Told]:
    """Return to whom an alert goes that nobody acknowledged."""
    opened, closed = ways(alert, spec, at)
    lanes = dict.fromkeys(lane for way in opened or closed for lane in way.escalate_to)
    return [Told(lane, at, f"escalation {alert.rule}") for lane in lanes]


def next_reminder(alert: Alert, at: datetime) -> datetime:
    """Return when it is told once more after the reminder that is due now: at growing intervals."""
    spans = [later - earlier for earlier, later in pairwise(REMIND_AFTER)]
    return at + (spans[alert.reminders] if alert.reminders < len(spans) else REMIND_AFTER[-1])


def held(
    alert: Alert,
    lane: str,
    spec: RuleSpec | None,
    at: datetime,
    *,
    silences: Sequence[Silence],
    explaining: Mapping[str, datetime],
) -> str:
    """Return why this channel is not told of an alert now; nothing if it is. For those that fire.

    ``explaining`` are the rules that may explain it, and until when it has to have begun for that.
    """
    if silence := matching(alert, silences):
        words = {"who": silence.who, "why": silence.why}
        return spoken(lambda: _("Silenced by %(who)s: %(why)s") % words)
    found = explanation(spec, explaining) if spec is not None else None
    if found is not None and alert.began_at <= found.until:
        rule = {"rule": found.rule}
        return spoken(lambda: _("“%(rule)s” explains it.") % rule)
    opened, closed = ways(alert, spec, at)
    later = {name for way in closed for name in (*way.to, *way.escalate_to)}
    if not opened and lane in later:
        return _("Outside the hours of its route.")
    return ""


def _is_open(route: RouteSpec, at: datetime) -> bool:
    with guard.guard("routes"):
        return hours.go_on(route.hours, at)
    # Better at the wrong hour than never.
    return True


def matches(route: RouteSpec, alert: Alert) -> bool:
    """Return whether a route takes an alert, at whatever hour."""
    return (
        RANKS[alert.severity] <= RANKS[route.severity]
        and (not route.journeys or alert.journey in route.journeys)
        and (not route.rules or alert.rule in route.rules)
    )
