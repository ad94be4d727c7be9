"""What a drainer brings in, stored in one go."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeVar

from ..conf import telemetry_alias
from ..records import FailureRecord, FlagRecord, HealthRecord, NumbersRecord, Record
from . import deploys, failures, health, numbers
from .memory import Memory

Kind = TypeVar("Kind", bound=Record)


def save(records: Sequence[Record], *, using: str | None = None, memory: Memory | None = None) -> None:
    """Store all but the events among ``records``. Runs inside the caller's transaction, which it needs.

    The parts come in one order, so that drainers of several machines never wait for each other in a circle.
    """
    alias, known = using or telemetry_alias(), memory or Memory()
    deploys.see(records, using=alias, memory=known)
    for record in _of(FlagRecord, records):
        deploys.saved(record, using=alias)
    failures.save(_of(FailureRecord, records), using=alias, memory=known)
    cells = [cell for record in _of(NumbersRecord, records) for cell in record.cells]
    numbers.save(cells, using=alias, memory=known)
    health.save(_of(HealthRecord, records), using=alias)


def _of(kind: type[Kind], records: Iterable[Record]) -> list[Kind]:
    return [record for record in records if isinstance(record, kind)]
