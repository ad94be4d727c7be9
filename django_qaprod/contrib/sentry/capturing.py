"""Failures as events of the host's client, while its scope is alive."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final, cast

from ... import context, options
from ...pipeline import guard
from ...records import SENTRY_EVENT
from ...sinks.sentry import events
from ...sinks.sentry.flood import Flood
from .marks import mark_of, set_mark

if TYPE_CHECKING:
    from sentry_sdk.client import BaseClient
    from sentry_sdk.types import Event

    from ...records import FailureRecord

# What has been sent of each failure by this process.
_flood = Flood()

# What reads the body of a request, and who sent it. In the middle of a view that would be a query and a
# ``Vary: Cookie`` that the view did not ask for, perhaps of a database that has just failed.
_READS_REQUEST: Final = "sentry_sdk.integrations.django"


def captured(record: FailureRecord, error: BaseException | None, client: BaseClient | None) -> FailureRecord:
    """Return a failure's record with the id of its event, when the host's client has one of it.

    The id is empty if it has none: its logging integration makes one by itself, or it was told to send none.
    """
    current = context.current()
    if current is not None and current.step:
        record = _with(record, "step", current.step)
    return record if client is None else _with(record, SENTRY_EVENT, _event_id(record, error, client))


def _with(record: FailureRecord, key: str, value: str) -> FailureRecord:
    return replace(record, extra={**record.extra, key: value})


def _event_id(record: FailureRecord, error: BaseException | None, client: BaseClient) -> str:
    import sentry_sdk

    mark = mark_of(error) if error is not None else None
    if mark is not None:
        # That it was made does not say that it was sent.
        return mark.event_id if mark.ours or sentry_sdk.last_event_id() == mark.event_id else ""
    if events.is_log(record) and client.get_integration("logging") is not None:
        return ""
    if events.is_handled(record) and not _flood.admits(record.fingerprint, record.at):
        # It costs milliseconds, of a request that is to go on as if nothing had been.
        guard.dropped("sentry.flood")
        return ""
    with _scope_of(record, client):
        event_id = _capture(record, error, client)
    if error is not None and event_id:
        set_mark(error, event_id, ours=True)
    return event_id


def _capture(record: FailureRecord, error: BaseException | None, client: BaseClient) -> str:
    import sentry_sdk
    from sentry_sdk.utils import event_from_exception

    event: Any = events.told(record) if error is None else {}
    hint: dict[str, Any] = {}
    if error is not None:
        event, hint = event_from_exception(error, client_options=client.options, mechanism=_mechanism(record))
        if events.is_log(record):
            event["logger"] = record.extra[events.LOGGER]
    event |= events.particulars(record, options.of(options.Sentry) or options.Sentry())
    if record.kind == "gauge":
        event["breadcrumbs"] = events.breadcrumbs(record)
    if left_out := _flood.left_out(record.fingerprint):
        event["extra"][events.LEFT_OUT] = left_out
    _flood.sent(record.fingerprint, record.at)
    return sentry_sdk.capture_event(cast("Event", event), hint) or ""


def _mechanism(record: FailureRecord) -> dict[str, Any]:
    # An error of a view is to be found with those that Sentry's own integration has seen.
    kind = "django" if record.kind == "unhandled" else "qaprod"
    return {"type": kind, "handled": events.is_handled(record)}


def _sends_users(client: BaseClient) -> bool:
    collected = client.options.get("data_collection") or {}
    return client.should_send_default_pii() or bool(collected.get("user_info"))


def _scope_of(record: FailureRecord, client: BaseClient) -> AbstractContextManager[None]:
    if record.kind == "gauge":
        return _of_its_own()
    # Where nothing is served any more, the host's integrations may read what they like.
    return nullcontext() if record.kind == "unhandled" else _without_request(record, client)


@contextmanager
def _of_its_own() -> Iterator[None]:
    """Leave out what our thread has inherited: the visitor and the request that happened to start it."""
    from sentry_sdk.scope import Scope, ScopeType, use_isolation_scope, use_scope

    with use_isolation_scope(Scope(ty=ScopeType.ISOLATION)), use_scope(Scope(ty=ScopeType.CURRENT)):
        yield


@contextmanager
def _without_request(record: FailureRecord, client: BaseClient) -> Iterator[None]:
    """Keep what reads the request away from the event; what the host has put on the scope stays."""
    import sentry_sdk
    from sentry_sdk.scope import use_isolation_scope

    with use_isolation_scope(sentry_sdk.get_isolation_scope().fork()) as isolation:
        # Both are copies, for the time being.
        for scope in (isolation, sentry_sdk.get_current_scope()):
            scope._event_processors[:] = [
                one for one in scope._event_processors if not one.__module__.startswith(_READS_REQUEST)
            ]
        if record.user and _sends_users(client):
            isolation.add_event_processor(partial(_with_user, record.user))
        yield


def _with_user(key: str, event: Any, hint: Any) -> Any:
    """Return an event with the user that the view has looked up, unless the host has named one."""
    return {**event, "user": event.get("user") or {"id": key}}
