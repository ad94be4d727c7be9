"""Statements that run once per row of a batch, where compiling them each time would cost more than running them.

Plain standard SQL, with the model's own names and the connection's own adaptation of values.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

from django.db import connections
from django.db.models import Model


def execute_each(model: type[Model], template: str, fields: Sequence[str], rows: Iterable[Sequence[Any]], *, using: str) -> None:
    """Run an UPDATE for each row of parameters.

    ``template`` names the table as ``{table}`` and columns as ``{field}``; ``fields`` says, for each ``%s`` in
    order, which field's type its value has.
    """
    connection = connections[using]
    prepare = [model._meta.get_field(name).get_db_prep_value for name in fields]
    parameters = [
        [adapt(value, connection, False) for adapt, value in zip(prepare, row, strict=True)] for row in rows
    ]
    if parameters:
        with connection.cursor() as cursor:
            cursor.executemany(_compiled(model, template, using), parameters)


def limit(model: type[Model], name: str) -> int:
    """Return how many characters a column holds."""
    return _limits(model)[name]


@cache
def _limits(model: type[Model]) -> dict[str, int]:
    lengths = {field.name: getattr(field, "max_length", None) for field in model._meta.concrete_fields}
    return {name: length for name, length in lengths.items() if length}


@cache
def _compiled(model: type[Model], template: str, using: str) -> str:
    quote = connections[using].ops.quote_name
    columns = {field.name: quote(field.column) for field in model._meta.concrete_fields}
    return template.format(table=quote(model._meta.db_table), **columns)
