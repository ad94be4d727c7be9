"""A test: a failure and a number that go the whole way."""

from __future__ import annotations

import time

from django.db import Error

from ..pipeline import drainer, process
from ..records import Cell, FailureRecord, NumbersRecord, new_id
from ..store import probes
from .findings import Finding, error, ok, words

#: Seconds that a test record may take through spool, drainer and sinks.
TEST_WITHIN = 20.0
_POLL = 0.25


def send_test(*, within: float = TEST_WITHIN) -> Finding:
    """Send a failure and a number the whole way, wait until they are stored, and remove them."""
    mark = f"qaprod-doctor-{new_id()}"
    began = time.monotonic()
    for record in _test_records(mark):
        process.submit(record)
    try:
        arrived = _wait(mark, began + within)
        probes.remove(mark)
    except Error as problem:
        return error("test", f"The store cannot be asked: {words(problem)}")
    took = time.monotonic() - began
    if arrived:
        return ok("test", f"A failure and a number went the whole way in {took:.1f} s, and were removed.")
    return error(
        "test",
        f"A failure and a number were not stored within {took:.0f} s.",
        "What is said above about spool, sinks and tables tells where they are stuck; they are stored later.",
    )


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
    cell = Cell(name=probes.SERIES, label=mark, attributes=(), start=int(at) // 60 * 60, count=1)
    return failure, NumbersRecord(id=new_id(at), at=at, cells=(cell,))


def _wait(mark: str, deadline: float) -> bool:
    # Whoever is this machine's drainer may do it; if nobody is, we are.
    while True:
        drainer.drain_now(deadline=deadline)
        if probes.arrived(mark):
            return True
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL)
