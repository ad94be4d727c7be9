"""The database: where the admin reads from."""

from __future__ import annotations

import logging

from django.db import (
    IntegrityError,
    InterfaceError,
    OperationalError,
    ProgrammingError,
    transaction,
)

from ..conf import events_alias, telemetry_alias
from ..exceptions import SinkUnavailableError
from ..records import EventRecord
from ..store import connections, cursors, events, intake
from ..store.memory import Memory
from ..typing import Batch

logger = logging.getLogger(__name__)

# PostgreSQL's undefined_table and undefined_column: before ``migrate``. https://www.postgresql.org/docs/15/errcodes-appendix.html
_NOT_MIGRATED = frozenset({"42P01", "42703"})


class DatabaseSink:
    """Store a batch in one transaction together with how far its segment has been stored: exactly once.

    That holds whoever writes, twice or at the same time. Events that were spooled go to their own database
    first, where their ids keep them from being there twice.
    """

    name = "database"
    inline = True

    def __init__(self) -> None:
        self._memory = Memory()
        self._warned = False

    def write(self, batch: Batch) -> None:
        """Store the batch.

        Raises ``SinkUnavailableError`` when a database cannot be reached, is locked or lacks our tables.
        """
        try:
            self._write(batch)
        except (OperationalError, InterfaceError, ProgrammingError) as error:
            self._recover()
            if isinstance(error, ProgrammingError) and not _is_not_migrated(error):
                raise
            self._warn_once(error)
            raise SinkUnavailableError(
                f"The database does not take records: {type(error).__name__}."
            ) from error
        except Exception:
            # Not to swallow it: what the transaction taught us is gone with it.
            self._recover()
            raise
        self._warned = False

    def close(self) -> None:
        """Close the connections, unless somebody's transaction is open on them."""
        connections.close((telemetry_alias(), events_alias()))

    def _write(self, batch: Batch) -> None:
        try:
            self._store(batch)
        except IntegrityError:
            # A row that we remembered was pruned meanwhile. Once more, without memory.
            self._memory.clear()
            self._store(batch)

    def _store(self, batch: Batch) -> None:
        if not batch.entries:
            return
        spooled = [record for record in batch.records if isinstance(record, EventRecord)]
        if spooled:
            events.save_spooled(spooled)
        alias = telemetry_alias()
        with transaction.atomic(using=alias):
            stored = cursors.lock(batch.segment, using=alias)
            fresh = [entry for entry in batch.entries if entry.position > stored]
            if fresh:
                intake.save([entry.record for entry in fresh], using=alias, memory=self._memory)
                cursors.move(batch.segment, fresh[-1].position, using=alias)

    def _recover(self) -> None:
        self._memory.clear()
        connections.close_old((telemetry_alias(), events_alias()))

    def _warn_once(self, error: Exception) -> None:
        if not self._warned:
            logger.warning(
                "The database does not take records now (%s); they wait in the spool. "
                "If this is a new installation, run `manage.py migrate`.",
                type(error).__name__,
            )
        self._warned = True


def _is_not_migrated(error: Exception) -> bool:
    cause = error.__cause__
    return (getattr(cause, "sqlstate", None) or getattr(cause, "pgcode", None)) in _NOT_MIGRATED
