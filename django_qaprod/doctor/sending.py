"""A test: a failure and a number that go the whole way."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping

from django.db import Error

from ..pipeline import drainer, process, spool
from ..records import Cell, FailureRecord, NumbersRecord, new_id
from ..store import probes
from . import backlog, carrying
from .findings import Finding, error, ok, words

#: Seconds that a test record may take through spool, drainer and sinks.
TEST_WITHIN = 20.0
_POLL = 0.25
_STUCK = "What is said above about spool, sinks and tables tells where they are stuck; they arrive later."


def send_test(*, within: float = TEST_WITHIN) -> Finding:
    """Send a failure and a number, wait until every sink has them, and remove what is stored of them."""
    mark = f"qaprod-doctor-{new_id()}"
    began = time.monotonic()
    for record in _test_records(mark):
        process.submit(record)
    path = spool.directory()
    sent = spool.sizes(path) if path is not None else {}
    try:
        arrived, lacking = _wait(mark, sent, began + within)
        probes.remove(mark)
    except Error as problem:
        return error("test", f"The store cannot be asked: {words(problem)}")
    except Exception as problem:  # noqa: BLE001 - as of every part: whatever is broken
        return error("test", f"It cannot go the whole way: {words(problem)}")
    took = time.monotonic() - began
    if not arrived:
        return error("test", f"A failure and a number were not stored within {took:.0f} s.", _STUCK)
    if lacking:
        names = ", ".join(lacking)
        return error("test", f"A failure and a number were stored, but not taken by {names}.", _STUCK)
    return ok("test", f"A failure and a number went the whole way in {took:.1f} s, to every sink.")


def _test_records(mark: str) -> tuple[FailureRecord, NumbersRecord]:
    at = time.time()
    failure = FailureRecord(
        id=new_id(at),
        at=at,
        kind="logged",
        severity="info",
        fingerprint=mark,
        error_type="Test",
        message="A test by qaprod_doctor, which removes it again.",
        host=process.host(),
    )
    # One label for all tests: sinks make a name of it that stays.
    cell = Cell(name=probes.SERIES, label=probes.LABEL, attributes=(), start=int(at) // 60 * 60, count=1)
    return failure, NumbersRecord(id=new_id(at), at=at, cells=(cell,))


def _wait(mark: str, sent: Mapping[str, int], deadline: float) -> tuple[bool, list[str]]:
    """Wait; return whether it is stored, and which sinks have not taken it."""
    sinks = carrying.sink_names()
    # Whoever is this machine's drainer may do it; if nobody is, we are.
    while True:
        drainer.drain_now(deadline=deadline)
        arrived, lacking = probes.arrived(mark), _lacking(sinks, sent)
        if (arrived and not lacking) or time.monotonic() > deadline:
            return arrived, lacking
        time.sleep(_POLL)


def _lacking(sinks: Collection[str], sent: Mapping[str, int]) -> list[str]:
    """Return the sinks that have not had all that the segments held; one that is gone was had by all."""
    path = spool.directory()
    if path is None:
        return []
    cursors, left = backlog.of(path, sinks).cursors, spool.sizes(path)
    return [
        sink
        for sink in sinks
        if any(cursors.get(sink, {}).get(name, 0) < size for name, size in sent.items() if name in left)
    ]
