"""Writes events: in the host's own transaction, or from the spool."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from django.db import connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper
from django.db.models import Model
from django.db.models.constants import OnConflict

from ..conf import events_alias
from ..models import Event, EventKey

if TYPE_CHECKING:
    from ..records import EventRecord


def save(record: EventRecord, *, using: str | None = None) -> bool:
    """Insert an event, in a savepoint if a transaction is open; return whether this call did it.

    It is not for a ``once`` event whose subject has taken the step already. Deciding that may wait for
    another transaction that is just recording the same.

    Raises the database's own errors; the caller's transaction goes on.
    """
    connection = connections[using or events_alias()]
    if _holds_savepoints(connection):
        return _insert_in_savepoint(record, connection)
    if record.once and connection.get_autocommit():
        with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
            return _insert(record, connection, cursor)
    with connection.cursor() as cursor:
        return _insert(record, connection, cursor)


def is_recorded(journey: str, *, request_id: str, since: float, using: str | None = None) -> bool:
    """Return whether an event of a journey is there that a request has recorded ``since`` then."""
    # Not at every start of the host.
    from ..records import first_id

    first = uuid.UUID(first_id(since))
    rows = Event.objects.using(using or events_alias()).filter(pk__gte=first, journey=journey)
    return rows.filter(request_id=request_id).exists()


def save_spooled(records: Sequence[EventRecord], *, using: str | None = None) -> None:
    """Insert events that were spooled. Those that are there already stay as they are."""
    connection = connections[using or events_alias()]
    with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
        # In one order, so that two drainers wait for each other in a row and not in a circle.
        for record in sorted(
            records, key=lambda record: (record.journey, record.step, record.subject, record.id)
        ):
            _insert(record, connection, cursor, ignore=True)


def _holds_savepoints(connection: BaseDatabaseWrapper) -> bool:
    """Whether a transaction of the host's is open in which a savepoint may stand."""
    # Without ``atomic()``, to release a savepoint may be to commit on SQLite. Nor is one needed there: a
    # refused statement does not break a transaction.
    return connection.in_atomic_block or (connection.vendor != "sqlite" and not connection.get_autocommit())


def _insert_in_savepoint(record: EventRecord, connection: BaseDatabaseWrapper) -> bool:
    # Not by ``atomic()``: each of its statements makes a cursor of its own, which takes longer than they do.
    begin, release, roll_back = _savepoint_statements(connection.alias)
    with connection.cursor() as cursor:
        cursor.execute(begin)
        try:
            inserted = _insert(record, connection, cursor)
        except Exception:
            cursor.execute(roll_back)
            cursor.execute(release)
            raise
        cursor.execute(release)
    return inserted


def _insert(
    record: EventRecord, connection: BaseDatabaseWrapper, cursor: CursorWrapper, *, ignore: bool = False
) -> bool:
    if record.once:
        cursor.execute(_key_statement(connection.alias), (record.journey, record.step, record.subject))
        if not cursor.rowcount:
            return False
    cursor.execute(_statement(connection.alias, ignore), _values(record, connection))
    return bool(cursor.rowcount)


def _values(record: EventRecord, connection: BaseDatabaseWrapper) -> tuple[Any, ...]:
    # As the fields would adapt them; an ORM create takes four times as long for the same statement.
    features, ops = connection.features, connection.ops
    return (
        uuid.UUID(record.id) if features.has_native_uuid_field else record.id,
        ops.adapt_datetimefield_value(_moment(record.at, connection)),
        record.journey,
        record.step,
        record.subject,
        record.variant,
        record.browser,
        record.request_id,
        record.release,
        ops.adapt_json_value(record.properties, None),
    )


def _moment(epoch: float, connection: BaseDatabaseWrapper) -> datetime:
    # In the database's own time zone at once; what is not, takes Django three times as long to adapt.
    at = datetime.fromtimestamp(epoch, connection.timezone)
    return at if connection.features.supports_timezones else at.replace(tzinfo=None)


@cache
def _savepoint_statements(alias: str) -> tuple[str, str, str]:
    ops = connections[alias].ops
    name = "qaprod_event"
    return ops.savepoint_create_sql(name), ops.savepoint_commit_sql(name), ops.savepoint_rollback_sql(name)


@cache
def _statement(alias: str, ignore: bool) -> str:
    fields = (
        "id",
        "at",
        "journey",
        "step",
        "subject",
        "variant",
        "browser",
        "request_id",
        "release",
        "properties",
    )
    return _sql(alias, Event, fields, ignore=ignore)


@cache
def _key_statement(alias: str) -> str:
    return _sql(alias, EventKey, ("journey", "step", "subject"), ignore=True)


def _sql(alias: str, model: type[Model], fields: Sequence[str], *, ignore: bool) -> str:
    ops = connections[alias].ops
    conflict = OnConflict.IGNORE if ignore else None
    named = {field.name: field.column or field.name for field in model._meta.concrete_fields}
    columns = [named[name] for name in fields]
    names = ", ".join(ops.quote_name(column) for column in columns)
    values = ", ".join(["%s"] * len(columns))
    table = ops.quote_name(model._meta.db_table)
    suffix = ops.on_conflict_suffix_sql(columns, conflict, [], [])
    return (
        f"{ops.insert_statement(on_conflict=conflict)} {table} ({names}) VALUES ({values}) {suffix}".rstrip()
    )
