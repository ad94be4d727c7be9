"""Silences: stretches of asked-for quiet, each with who asked for it and why."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from django.db.models import QuerySet

from .. import clock
from ..conf import telemetry_alias
from ..models import Alert, Silence
from ..text import clean
from .statements import limit


def make(
    *,
    who: str,
    why: str,
    until: datetime,
    begins_at: datetime | None = None,
    rule: str = "",
    key: str = "",
    journey: str = "",
    everything: bool = False,
    using: str | None = None,
) -> Silence:
    """Ask for quiet from ``begins_at``, or from now, until a time.

    Of alerts for which all that is named fits: a rule, what it tells apart (``key``), a journey; or of
    ``everything``. Raises ``ValueError`` for one that names nothing, says no reason or ends before it begins.
    """
    now = clock.now()
    begins_at = begins_at or now
    if everything == bool(rule or key or journey):
        raise ValueError("A silence names a rule, a key or a journey, or is of everything.")
    if not why.strip() or until <= begins_at:
        raise ValueError("A silence has a reason, and ends after it began.")
    said = {"rule": rule, "key": key, "journey": journey, "who": who, "why": why.strip()}
    return _rows(using).create(
        everything=everything,
        begins_at=begins_at,
        until=until,
        made_at=now,
        **{name: clean(text, limit(Silence, name)) for name, text in said.items()},
    )


def end(ids: Iterable[int], *, who: str, using: str | None = None) -> int:
    """End silences now, or call those off that were to come; return how many were not over already."""
    now = clock.now()
    over = _rows(using).filter(pk__in=list(ids), until__gt=now)
    return over.update(until=now, ended_by=clean(who, limit(Silence, "ended_by")))


def active(now: datetime, *, using: str | None = None) -> list[Silence]:
    """Return the silences that hold at a moment, the one that ends last first."""
    return list(_rows(using).filter(until__gt=now, begins_at__lte=now))


def matching(alert: Alert, silences: Iterable[Silence]) -> Silence | None:
    """Return the silence that asks for quiet about an alert and ends last; ``None`` if none does.

    Their times are not looked at: ``active`` has.
    """
    return max(
        (silence for silence in silences if _matches(silence, alert)),
        key=lambda silence: silence.until,
        default=None,
    )


def _matches(silence: Silence, alert: Alert) -> bool:
    named = (
        (silence.rule, alert.rule),
        (silence.key, alert.key),
        (silence.journey, alert.journey),
    )
    wanted = [(asked, found) for asked, found in named if asked]
    return silence.everything or (bool(wanted) and all(asked == found for asked, found in wanted))


def _rows(using: str | None) -> QuerySet[Silence]:
    return Silence.objects.using(using or telemetry_alias())
