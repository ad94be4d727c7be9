"""Keeps alerts: what a look at a rule changes, which ``looks`` lets in one at a time, and what people do."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple

from django.db import transaction
from django.db.models import F, Q, QuerySet

from .. import clock
from ..conf import telemetry_alias
from ..models import Alert, Notification, Transition
from ..registry import SEVERITIES
from ..specs import RuleSpec
from ..text import clean, one_line
from . import outbox
from .statements import limit

#: Who changed the state when it was no person.
OURSELVES: Final = "qaprod"
#: Why an alert ended of which nobody knows whether all is well.
RULE_GONE: Final = "The rule is switched off, or gone."

#: By severity: 0 is the worst.
RANKS: Final[Mapping[str, int]] = {name: rank for rank, name in enumerate(reversed(SEVERITIES))}
_STATES = Alert.State
_ACTIVE = (_STATES.PENDING, _STATES.FIRING)
_TOLD = (Notification.Kind.FIRING, Notification.Kind.REMINDER, Notification.Kind.ESCALATION)


class Told(NamedTuple):
    """To whom an alert goes: a channel, when it is due, and the cause by which it is grouped."""

    lane: str
    due_at: datetime
    group: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """How an alert is to stand after a look. ``state`` is empty where there is to be none."""

    key: str
    state: str
    began_at: datetime
    wrong_at: datetime
    value: float | None = None
    limit: float | None = None
    words: str = ""
    usual: str = ""
    flapping: bool = False
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Telling:
    """What is made of an alert that fires: its notifications, and when it is told again, and to others."""

    told: Sequence[Told] = ()
    remind_at: datetime | None = None
    escalate_at: datetime | None = None


#: Says of an alert that fires, which is stored already, who is told.
Tell = Callable[[Alert], Telling]


def active(rule: str, *, using: str | None = None) -> dict[str, Alert]:
    """Return the alerts of a rule that are pending or fire, by key.

    By their ids, as people lock them: in two orders each could wait for what the other has.
    """
    rows = _rows(using).filter(rule=rule, state__in=_ACTIVE).order_by("pk")
    return {alert.key: alert for alert in rows}


def fired_since(rule: str, since: datetime, *, using: str | None = None) -> list[str]:
    """Return the keys of the alerts of a rule that fired since then, one for each time."""
    return list(_rows(using).filter(rule=rule, fired_at__gte=since).values_list("key", flat=True))


def apply(
    spec: RuleSpec, alert: Alert | None, change: Change, *, at: datetime, tell: Tell, using: str
) -> None:
    """Change an alert, or make it, inside the caller's transaction, which holds the rule's row."""
    if alert is None:
        if change.state:
            alert = _make(spec, change, using)
            _note(alert, "", change.state, at, OURSELVES, change.why or change.words)
            if change.state == _STATES.FIRING:
                _fire(alert, at, tell)
        return
    before, rows = alert.state, _rows(using).filter(pk=alert.pk, state=alert.state)
    if not change.state:
        rows.delete()
        return
    if change.state == _STATES.RESOLVED:
        _resolve(rows, at, who=OURSELVES, why=change.why or change.words)
        return
    seen = {"severity": spec.severity, "rank": RANKS[spec.severity], **_seen(change)}
    if not rows.update(state=change.state, began_at=change.began_at, wrong_at=change.wrong_at, **seen):
        # A person has resolved it meanwhile.
        return
    if change.state == _STATES.FIRING and before == _STATES.PENDING:
        _note(alert, before, change.state, at, OURSELVES, change.why or change.words)
        _fire(_rows(using).get(pk=alert.pk), at, tell)


def _make(spec: RuleSpec, change: Change, using: str) -> Alert:
    return _rows(using).create(
        rule=spec.name,
        key=change.key,
        kind=spec.kind,
        severity=spec.severity,
        rank=RANKS[spec.severity],
        journey=spec.journey,
        state=change.state,
        began_at=change.began_at,
        wrong_at=change.wrong_at,
        **_seen(change),
    )


def _seen(change: Change) -> dict[str, Any]:
    if not change.words:
        return {"flapping": change.flapping}
    return {
        "value": change.value,
        "limit": change.limit,
        "words": clean(change.words, limit(Alert, "words")),
        "usual": clean(change.usual, limit(Alert, "usual")),
        "flapping": change.flapping,
    }


def _fire(alert: Alert, at: datetime, tell: Tell) -> None:
    alert.fired_at = at
    telling = tell(alert)
    rows = _rows(alert._state.db).filter(pk=alert.pk)
    rows.update(fired_at=at, remind_at=telling.remind_at, escalate_at=telling.escalate_at)
    notify(alert, Notification.Kind.FIRING, telling.told, at=at)


def notify(alert: Alert, kind: str, told: Iterable[Told], *, at: datetime, number: int = 0) -> None:
    """Put notifications of an alert into the outbox, inside the caller's transaction. Each is there once."""
    Notification.objects.using(alert._state.db).bulk_create(
        (
            Notification(
                alert_id=alert.pk,
                lane=clean(one.lane, limit(Notification, "lane")),
                kind=kind,
                number=number,
                group=clean(one.group, limit(Notification, "group")),
                made_at=at,
                due_at=one.due_at,
            )
            for one in told
        ),
        ignore_conflicts=True,
    )


def resolve(ids: Iterable[int], *, who: str, why: str = "", using: str | None = None) -> int:
    """End alerts by hand; return how many there were. A rule that is still wrong fires anew."""
    alias, at = using or telemetry_alias(), clock.now()
    wanted = sorted(ids)
    with transaction.atomic(using=alias):
        return sum(
            _resolve(_rows(alias).filter(pk=pk, state__in=_ACTIVE), at, who=who, why=why) for pk in wanted
        )


def resolve_rule(rule: str, *, kind: str, why: str, using: str | None = None) -> int:
    """End the alerts of a rule that is judged no more, or not as this kind; return how many there were."""
    rows = _rows(using).filter(rule=rule, kind=kind, state__in=_ACTIVE)
    return resolve(rows.values_list("pk", flat=True), who=OURSELVES, why=why, using=using)


def active_rules(*, of: Iterable[str] | None = None, using: str | None = None) -> set[tuple[str, str]]:
    """Return the names and kinds of the rules that have active alerts, of these or of all. One query."""
    rows = _rows(using).filter(state__in=_ACTIVE).order_by()
    if of is not None:
        rows = rows.filter(rule__in=list(of))
    return set(rows.values_list("rule", "kind").distinct())


def _resolve(rows: QuerySet[Alert], at: datetime, *, who: str, why: str) -> int:
    # Written to before it is read, so that what is seen of it is true until the end; and on SQLite no
    # transaction may write that has read what somebody has written to since.
    if not rows.update(state=F("state")):
        return 0
    alert = rows.get()
    _rows(rows.db).filter(pk=alert.pk).update(
        state=_STATES.RESOLVED, resolved_at=at, remind_at=None, escalate_at=None
    )
    _note(alert, alert.state, _STATES.RESOLVED, at, who, why)
    waiting = Notification.objects.using(rows.db).filter(alert=alert, kind__in=_TOLD)
    outbox.drop(waiting, held="It was over before it was told.")
    # Whoever was told, or is being told at this moment, is told that it is over.
    told = (
        Notification.objects.using(rows.db)
        .filter(alert=alert, kind__in=_TOLD)
        .exclude(state=Notification.State.DROPPED)
    )
    lanes = dict(told.order_by("pk").values_list("lane", "group"))
    notify(
        alert,
        Notification.Kind.RESOLVED,
        [Told(lane, at, group) for lane, group in lanes.items()],
        at=at,
    )
    return 1


def acknowledge(ids: Iterable[int], *, who: str, using: str | None = None) -> int:
    """Say that somebody is on it: it is not told again, nor to others. Return how many changed."""
    alias, at = using or telemetry_alias(), clock.now()
    changed = 0
    with transaction.atomic(using=alias):
        for pk in sorted(ids):
            rows = _rows(alias).filter(pk=pk, state=_STATES.FIRING, acknowledged_at=None)
            name = clean(who, limit(Alert, "acknowledged_by"))
            if rows.update(acknowledged_at=at, acknowledged_by=name, remind_at=None, escalate_at=None):
                changed += 1
                again = Notification.objects.using(alias).filter(
                    alert=pk, kind__in=(Notification.Kind.REMINDER, Notification.Kind.ESCALATION)
                )
                outbox.drop(again, held="It was acknowledged.")
                _note(_rows(alias).get(pk=pk), _STATES.FIRING, _STATES.FIRING, at, who, "Acknowledged.")
    return changed


def unacknowledge(ids: Iterable[int], *, who: str, tell: Tell, using: str | None = None) -> int:
    """Take back that somebody is on it; return how many changed.

    ``tell`` says from when on somebody is reminded of it, and others are told. Nobody is told at once.
    """
    alias, at = using or telemetry_alias(), clock.now()
    changed = 0
    with transaction.atomic(using=alias):
        for pk in sorted(ids):
            rows = _rows(alias).filter(pk=pk, state=_STATES.FIRING, acknowledged_at__isnull=False)
            # Written to before it is read: see ``_resolve``.
            if not rows.update(state=F("state")):
                continue
            alert = rows.get()
            telling = tell(alert)
            rows.update(
                acknowledged_at=None,
                acknowledged_by="",
                remind_at=telling.remind_at,
                escalate_at=telling.escalate_at,
            )
            why = f"No longer acknowledged; it was by {alert.acknowledged_by}."
            _note(alert, alert.state, alert.state, at, who, why)
            changed += 1
    return changed


def say_useful(ids: Iterable[int], useful: bool, *, who: str, using: str | None = None) -> int:
    """Say whether it was right to tell of these alerts; return how many there were."""
    alias, at = using or telemetry_alias(), clock.now()
    others = _rows(alias).exclude(useful=useful)
    found = list(others.filter(pk__in=list(ids)).order_by("pk"))
    why = "It was useful." if useful else "It was not useful."
    changed = 0
    with transaction.atomic(using=alias):
        for alert in found:
            if others.filter(pk=alert.pk).update(useful=useful):
                changed += 1
                _note(alert, alert.state, alert.state, at, who, why)
    return changed


def remind(
    alert: Alert, told: Iterable[Told], *, at: datetime, next_at: datetime | None, using: str | None = None
) -> bool:
    """Tell of an alert again; false when another evaluator has done so, or somebody acknowledged it.

    Who has not been told yet that it began, as it is held, is not reminded of it.
    """
    alias = using or telemetry_alias()
    with transaction.atomic(using=alias):
        rows = _rows(alias).filter(pk=alert.pk, state=_STATES.FIRING, remind_at=alert.remind_at)
        if not rows.update(reminders=alert.reminders + 1, remind_at=next_at):
            return False
        held = (
            Notification.objects.using(alias)
            .filter(alert=alert, kind=Notification.Kind.FIRING, state=Notification.State.WAITING)
            .exclude(held="")
        )
        lanes = set(held.values_list("lane", flat=True))
        again = [one for one in told if one.lane not in lanes]
        notify(alert, Notification.Kind.REMINDER, again, at=at, number=alert.reminders + 1)
    return True


def escalate(alert: Alert, told: Iterable[Told], *, at: datetime, using: str | None = None) -> bool:
    """Tell others of an alert that nobody acknowledged; false when that is done, or somebody did."""
    alias = using or telemetry_alias()
    with transaction.atomic(using=alias):
        rows = _rows(alias).filter(pk=alert.pk, state=_STATES.FIRING, escalate_at=alert.escalate_at)
        if not rows.update(escalate_at=None):
            return False
        _note(alert, alert.state, alert.state, at, OURSELVES, "Nobody acknowledged it; others are told.")
        # Anew where somebody was on it since, and is no longer.
        earlier = Notification.objects.using(alias).filter(alert=alert, kind=Notification.Kind.ESCALATION)
        number = earlier.order_by().values("number").distinct().count()
        notify(alert, Notification.Kind.ESCALATION, told, at=at, number=number)
    return True


def to_be_told_again(at: datetime, *, using: str | None = None) -> list[Alert]:
    """Return the alerts of which somebody is to be reminded, or others are to be told, now."""
    due = Q(remind_at__lte=at) | Q(escalate_at__lte=at)
    return list(_rows(using).filter(due, state=_STATES.FIRING).order_by("rank", "pk"))


def _note(alert: Alert, before: str, after: str, at: datetime, who: str, why: str) -> None:
    Transition.objects.using(alert._state.db).create(
        alert_id=alert.pk,
        at=at,
        who=clean(who, limit(Transition, "who")),
        before=before,
        after=after,
        why=one_line(why, limit(Transition, "why")),
    )


def _rows(using: str | None) -> QuerySet[Alert]:
    return Alert.objects.using(using or telemetry_alias())
