from __future__ import annotations

from datetime import timedelta

import pytest

from django_qaprod import clock
from django_qaprod.models import JobRun
from django_qaprod.queries.health import health
from django_qaprod.sinks.database import DatabaseSink
from django_qaprod.store import leases
from tests.store.make import batch, cell, failure, minute, numbers, trouble

pytestmark = pytest.mark.django_db(databases="__all__")


def test_an_empty_installation() -> None:
    found = health()
    assert (found.worker, found.jobs, found.troubles, found.stored_at, found.late) == (
        None,
        (),
        (),
        None,
        None,
    )


def test_who_works_and_how_the_jobs_went() -> None:
    leases.acquire("worker", "web-1:7:ab", ttl=timedelta(minutes=1))
    JobRun.objects.create(name="roll_up", started_at=clock.now(), error="boom")
    JobRun.objects.create(name="prune", started_at=clock.now(), succeeded_at=clock.now())
    found = health()
    assert found.worker is not None
    assert (found.worker.name, found.worker.alive) == ("web-1:7:ab", True)
    assert [job.name for job in found.failing_jobs] == ["roll_up"]
    leases.acquire("worker", "web-1:7:ab", ttl=timedelta(minutes=-1))
    found = health()
    assert found.worker is not None
    assert not found.worker.alive


def test_what_was_stored_last_and_what_was_dropped() -> None:
    DatabaseSink().write(batch(failure(), numbers(cell(start=minute(2))), trouble(dropped={"spool.full": 3})))
    found = health()
    assert found.dropped == 3
    assert found.given_up == 3
    assert found.late is None
    assert found.stored_at is not None
    assert found.last_failure is not None
    assert found.last_number is not None


def test_what_others_gave_up_is_counted_beside_what_the_pages_lack() -> None:
    DatabaseSink().write(batch(trouble(dropped={"spool.full": 3, "sink.statsd": 1089, "logs.queue": 604})))
    found = health()
    assert (found.given_up, found.dropped) == (1696, 3)


def test_roll_ups_that_are_behind() -> None:
    DatabaseSink().write(batch(numbers(cell(start=minute(9)))))
    late = health().late
    assert late is not None
    assert timedelta(minutes=9) <= late < timedelta(minutes=11)
