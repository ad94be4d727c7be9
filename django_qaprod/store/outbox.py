"""Works on what is to leave: claimed by lease, sent, marked. For every table that is an ``Outgoing``.

1. A conditional UPDATE claims rows: it gives them one ``message`` id and a lease, by the database's clock.
2. They are sent under that id.
3. They are marked, if they are still ours.

Who dies between 1 and 3 leaves a lease that ends, and the same rows are claimed again under the same id: a
receiver that knows the id sees that it is the same message.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from datetime import timedelta
from typing import TypeVar

from django.db import connections, transaction
from django.db.models import DateTimeField, ExpressionWrapper, F, Q, QuerySet
from django.db.models.expressions import Combinable
from django.db.models.functions import Now

from .. import clock
from ..conf import telemetry_alias
from ..models.outbox import Outgoing
from ..text import clean
from .statements import limit

Row = TypeVar("Row", bound=Outgoing)

#: How long a claim lasts: sending is bounded to well below that.
TTL = timedelta(minutes=3)
#: Tries after which a row is given up, and what lies between two of them: at first, and at most.
MOST_TRIES = 8
FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=30), timedelta(minutes=30)

_WAITING = Outgoing.State.WAITING


def lanes(model: type[Row], *, using: str | None = None) -> list[str]:
    """Return the lanes that have something to send now, by name. One query."""
    due = _due(model, using)
    return sorted(set(due.order_by().values_list("lane", flat=True).distinct()))


def fresh(model: type[Row], lane: str, *, using: str | None = None) -> QuerySet[Row]:
    """Return the rows of a lane that wait and were never claimed, due or not, the oldest first."""
    rows = model._default_manager.using(using or telemetry_alias())
    return rows.filter(state=_WAITING, lane=lane, message="").order_by("due_at", "pk")


def claim(model: type[Row], ids: Iterable[int], *, holder: str, using: str | None = None) -> str:
    """Claim rows that were never claimed; return the id of their message, empty when others were quicker."""
    alias = using or telemetry_alias()
    message = os.urandom(16).hex()
    with transaction.atomic(using=alias):
        wanted = model._default_manager.using(alias).filter(pk__in=list(ids), state=_WAITING, message="")
        # In one order and without waiting, so that two who claim overlapping rows do not lock each other out.
        locked = [row.pk for row in wanted.order_by("pk").select_for_update(skip_locked=_can_skip(alias))]
        rows = model._default_manager.using(alias).filter(pk__in=locked, state=_WAITING, message="")
        return message if _take(rows, holder, message=message) else ""


def claim_again(model: type[Row], lane: str, *, holder: str, using: str | None = None) -> str:
    """Claim the rows of a message that is to be tried again, or whose sender died; return its id.

    One whose senders have all died is given up: it may be what they die of.
    """
    while True:
        rows = _due(model, using).filter(lane=lane).exclude(message="").order_by("due_at", "pk")
        message, tries = rows.values_list("message", "tries").first() or ("", 0)
        if not message:
            return ""
        wanted = _due(model, using).filter(message=message)
        if tries < MOST_TRIES:
            return message if _take(wanted, holder) else ""
        words = "Whoever sent it has died each time."
        wanted.update(state=Outgoing.State.FAILED, holder="", claimed_until=None, error=words)


def claimed(model: type[Row], message: str, *, holder: str, using: str | None = None) -> list[Row]:
    """Return the rows of a message that we hold."""
    return list(_ours(model, message, holder, using).order_by("pk"))


def sent(model: type[Row], message: str, *, holder: str, using: str | None = None, **more: object) -> int:
    """Mark the rows of a message as sent; ``more`` are further columns. Return how many were ours."""
    rows = _ours(model, message, holder, using)
    return rows.update(
        state=Outgoing.State.SENT, sent_at=clock.now(), holder="", claimed_until=None, error="", **more
    )


def failed(
    model: type[Row],
    message: str,
    *,
    holder: str,
    error: str,
    for_good: bool = False,
    counted: bool = True,
    using: str | None = None,
) -> int:
    """Mark that the rows of a message were not sent: they wait longer each time, and are given up at last.

    A try that is not ``counted`` is as if there had been none: it brings them no nearer to that.
    """
    rows = _ours(model, message, holder, using)
    tries = rows.values_list("tries", flat=True).first() or 1
    words = clean(error, limit(model, "error"))
    free = {"holder": "", "claimed_until": None, "error": words}
    if not counted:
        return rows.update(due_at=_from_now(FIRST_PAUSE), tries=tries - 1, **free)
    if for_good or tries >= MOST_TRIES:
        return rows.update(state=Outgoing.State.FAILED, **free)
    pause = min(FIRST_PAUSE * 2 ** (tries - 1), LONGEST_PAUSE)
    return rows.update(due_at=_from_now(pause), **free)


def put_off(rows: QuerySet[Row], *, by: timedelta, **more: object) -> int:
    """Have rows wait longer that nobody has claimed."""
    return rows.filter(state=_WAITING, message="").update(due_at=_from_now(by), **more)


def drop(rows: QuerySet[Row], **more: object) -> int:
    """Say of rows that nobody has claimed that they are not needed any more; return how many there were."""
    return rows.filter(state=_WAITING, message="").update(state=Outgoing.State.DROPPED, **more)


def _due(model: type[Row], using: str | None) -> QuerySet[Row]:
    rows = model._default_manager.using(using or telemetry_alias())
    free = Q(claimed_until=None) | Q(claimed_until__lte=Now())
    # By our clock, as whoever wrote it: only leases need the database's.
    return rows.filter(free, state=_WAITING, due_at__lte=clock.now())


def _ours(model: type[Row], message: str, holder: str, using: str | None) -> QuerySet[Row]:
    rows = model._default_manager.using(using or telemetry_alias())
    return rows.filter(message=message, holder=holder, state=_WAITING)


def _take(rows: QuerySet[Row], holder: str, **more: object) -> int:
    return rows.update(holder=holder, claimed_until=_from_now(TTL), tries=F("tries") + 1, **more)


def _from_now(span: timedelta) -> Combinable:
    return ExpressionWrapper(Now() + span, output_field=DateTimeField())


def _can_skip(alias: str) -> bool:
    return connections[alias].features.has_select_for_update_skip_locked
