"""The two ways to see in a test what would be recorded in production."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ..pipeline import numbers, process
from ..pipeline.drainer import Drainer, DrainReport
from ..records import Cell, EventRecord, FailureRecord, NumbersRecord, Record

_DATABASE = "django_qaprod.sinks.database.DatabaseSink"


class Records:
    """What was recorded, in the order in which it happened; complete at any time."""

    def __init__(self) -> None:
        self._records: list[Record] = []
        self._open = True

    @property
    def records(self) -> list[Record]:
        """Everything."""
        if self._open:
            process.flush()
        return self._records

    @property
    def failures(self) -> list[FailureRecord]:
        """The failures and degradations."""
        return [record for record in self.records if isinstance(record, FailureRecord)]

    @property
    def events(self) -> list[EventRecord]:
        """The steps that were recorded."""
        return [record for record in self.records if isinstance(record, EventRecord)]

    @property
    def numbers(self) -> list[Cell]:
        """What was counted. What was counted between two looks is one cell a series."""
        return [cell for record in self.records if isinstance(record, NumbersRecord) for cell in record.cells]

    @property
    def requests(self) -> list[Cell]:
        """The requests, counted by route, method, status and outcome (the cells' ``attributes``)."""
        return [cell for cell in self.numbers if cell.name == numbers.REQUEST_DURATION]

    def clear(self) -> None:
        """Forget what was recorded until now."""
        self.records.clear()


class Store:
    """What was recorded waits in memory until ``drain`` stores it."""

    def __init__(self, drainer: Drainer) -> None:
        self._drainer = drainer

    def drain(self) -> DrainReport:
        """Store what was recorded until now, so that the models and the admin's pages show it."""
        process.flush()
        return self._drainer.drain()


@contextmanager
def capture_records() -> Iterator[Records]:
    """Collect what is recorded in the block; nothing is stored, and no database is needed.

    An event is there as soon as it is recorded, whatever becomes of the transaction around it.
    """
    found = Records()
    with process.tapped(found._records):
        try:
            yield found
        finally:
            process.flush()
            found._open = False


@contextmanager
def store_records() -> Iterator[Store]:
    """Record as in production, but through memory and into the test database alone, on ``drain()``.

    Events are written where they are recorded, in the host's transaction, as always. The test must be allowed
    to use the telemetry's database besides the host's: ``databases = {"default", "qaprod"}`` on SQLite. The
    other sinks get nothing.
    """
    with process.in_memory(sinks=(_DATABASE,)) as drainer:
        yield Store(drainer)
