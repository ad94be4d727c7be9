"""Works on what is to leave: claimed by lease, sent, marked. For every table that is an ``Outgoing``.

1. A conditional UPDATE claims rows: it gives them one ``message`` id and a lease, by the database's clock.
2. They are sent under that id.
3. They are marked, if they are still ours.

Who dies between 1 and 3 leaves a lease that ends, and the same rows are claimed again under the same id: a
receiver that knows the id sees that it is the same message.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
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
# Rows that are named in one statement.
_MOST_AT_ONCE = 500
_NOBODY: Mapping[str, object] = {"holder": "", "claimed_until": None}


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
    message = os.urandom(16).hex()
    wanted, alias = list(ids), using or telemetry_alias()
    rows = model._default_manager.using(alias)
    with transaction.atomic(using=alias):
        # In parts: one statement takes so many parameters only.
        for first in range(0, len(wanted), _MOST_AT_ONCE):
            part = rows.filter(pk__in=wanted[first : first + _MOST_AT_ONCE], state=_WAITING, message="")
            _take(part, holder, skipping=True, message=message)
        # All leases end at one moment: who claims them again must not find a part of the message.
        taken = rows.filter(message=message).update(claimed_until=_from_now(TTL))
    return message if taken else ""


def claim_again(
    model: type[Row], lane: str, *, holder: str, only: Q | None = None, using: str | None = None
) -> str:
    """Claim the rows of a message that is to be tried again, or whose sender died; return its id.

    ``only`` one with a row that is like this. One whose senders have all died is given up: it may be what
    they die of.
    """
    while True:
        rows = _due(model, using).filter(only or Q(), lane=lane).exclude(message="").order_by("due_at", "pk")
        message, tries = rows.values_list("message", "tries").first() or ("", 0)
        if not message:
            return ""
        wanted = _free(model, using).filter(message=message)
        if tries < MOST_TRIES:
            return message if _take(wanted, holder) else ""
        words = "Whoever sent it has died each time."
        _change(wanted, {"state": Outgoing.State.FAILED, "error": words, **_NOBODY})


def claimed(model: type[Row], message: str, *, holder: str, using: str | None = None) -> list[Row]:
    """Return the rows of a message that we hold."""
    return list(_ours(model, message, holder, using).order_by("pk"))


def sent(model: type[Row], message: str, *, holder: str, using: str | None = None, **more: object) -> int:
    """Mark the rows of a message as sent; ``more`` are further columns. Return how many were ours."""
    rows = _ours(model, message, holder, using)
    changes = {"state": Outgoing.State.SENT, "sent_at": clock.now(), "error": "", **_NOBODY, **more}
    return _change(rows, changes)


def failed(
    model: type[Row],
    message: str,
    *,
    holder: str,
    error: str,
    for_good: bool = False,
    counted: bool = True,
    unsent: bool = False,
    using: str | None = None,
) -> int:
    """Mark that the rows of a message were not sent: they wait longer each time, and are given up at last.

    A try that is not ``counted`` brings them no nearer to that, but to whatever was tried once somebody may
    have listened: it keeps its id. One that is surely ``unsent`` is as if there had been none, and after no
    other the rows are as if they had never been claimed: they go with whatever else waits by then.
    """
    rows = _ours(model, message, holder, using)
    tries = rows.values_list("tries", flat=True).first() or 1
    free = {"error": clean(error, limit(model, "error")), **_NOBODY}
    if for_good or (counted and not unsent and tries >= MOST_TRIES):
        return _change(rows, {"state": Outgoing.State.FAILED, **free})
    if unsent:
        again = {} if tries > 1 else {"message": ""}
        return _change(rows, {"due_at": _from_now(FIRST_PAUSE), "tries": tries - 1, **again, **free})
    if not counted:
        return _change(rows, {"due_at": _from_now(FIRST_PAUSE), "tries": max(tries - 1, 1), **free})
    pause = min(FIRST_PAUSE * 2 ** (tries - 1), LONGEST_PAUSE)
    return _change(rows, {"due_at": _from_now(pause), **free})


def put_off(rows: QuerySet[Row], *, by: timedelta, **more: object) -> int:
    """Have rows wait longer that nobody has claimed, nor holds at this moment; some hundreds at most."""
    free = rows.filter(state=_WAITING, message="")
    return _change(free, {"due_at": _from_now(by), **more}, skipping=True)


def drop(rows: QuerySet[Row], *, skipping: bool = False, **more: object) -> int:
    """Say of rows that nobody has claimed that they are not needed any more; return how many there were.

    ``skipping`` leaves out what somebody holds at this moment: for all who do not hold the alert itself.
    """
    free = rows.filter(state=_WAITING, message="")
    return _change(free, {"state": Outgoing.State.DROPPED, **more}, skipping=skipping)


def _due(model: type[Row], using: str | None) -> QuerySet[Row]:
    # By our clock, as whoever wrote it: only leases need the database's.
    return _free(model, using).filter(due_at__lte=clock.now())


def _free(model: type[Row], using: str | None) -> QuerySet[Row]:
    rows = model._default_manager.using(using or telemetry_alias())
    return rows.filter(Q(claimed_until=None) | Q(claimed_until__lte=Now()), state=_WAITING)


def _ours(model: type[Row], message: str, holder: str, using: str | None) -> QuerySet[Row]:
    rows = model._default_manager.using(using or telemetry_alias())
    return rows.filter(message=message, holder=holder, state=_WAITING)


def _take(rows: QuerySet[Row], holder: str, *, skipping: bool = False, **more: object) -> int:
    changes = {"holder": holder, "claimed_until": _from_now(TTL), "tries": F("tries") + 1, **more}
    return _change(rows, changes, skipping=skipping)


def _change(rows: QuerySet[Row], changes: Mapping[str, object], *, skipping: bool = False) -> int:
    """Change rows, locked by their keys' order first: no two who change some of the same wait for each other.

    A person's act holds rows of one alert after another, in whatever order of these. So all others change
    theirs ``skipping`` what somebody holds, where the database can: they never wait while they hold any.
    """
    features = connections[rows.db].features
    if not features.has_select_for_update:
        # There is one who writes; and on SQLite nobody may who has read what was written to since.
        return rows.update(**changes)
    skips = skipping and features.has_select_for_update_skip_locked
    with transaction.atomic(using=rows.db):
        locked = list(rows.order_by("pk").select_for_update(skip_locked=skips).values_list("pk", flat=True))
        if skips:
            rows = rows.model._default_manager.using(rows.db).filter(pk__in=locked)
        return rows.update(**changes) if locked else 0


def _from_now(span: timedelta) -> Combinable:
    return ExpressionWrapper(Now() + span, output_field=DateTimeField())
