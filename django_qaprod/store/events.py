"""Writes events: in the host's own transaction, or from the spool."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

from django.db import connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Field, Model
from django.db.models.constants import OnConflict

from ..clock import moment
from ..conf import events_alias
from ..models import Event, EventKey
from ..records import EventRecord


class _Statement(NamedTuple):
    sql: str
    at: Field[Any, Any]
    properties: Field[Any, Any]


def save(record: EventRecord, *, using: str | None = None) -> bool:
    """Insert an event, in a savepoint if a transaction is open; return whether this call did it.

    It is not for a ``once`` event whose subject has taken the step already. Deciding that may wait for
    another transaction that is just recording the same.

    Raises the database's own errors; the caller's transaction goes on.
    """
    alias = using or events_alias()
    if not record.once and not connections[alias].in_atomic_block:
        return _insert(record, alias)
    with transaction.atomic(using=alias):
        return _insert(record, alias)


def save_spooled(records: Sequence[EventRecord], *, using: str | None = None) -> None:
    """Insert events that were spooled. Those that are there already stay as they are."""
    alias = using or events_alias()
    with transaction.atomic(using=alias):
        # In one order, so that two drainers wait for each other in a row and not in a circle.
        for record in sorted(
            records, key=lambda record: (record.journey, record.step, record.subject, record.id)
        ):
            _insert(record, alias, ignore=True)


def _insert(record: EventRecord, alias: str, *, ignore: bool = False) -> bool:
    connection = connections[alias]
    with connection.cursor() as cursor:
        if record.once:
            cursor.execute(_key_statement(alias), (record.journey, record.step, record.subject))
            if not cursor.rowcount:
                return False
        statement = _statement(alias, ignore)
        cursor.execute(statement.sql, _values(record, statement, connection))
        return bool(cursor.rowcount)


def _values(record: EventRecord, statement: _Statement, connection: BaseDatabaseWrapper) -> tuple[Any, ...]:
    # Text goes as it is; an ORM create takes four times as long for the same statement.
    return (
        uuid.UUID(record.id) if connection.features.has_native_uuid_field else record.id,
        statement.at.get_db_prep_value(moment(record.at), connection),
        record.journey,
        record.step,
        record.subject,
        record.variant,
        record.browser,
        record.request_id,
        record.release,
        statement.properties.get_db_prep_value(record.properties, connection),
    )


@cache
def _statement(alias: str, ignore: bool) -> _Statement:
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
    return _Statement(
        _sql(alias, Event, fields, ignore=ignore),
        Event._meta.get_field("at"),
        Event._meta.get_field("properties"),
    )


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
