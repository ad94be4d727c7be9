"""Takes notifications out of the outbox: what is due of a channel, together with what has the same cause."""

from __future__ import annotations

import os
import threading
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple, cast

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

#: How long what is kept back waits until it is looked at again.
AGAIN = timedelta(seconds=60)
#: How long ago an alert that was held may have been wrong last, for somebody to be told that it began.
NEWS_FOR = timedelta(minutes=5)
#: Notifications that are looked at, and told in one message, at most.
MOST = 500
#: Told although somebody asked for quiet: whoever heard that it began hears that it is over.
_ALWAYS = frozenset({Notification.Kind.RESOLVED})


class Chosen(NamedTuple):
    """What goes out as one message."""

    ids: list[int]
    digest: bool = False


def send_due(lane: str, stop: threading.Event) -> int:
    """Send what a channel has to send now; return how many messages went out."""
    holder = f"{process.host()}:{os.getpid()}:{os.urandom(3).hex()}"
    done = 0
    while not stop.is_set():
        message, digest = outbox.claim_again(Notification, lane, holder=holder), False
        if not message:
            chosen = choose(lane, clock.now())
            if not chosen.ids:
                break
            digest = chosen.digest
            message = outbox.claim(Notification, chosen.ids, holder=holder)
        if not message:
            # Others were quicker, or hold the rows: not to be asked for over and over.
            break
        done += _send(lane, message, holder, digest=digest)
    return done


def choose(lane: str, at: datetime) -> Chosen:
    """Return what of a channel is to be sent now as one message; nothing while its hour is full.

    While it is left alone, the hour is that of the channel which stands in. The last message of an hour is a
    digest of all that waits. What is silenced, inhibited or outside the hours of its route is put off.
    """
    # The worst first: what is critical must not be behind a flood that waits for the next hour.
    fresh = outbox.fresh(Notification, lane).order_by("alert__rank", "due_at", "pk")
    waiting = list(fresh.select_related("alert")[:MOST])
    if not any(one.due_at <= at for one in waiting):
        return Chosen([])
    free = _not_held(lane, waiting, at)
    due = [one for one in free if one.due_at <= at]
    if not due:
        return Chosen([])
    left = caps.left(channels.taker(lane), at, urgent=_is_urgent(due))
    if left <= 0:
        return Chosen([])
    if left == 1 and len({one.group for one in free}) > 1:
        return Chosen([one.pk for one in free], digest=True)
    first = min(due, key=lambda one: (one.alert.rank, one.due_at, one.pk))
    together = [one.pk for one in free if _is_together(one, first)]
    return Chosen(together)


def _is_urgent(rows: Sequence[Notification]) -> bool:
    return any(one.alert.severity == "critical" for one in rows)


def _is_together(one: Notification, first: Notification) -> bool:
    over = Notification.Kind.RESOLVED
    return one.group == first.group and (one.kind == over) == (first.kind == over)


def _not_held(lane: str, waiting: Sequence[Notification], at: datetime) -> list[Notification]:
    quiet = silences.active(at)
    explaining = alerts.explaining(at)
    specs: dict[str, RuleSpec] = {spec.name: spec for spec in known.effective()}
    tried = _tried_again(lane)
    held = {one.alert_id for one in waiting if one.kind == Notification.Kind.FIRING and one.held}
    free = []
    reasons: dict[str, list[int]] = {}
    for one in waiting:
        spec = specs.get(one.alert.rule)
        why = "" if one.kind in _ALWAYS else telling.held(
            one.alert, lane, spec, at, silences=quiet, explaining=explaining
        )  # fmt: skip
        why = why or _old_news(one, held, at) or _too_soon(one, tried)
        if not why:
            free.append(one)
        elif one.due_at <= at:
            reasons.setdefault(why[:200], []).append(one.pk)
    for why, ids in reasons.items():
        rows = Notification.objects.using(telemetry_alias()).filter(pk__in=ids)
        outbox.put_off(rows, by=AGAIN, held=why)
    return free


def _old_news(one: Notification, held: Collection[int], at: datetime) -> str:
    """Say of what was held why it is too late: what explained it is over, and so is this, nearly."""
    if one.kind in _ALWAYS or one.alert_id not in held or at - one.alert.wrong_at < NEWS_FOR:
        return ""
    return _("It was not wrong lately: it is told if it is again.")


def _tried_again(lane: str) -> set[int]:
    """Return the alerts of which a message is on its way, or is tried again."""
    rows = Notification.objects.using(telemetry_alias()).filter(lane=lane, state=Notification.State.WAITING)
    return set(rows.exclude(message="").order_by().values_list("alert_id", flat=True))


def _too_soon(one: Notification, tried: Collection[int]) -> str:
    if one.kind != Notification.Kind.RESOLVED or one.alert_id not in tried:
        return ""
    return _("That it began is being told first.")


def _send(lane: str, message: str, holder: str, *, digest: bool) -> bool:
    rows = outbox.claimed(Notification, message, holder=holder)
    rows = list(Notification.objects.using(telemetry_alias()).filter(pk__in=[row.pk for row in rows])
                .select_related("alert").order_by("alert__rank", "pk"))  # fmt: skip
    if not rows:
        return False
    digest = digest or len({row.group for row in rows}) > 1
    built = _built(rows, lane, message, digest=digest)
    urgent = _is_urgent(rows)
    try:
        via = channels.send(lane, built, is_full=lambda one: caps.left(one, clock.now(), urgent=urgent) <= 0)
    except channels.FullError as error:
        # It waits for room: until then no try is one of those after which it would be given up.
        outbox.failed(Notification, message, holder=holder, error=str(error), counted=False)
        return False
    except ChannelError as error:
        words = str(error)
        outbox.failed(Notification, message, holder=holder, error=words, for_good=error.permanent)
        return False
    stood_in = "" if via == lane else via
    done = outbox.sent(
        Notification, message, holder=holder, via=stood_in, subject=built.subject[:300], held=""
    )
    _drop_reminders(lane, [row.alert_id for row in rows if row.kind == Notification.Kind.FIRING])
    return bool(done)


def _drop_reminders(lane: str, told: Sequence[int]) -> None:
    """Drop what would remind of alerts that have been told just now, after a night's silence."""
    rows = Notification.objects.using(telemetry_alias()).filter(
        lane=lane, alert__in=told, kind=Notification.Kind.REMINDER
    )
    if told:
        outbox.drop(rows, skipping=True, held=_("It was told with that it fires."))


def _built(rows: Sequence[Notification], lane: str, message: str, *, digest: bool) -> Message:
    with guard.guard("messages"):
        return messages.build(rows, channel=lane, id=message, digest=digest)
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
