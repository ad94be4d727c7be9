"""Writes events: in the host's own transaction, or from the spool."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from functools import cache
from typing import Any

from django.db import connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Model
from django.db.models.constants import OnConflict

from ..clock import moment
from ..conf import events_alias
from ..models import Event, EventKey
from ..records import EventRecord


def save(record: EventRecord, *, using: str | None = None) -> bool:
    """Insert an event, in a savepoint if a transaction is open; return whether this call did it.

    It is not for a ``once`` event whose subject has taken the step already. Deciding that may wait for
    another transaction that is just recording the same.

    Raises the database's own errors; the caller's transaction goes on.
    """
    alias = using or events_alias()
    connection = connections[alias]
    if not record.once and not connection.in_atomic_block:
        return _insert(record, connection)
    with transaction.atomic(using=alias):
        return _insert(record, connection)


def save_spooled(records: Sequence[EventRecord], *, using: str | None = None) -> None:
    """Insert events that were spooled. Those that are there already stay as they are."""
    alias = using or events_alias()
    with transaction.atomic(using=alias):
        # In one order, so that two drainers wait for each other in a row and not in a circle.
        for record in sorted(
            records, key=lambda record: (record.journey, record.step, record.subject, record.id)
        ):
            _insert(record, connections[alias], ignore=True)


def _insert(record: EventRecord, connection: BaseDatabaseWrapper, *, ignore: bool = False) -> bool:
    with connection.cursor() as cursor:
        if record.once:
            cursor.execute(_key_statement(connection.alias), (record.journey, record.step, record.subject))
            if not cursor.rowcount:
                return False
        cursor.execute(_statement(connection.alias, ignore), _values(record, connection))
        return bool(cursor.rowcount)


def _values(record: EventRecord, connection: BaseDatabaseWrapper) -> tuple[Any, ...]:
    # As the fields would adapt them; an ORM create takes four times as long for the same statement.
    return (
        uuid.UUID(record.id) if connection.features.has_native_uuid_field else record.id,
        connection.ops.adapt_datetimefield_value(moment(record.at)),
        record.journey,
        record.step,
        record.subject,
        record.variant,
        record.browser,
        record.request_id,
        record.release,
        connection.ops.adapt_json_value(record.properties, None),
    )


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
