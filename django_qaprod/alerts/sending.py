"""Takes notifications out of the outbox: what is due of a channel, together with what has the same cause."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple, TypeAlias, cast

from django.db.models import Case, Count, Min, Q, QuerySet, When
from django.utils.translation import gettext as _

from .. import clock
from ..conf import settings, telemetry_alias
from ..exceptions import ChannelError
from ..models import Notification
from ..outbox.threads import Senders
from ..pipeline import guard, process
from ..queries import alerts
from ..queries import rules as known
from ..specs import RuleSpec
from ..store import outbox, silences
from ..text import one_line
from . import caps, channels, messages, telling
from .channels.base import Kind, Message
from .headlines import Whole

#: How long what is kept back waits until it is looked at again.
AGAIN = timedelta(seconds=60)
#: How long ago an alert that was held may have been wrong last, for somebody to be told that it began.
NEWS_FOR = timedelta(minutes=5)
#: Notifications that are in memory at once. A digest tells of more, and counts them.
MOST = 500
_CRITICAL = "critical"
#: Told although somebody asked for quiet: whoever heard that it began hears that it is over.
_ALWAYS = frozenset({Notification.Kind.RESOLVED})


# Says why one is held, if it is.
Reason: TypeAlias = Callable[[Notification], str]


class Chosen(NamedTuple):
    """What goes out as one message."""

    ids: list[int]
    digest: bool = False


def send_due(lane: str, stop: threading.Event) -> int:
    """Send what a channel has to send now; return how many messages went out."""
    holder = f"{process.host()}:{os.getpid()}:{os.urandom(3).hex()}"
    done = 0
    while not stop.is_set():
        message, digest = _claimed(lane, holder, clock.now())
        if not message:
            # Or others were quicker, or hold the rows: not to be asked for over and over.
            break
        done += _send(lane, message, holder, digest=digest)
    return done


def _claimed(lane: str, holder: str, at: datetime) -> tuple[str, bool]:
    """Claim what is to be sent next of a channel; return its id, if there is any, and whether it is a digest.

    What is tried again goes first, within the hour as well: after a failure there may be many of it. But the
    last of an hour is kept for the digest of what waits.
    """
    taker = channels.taker(lane)
    if not taker:
        return "", False
    left = caps.left(taker, at, urgent=False)
    chosen = choose(lane, at) if left == 1 and caps.most(taker) > 1 else None
    if chosen is None or not chosen.digest:
        if message := _claimed_again(lane, holder, taker, at, left=left):
            return message, False
        chosen = chosen or choose(lane, at)
    return outbox.claim(Notification, chosen.ids, holder=holder), chosen.digest


def _claimed_again(lane: str, holder: str, taker: str, at: datetime, *, left: int) -> str:
    if left > 0:
        return outbox.claim_again(Notification, lane, holder=holder)
    if caps.left(taker, at, urgent=True) <= 0:
        return ""
    urgent = Q(alert__severity=_CRITICAL)
    return outbox.claim_again(Notification, lane, holder=holder, only=urgent)


def choose(lane: str, at: datetime) -> Chosen:
    """Return what of a channel is to be sent now as one message; nothing while its hour is full.

    Nor while it is left alone and nothing stands in: what waits then is told together afterwards. Where
    something does, the hour is that one's. The last message of an hour is a digest of all that waits. What is
    silenced, inhibited or outside the hours of its route is put off.
    """
    # The worst first: what is critical must not be behind a flood that waits for the next hour.
    # And what is due: neither behind what was put off.
    later = Case(When(due_at__lte=at, then=0), default=1)
    fresh = outbox.fresh(Notification, lane).order_by(later, "alert__rank", "due_at", "pk")
    waiting = list(fresh.select_related("alert")[:MOST])
    if not any(one.due_at <= at for one in waiting):
        return Chosen([])
    reason = _reasons(lane, at)
    free = _not_held(waiting, at, reason)
    due = [one for one in free if one.due_at <= at]
    if not due:
        return Chosen([])
    taker = channels.taker(lane)
    left = caps.left(taker, at, urgent=_is_urgent(due)) if taker else 0
    if left <= 0:
        return Chosen([])
    more = len(waiting) == MOST
    if left == 1 and (more or len({one.group for one in free}) > 1):
        others = _not_held_beyond(waiting, fresh, at, reason) if more else []
        return Chosen([*(one.pk for one in free), *others], digest=True)
    first = min(due, key=lambda one: (one.alert.rank, one.due_at, one.pk))
    together = [one.pk for one in free if _is_together(one, first)]
    return Chosen(together)


def _is_urgent(rows: Sequence[Notification]) -> bool:
    return any(one.alert.severity == _CRITICAL for one in rows)


def _is_together(one: Notification, first: Notification) -> bool:
    over = Notification.Kind.RESOLVED
    return one.group == first.group and (one.kind == over) == (first.kind == over)


def _reasons(lane: str, at: datetime) -> Reason:
    """Return what says why one of a channel is held, in words, if it is."""
    quiet = silences.active(at)
    explaining = alerts.explaining(at)
    specs: dict[str, RuleSpec] = {spec.name: spec for spec in known.effective()}
    tried = _tried_again(lane)
    began = outbox.fresh(Notification, lane).filter(kind=Notification.Kind.FIRING).exclude(held="")
    held = set(began.order_by().values_list("alert_id", flat=True))

    def reason(one: Notification) -> str:
        spec = specs.get(one.alert.rule)
        why = "" if one.kind in _ALWAYS else telling.held(
            one.alert, lane, spec, at, silences=quiet, explaining=explaining
        )  # fmt: skip
        return why or _old_news(one, held, at) or _too_soon(one, tried)

    return reason


def _not_held(waiting: Sequence[Notification], at: datetime, reason: Reason) -> list[Notification]:
    free = []
    reasons: dict[str, list[int]] = {}
    for one in waiting:
        why = reason(one)
        if not why:
            free.append(one)
        elif one.due_at <= at:
            reasons.setdefault(why[:200], []).append(one.pk)
    for why, ids in reasons.items():
        rows = Notification.objects.using(telemetry_alias()).filter(pk__in=ids)
        outbox.put_off(rows, by=AGAIN, held=why)
    return free


def _not_held_beyond(
    seen: Sequence[Notification], fresh: QuerySet[Notification], at: datetime, reason: Reason
) -> list[int]:
    """Return what waits besides what was looked at, and is not held."""
    known_by = {one.pk for one in seen}
    left = [pk for pk in fresh.values_list("pk", flat=True) if pk not in known_by]
    found: list[int] = []
    for first in range(0, len(left), MOST):
        rows = fresh.filter(pk__in=left[first : first + MOST]).select_related("alert")
        found += [one.pk for one in _not_held(list(rows), at, reason)]
    return found


def _old_news(one: Notification, held: Collection[int], at: datetime) -> str:
    """Say of what was held why it is too late: what explained it is over, and so is this, nearly."""
    if one.kind in _ALWAYS or one.alert_id not in held or at - one.alert.wrong_at < NEWS_FOR:
        return ""
    return _("It was not wrong lately: it is told if it is again.")


def _tried_again(lane: str) -> set[int]:
    """Return the alerts of which a message is on its way or is tried again, or that it began waits once more.

    That began waits beside that it is over only if it had been claimed by then.
    """
    rows = Notification.objects.using(telemetry_alias()).filter(lane=lane, state=Notification.State.WAITING)
    first = ~Q(message="") | Q(kind=Notification.Kind.FIRING)
    return set(rows.filter(first).order_by().values_list("alert_id", flat=True))


def _too_soon(one: Notification, tried: Collection[int]) -> str:
    if one.kind != Notification.Kind.RESOLVED or one.alert_id not in tried:
        return ""
    return _("That it began is being told first.")


def _send(lane: str, message: str, holder: str, *, digest: bool) -> bool:
    ours = Notification.objects.using(telemetry_alias()).filter(
        message=message, holder=holder, state=Notification.State.WAITING
    )
    rows = list(ours.select_related("alert").order_by("alert__rank", "pk")[: MOST + 1])
    if not rows:
        return False
    # It was one before somebody died in mid-send, too.
    digest = digest or len(rows) > MOST or len({row.group for row in rows}) > 1
    whole = _whole(ours) if digest else None
    built = _built(rows[:MOST], lane, message, whole)
    urgent = _is_urgent(rows)
    try:
        via = channels.send(lane, built, is_full=lambda one: caps.left(one, clock.now(), urgent=urgent) <= 0)
    except ChannelError as error:
        outbox.failed(
            Notification, message, holder=holder, error=str(error), for_good=error.permanent,
            # What waits for room is not given up meanwhile.
            counted=not isinstance(error, channels.FullError), unsent=error.unsent,
        )  # fmt: skip
        return False
    stood_in = "" if via == lane else via
    done = outbox.sent(
        Notification, message, holder=holder, via=stood_in, subject=built.subject[:300], held=""
    )
    _drop_reminders(lane, message)
    return bool(done)


def _whole(rows: QuerySet[Notification]) -> Whole:
    """Return how many alerts by rule a digest is of, and since when."""
    counted = rows.order_by().values_list("alert__rule").annotate(alerts=Count("alert", distinct=True))
    first = rows.aggregate(first=Min("made_at"))["first"]
    return Whole(dict(counted), first or clock.now())


def _drop_reminders(lane: str, message: str) -> None:
    """Drop what would remind of alerts that have been told just now, after a night's silence."""
    rows = Notification.objects.using(telemetry_alias())
    told = rows.filter(message=message, kind=Notification.Kind.FIRING)
    reminders = rows.filter(lane=lane, alert__in=told.values("alert"), kind=Notification.Kind.REMINDER)
    outbox.drop(reminders, skipping=True, held=_("It was told with that it fires."))


def _built(rows: Sequence[Notification], lane: str, message: str, whole: Whole | None) -> Message:
    digest = whole is not None
    with guard.guard("messages"):
        return messages.build(rows, channel=lane, id=message, digest=digest, whole=whole)
    # Whatever cannot be said of it: that it fires is told.
    return Message(
        id=message,
        kind="digest" if digest else cast("Kind", rows[0].kind),
        severity=rows[0].alert.severity,
        subject=one_line(f"[{rows[0].alert.severity}] {rows[0].alert}", 150),
        text="\n".join(one_line(f"{row.kind}: {row.alert}: {row.alert.words}", 500) for row in rows[:20]),
    )


senders = Senders("alerts", send_due)


def start() -> None:
    """Have each channel that has something to send do so, in a thread of its own."""
    if settings().enabled:
        senders.start(outbox.lanes(Notification))
