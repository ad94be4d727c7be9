"""Counts queries."""

from __future__ import annotations

from typing import Self

from django.db import connections
from django.test.utils import CaptureQueriesContext

from django_qaprod.conf import events_alias, telemetry_alias

# What begins and ends transactions.
_AROUND = ("BEGIN", "COMMIT", "SAVEPOINT", "RELEASE SAVEPOINT")


class Counted:
    """Counts the queries of both databases, those that begin and end transactions left out."""

    def __enter__(self) -> Self:
        aliases = {events_alias(), telemetry_alias()}
        self._captured = [CaptureQueriesContext(connections[alias]) for alias in aliases]
        for one in self._captured:
            one.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        for one in self._captured:
            one.__exit__(*error)

    def __len__(self) -> int:
        return len(self.statements)

    @property
    def statements(self) -> list[str]:
        """What was asked, in the order of each database."""
        found = (query["sql"] for one in self._captured for query in one.captured_queries)
        return [sql for sql in found if not sql.startswith(_AROUND)]
