"""Records as capture makes them, for tests of what stores them."""

from __future__ import annotations

import time
from typing import Any

from django_qaprod.records import Cell, FailureRecord, HealthRecord, NumbersRecord, Record, new_id
from django_qaprod.typing import Batch, Entry


def failure(fingerprint: str = "v1:a", *, at: float | None = None, **fields: Any) -> FailureRecord:
    """One error that happened."""
    at = time.time() if at is None else at
    values: dict[str, Any] = {
        "id": new_id(at),
        "at": at,
        "kind": "unhandled",
        "severity": "error",
        "fingerprint": fingerprint,
        "error_type": "ValueError",
        "message": "no such form",
        "host": "web-1",
    }
    return FailureRecord(**values | fields)


def cell(name: str = "http.server.request.duration", label: str = "apply/", **fields: Any) -> Cell:
    """Numbers of one series in one minute."""
    values: dict[str, Any] = {
        "attributes": (("http.route", label), ("qaprod.outcome", "ok")),
        "start": minute(),
        "count": 1,
        "total": 0.5,
        "minimum": 0.5,
        "maximum": 0.5,
    }
    return Cell(name=name, label=label, **values | fields)


def numbers(*cells: Cell, release: str = "", at: float | None = None) -> NumbersRecord:
    """What a process counted."""
    at = time.time() if at is None else at
    return NumbersRecord(id=new_id(at), at=at, cells=cells, release=release)


def trouble(**fields: Any) -> HealthRecord:
    """What went wrong inside us."""
    values: dict[str, Any] = {"id": new_id(), "at": time.time(), "host": "web-1", "process": "1"}
    return HealthRecord(**values | fields)


def batch(*records: Record, segment: str = "segment", after: int = 0) -> Batch:
    """The records as entries of a segment, the first one right behind position ``after``."""
    entries = tuple(Entry(position=after + at, record=record) for at, record in enumerate(records, 1))
    return Batch(segment=segment, entries=entries)


def minute(ago: int = 0) -> int:
    """The beginning of this minute, or of one so many minutes ago, in seconds since the epoch."""
    return int(time.time()) // 60 * 60 - 60 * ago
