"""Statements on many rows or at every turn, which the ORM takes longer to compile than the database to run.

Plain SQL with the model's own names and the connection's own adaptation of values. An occurrence has 23
columns: `bulk_create` takes 250 µs of CPU for it, this 25.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import islice
from typing import Any, TypeAlias, TypeVar

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Field, Model
from django.db.models.constants import OnConflict

Row: TypeAlias = Sequence[Any]
T = TypeVar("T")

# What every driver takes as it is; all other kinds of field adapt their values.
_PLAIN = frozenset(
    {
        "AutoField", "BigAutoField", "BigIntegerField", "BooleanField", "CharField", "FloatField",
        "ForeignKey", "IntegerField", "PositiveBigIntegerField", "PositiveIntegerField", "TextField",
    }
)  # fmt: skip


def chunked(values: Iterable[T], size: int) -> Iterator[list[T]]:
    """Yield the values in lists of at most that length."""
    left = iter(values)
    while some := list(islice(left, size)):
        yield some


def update(model: type[Model], template: str, fields: Sequence[str], row: Row, *, using: str) -> int:
    """Run an UPDATE and return how many rows it found. ``template`` and ``fields`` as for ``update_each``."""
    connection = connections[using]
    with connection.cursor() as cursor:
        cursor.execute(_filled(model, template, using), *_adapted(model, fields, [row], connection))
        found: int = cursor.rowcount
    return found


def select(
    model: type[Model], template: str, fields: Sequence[str], row: Row, *, using: str
) -> list[tuple[Any, ...]]:
    """Run a SELECT and return its rows as the driver gives them: for plain columns."""
    connection = connections[using]
    with connection.cursor() as cursor:
        cursor.execute(_filled(model, template, using), *_adapted(model, fields, [row], connection))
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows


def update_each(
    model: type[Model], template: str, fields: Sequence[str], rows: Iterable[Row], *, using: str
) -> None:
    """Run an UPDATE for each row of values.

    ``template`` names the table as ``{table}`` and columns as ``{field}``; ``fields`` says, for each ``%s``
    in order, which field its value is of.
    """
    connection = connections[using]
    parameters = _adapted(model, fields, rows, connection)
    if parameters:
        with connection.cursor() as cursor:
            cursor.executemany(_filled(model, template, using), parameters)


def insert(
    model: type[Model], fields: Sequence[str], rows: Iterable[Row], *, using: str, ignore: bool = False
) -> None:
    """Insert the rows; with ``ignore`` those that are there already are left alone."""
    connection = connections[using]
    parameters = _adapted(model, fields, rows, connection)
    if parameters:
        # One short statement that is prepared once: psycopg takes longer to split a long one into its
        # thousands of parameters than to send as many short ones down a pipeline.
        with connection.cursor() as cursor:
            cursor.executemany(_insert_statement(model, tuple(fields), using, ignore), parameters)


def limit(model: type[Model], name: str) -> int:
    """Return how many characters a column holds."""
    return _limits(model)[name]


@cache
def _limits(model: type[Model]) -> dict[str, int]:
    lengths = {field.name: getattr(field, "max_length", None) for field in model._meta.concrete_fields}
    return {name: length for name, length in lengths.items() if length}


def _adapted(
    model: type[Model], fields: Sequence[str], rows: Iterable[Row], connection: BaseDatabaseWrapper
) -> list[Row]:
    adapting = _adapting(model, tuple(fields))
    return [_adapted_row(row, adapting, connection) for row in rows]


def _adapted_row(
    row: Row, adapting: Iterable[tuple[int, Field[Any, Any]]], connection: BaseDatabaseWrapper
) -> Row:
    values = list(row)
    for place, field in adapting:
        values[place] = field.get_db_prep_value(values[place], connection, prepared=False)
    return values


@cache
def _adapting(model: type[Model], names: tuple[str, ...]) -> list[tuple[int, Field[Any, Any]]]:
    return [
        (place, field)
        for place, field in enumerate(_fields(model, names))
        if field.get_internal_type() not in _PLAIN
    ]


def _fields(model: type[Model], names: Sequence[str]) -> list[Field[Any, Any]]:
    found = [model._meta.get_field(name) for name in names]
    return [field for field in found if isinstance(field, Field)]


def _columns(model: type[Model], names: Sequence[str]) -> list[str]:
    return [field.column or field.name for field in _fields(model, names)]


@cache
def _filled(model: type[Model], template: str, using: str) -> str:
    quote = connections[using].ops.quote_name
    names = [field.name for field in model._meta.concrete_fields]
    columns = dict(zip(names, map(quote, _columns(model, names)), strict=True))
    return template.format(table=quote(model._meta.db_table), **columns)


@cache
def _insert_statement(model: type[Model], fields: tuple[str, ...], using: str, ignore: bool) -> str:
    ops = connections[using].ops
    conflict = OnConflict.IGNORE if ignore else None
    columns = _columns(model, fields)
    verb = ops.insert_statement(on_conflict=conflict)
    names, places = ", ".join(map(ops.quote_name, columns)), ", ".join(["%s"] * len(columns))
    suffix = ops.on_conflict_suffix_sql(columns, conflict, [], [])
    return f"{verb} {ops.quote_name(model._meta.db_table)} ({names}) VALUES ({places}) {suffix}"
