"""Makes events and puts them where the promise says.

- Inside ``atomic()`` on the events' database: an INSERT in a savepoint, there if and only if the work is. A
  refused one leaves the transaction alone and is spooled when it commits. Where the host has switched
  autocommit off instead, nothing tells of the commit, so it is spooled at once.
- The subject's own database is another one and in ``atomic()``: when that transaction commits, at most once.
- Else: at once. A refused one is spooled.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from time import time
from typing import TYPE_CHECKING

from django.core.exceptions import SynchronousOnlyOperation
from django.db import Error, connections, transaction
from django.db.models import Model
from django.utils import timezone

from .. import Plain, conf, context
from ..exceptions import SubjectKeyError
from ..pipeline import guard, hooks, process
from ..registry import JourneySpec, StepSpec
from ..store import events
from . import properties as allowed
from .keys import subject_key

if TYPE_CHECKING:
    from ..records import EventRecord


class Taking(Plain):
    """A step as it was taken by a subject, before anything is looked at."""

    journey: JourneySpec
    step: StepSpec
    subject: object
    properties: Mapping[str, object]
    at: datetime | None = None
    once: bool = False


def record(taking: Taking, *, strict: bool = False) -> None:
    """Record an event.

    Raises ``SubjectKeyError`` and ``PropertyError`` in development and if ``strict``, and the database's own
    errors if ``strict``. Otherwise what is refused is counted and logged, and the caller left alone.
    """
    if strict or conf.reraising():
        _record(taking, strict=strict, forgiving=False)
    else:
        with guard.guard("journeys"):
            _record(taking, strict=False, forgiving=True)


def bind(journey: JourneySpec, subject: object) -> None:
    """Say whose journey the current request is part of, so that its failures name it."""
    if conf.reraising():
        _bind(journey, subject_key(subject))
    else:
        with guard.guard("journeys"):
            _bind(journey, subject_key(subject))


def _record(taking: Taking, *, strict: bool, forgiving: bool) -> None:
    if not forgiving:
        allowed.checked(taking.journey, taking.properties)
    event = _event(taking)
    if not process.recording():
        return
    if not process.storing():
        process.submit(event)
        hooks.tell_of_step(event)
        return
    alias = _foreign_alias(taking.subject)
    if alias is None:
        _write(event, strict=strict)
    else:
        _on_commit(alias, lambda: _write(event, strict=False))


def _event(taking: Taking) -> EventRecord:
    # Not at every start of the host.
    from ..records import EventRecord, new_id

    journey = taking.journey
    try:
        subject = subject_key(taking.subject)
    except SubjectKeyError:
        guard.dropped("journeys.subject")
        raise
    now = time()
    current = context.current()
    at = now
    if current is not None:
        if not current.journey:
            current.journey, current.subject = journey.name, subject
        current.taken, current.step = journey.name, taking.step.name
        if current.replayed_at is not None:
            at = current.replayed_at
    variant, properties = allowed.kept(journey, taking.properties) if taking.properties else ("", {})
    return EventRecord(
        # Of the moment of recording, whatever ``at`` says: ids sort by when they came.
        id=new_id(now),
        at=at if taking.at is None else _epoch(taking.at),
        journey=journey.name,
        step=taking.step.name,
        subject=subject,
        variant=variant,
        browser=current.browser if current is not None else "",
        request_id=current.request_id if current is not None else "",
        release=conf.settings().release,
        once=taking.once or taking.step.once,
        properties=properties,
    )


def _write(event: EventRecord, *, strict: bool) -> None:
    try:
        events.save(event)
    except (Error, SynchronousOnlyOperation) as error:
        # In a coroutine nothing can be written, only appended: ``arecord()`` is for there.
        if strict or (isinstance(error, SynchronousOnlyOperation) and conf.reraising()):
            raise
        guard.caught("journeys.refused", error)
        _when_committed(lambda: process.submit(event))
    if hooks.step_witnesses:
        _when_committed(lambda: hooks.tell_of_step(event))


def _when_committed(callback: Callable[[], None]) -> None:
    alias = conf.events_alias()
    if connections[alias].in_atomic_block:
        _on_commit(alias, callback)
    else:
        callback()


def _on_commit(alias: str, callback: Callable[[], None]) -> None:
    # A plain function: before Django 6.1 one that fails is logged by a name that a ``partial`` does not have,
    # and that error is the host's.
    transaction.on_commit(callback, using=alias, robust=True)


def _foreign_alias(subject: object) -> str | None:
    """Return the subject's own alias if a transaction is open there and it is not the events'."""
    if not isinstance(subject, Model):
        return None
    alias = subject._state.db
    if alias is None or alias == conf.events_alias() or not connections[alias].in_atomic_block:
        return None
    return alias


def _bind(journey: JourneySpec, subject: str) -> None:
    current = context.current()
    if current is not None:
        current.journey, current.subject = journey.name, subject


def _epoch(at: datetime) -> float:
    return (timezone.make_aware(at) if timezone.is_naive(at) else at).timestamp()
