"""What the page behind a message's link shows: what the message said, and how it stands now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.utils.formats import date_format
from django.utils.translation import gettext as _

from .. import registry
from ..alerts import phrases
from ..alerts.tokens import Ticket
from ..clock import now
from ..dashboard.words import cut, local
from ..models import Alert, Notification

_NAME, _SENTENCE = 120, 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """An alert in words. ``state`` says whether it fires, who is on it, or that it is over."""

    title: str
    severity: str
    rank: int
    words: str
    usual: str
    journey: str
    since: str
    state: str
    over: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Alerts of one message. ``useful`` is ``None`` where nobody has said, or not the same of all."""

    alerts: list[Shown]
    may_acknowledge: bool
    over: bool
    useful: bool | None


def alerts(ticket: Ticket) -> list[Alert]:
    """Return the alerts of a link's message that are still there, the worst first. One query."""
    told = Notification.objects.filter(message=ticket.message, lane=ticket.channel)
    return list(Alert.objects.filter(pk__in=told.values("alert")).order_by("rank", "began_at", "pk"))


def page(found: Sequence[Alert]) -> Page:
    """Return what is shown of alerts."""
    useful = {alert.useful for alert in found}
    return Page(
        alerts=[_shown(alert) for alert in found],
        may_acknowledge=any(_fires(alert) and alert.acknowledged_at is None for alert in found),
        over=not any(_fires(alert) for alert in found),
        useful=useful.pop() if len(useful) == 1 else None,
    )


def _shown(alert: Alert) -> Shown:
    name = cut(alert.rule, _NAME)
    titles = {spec.name: spec.title for spec in registry.journeys()}
    return Shown(
        title=f"{name} ({cut(alert.key, _NAME)})" if alert.key else name,
        severity=str(alert.get_severity_display()),
        rank=alert.rank,
        words=cut(alert.words, _SENTENCE),
        usual=cut(alert.usual, _SENTENCE),
        journey=cut(titles.get(alert.journey, alert.journey), _NAME),
        since=_when(alert.began_at),
        state=_state(alert),
        over=not _fires(alert),
    )


def _state(alert: Alert) -> str:
    span = phrases.span(((alert.resolved_at or now()) - alert.began_at).total_seconds())
    if alert.resolved_at is not None:
        given = {"when": _when(alert.resolved_at), "span": span}
        return _("It is over since %(when)s, after %(span)s.") % given
    if alert.acknowledged_at is not None:
        given = {"who": cut(alert.acknowledged_by, _NAME), "when": _when(alert.acknowledged_at)}
        return _("Acknowledged by %(who)s, since %(when)s.") % given
    return _("For %(span)s now. Nobody has acknowledged it yet.") % {"span": span}


def _fires(alert: Alert) -> bool:
    return alert.state == Alert.State.FIRING


def _when(moment: datetime) -> str:
    there = local(moment)
    zone = f" {there:%Z}" if there.tzinfo is not None else ""
    return f"{date_format(there, 'DATETIME_FORMAT')}{zone}"
