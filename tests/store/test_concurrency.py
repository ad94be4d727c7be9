"""Several machines that drain into one PostgreSQL, and several workers, at the same time."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection, connections
from django.db.models import Sum

from django_qaprod.exceptions import SinkUnavailableError
from django_qaprod.models import Affected, Bucket, Cursor, Failure, Series, Transition
from django_qaprod.sinks.database import DatabaseSink
from django_qaprod.store import leases, numbers, rollups, states
from django_qaprod.typing import Batch

from .make import batch, cell, failure, minute
from .make import numbers as numbers_record

pytestmark = [pytest.mark.django_db(databases="__all__", transaction=True), pytest.mark.slow]


@pytest.fixture(autouse=True)
def _many_writers() -> None:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite in memory has one writer; the suite runs on PostgreSQL too")


def at_once(*tasks: Callable[[], object]) -> list[object]:
    barrier = threading.Barrier(len(tasks))

    def run(task: Callable[[], object]) -> object:
        barrier.wait()
        try:
            return task()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(tasks)) as pool:
        return [future.result() for future in [pool.submit(run, task) for task in tasks]]


def drain(batches: list[Batch]) -> int:
    """Write as the drainer does; return how often the database was not available."""
    sink, refused = DatabaseSink(), 0
    for one in batches:
        while True:
            try:
                sink.write(one)
            except SinkUnavailableError:
                refused += 1
                time.sleep(0.01)
            else:
                break
    sink.close()
    return refused


def test_four_machines_count_exactly() -> None:
    def machine(name: int) -> list[Batch]:
        chance, batches = random.Random(name), []
        for part in range(15):
            records = [
                failure(
                    f"v1:{chance.randrange(12)}",
                    user=str(chance.randrange(30)),
                    stack=f"s{part % 5}",
                    release=f"r{part}",
                )
                for _ in range(20)
            ]
            counted = numbers_record(*(cell(label=f"r{chance.randrange(40)}") for _ in range(20)))
            batches.append(batch(*records, counted, segment=f"machine-{name}", after=part * 21))
        return batches

    refused = at_once(*(lambda name=name: drain(machine(name)) for name in range(4)))  # type: ignore[misc]
    assert refused == [0, 0, 0, 0], "a deadlock"
    assert Failure.objects.aggregate(Sum("count"))["count__sum"] == 4 * 15 * 20
    requests = Bucket.objects.filter(series__name="http.server.request.duration")
    assert requests.aggregate(Sum("count"))["count__sum"] == 4 * 15 * 20
    assert Affected.objects.values("failure").distinct().count() == 12
    for found in Failure.objects.all():
        assert found.people == found.affected.count()
        of_it = Bucket.objects.filter(series__name="qaprod.failures", series__label=str(found.pk))
        assert of_it.aggregate(Sum("count"))["count__sum"] == found.count


def test_two_drainers_of_one_segment_store_it_once() -> None:
    batches = [batch(*(failure() for _ in range(10)), after=part * 10) for part in range(10)]
    at_once(lambda: drain(batches), lambda: drain(batches), lambda: drain(batches))
    assert Failure.objects.get().count == 100
    assert Cursor.objects.get().position == 100


def test_two_workers_roll_up_once() -> None:
    for _ in range(4):
        numbers.save([cell(label=f"r{i}", start=minute(200 + i % 90)) for i in range(300)])
    at_once(rollups.roll_up, rollups.roll_up, rollups.roll_up)
    rollups.roll_up()
    for resolution in (60, 3600, 86400):
        rows = Bucket.objects.filter(resolution=resolution) | Bucket.objects.filter(
            resolution__lt=resolution, rolled=False
        )
        assert rows.aggregate(Sum("count"))["count__sum"] == 1200
    assert Series.objects.count() == 300


def test_two_people_who_press_at_once_change_a_failure_once() -> None:
    drain([batch(*(failure(f"v1:{i}") for i in range(50)))])
    ids = list(Failure.objects.values_list("pk", flat=True))
    changed = at_once(*(lambda who=who: states.resolve(ids, who=who) for who in "abcd"))  # type: ignore[misc]
    assert sum(changed) == Transition.objects.count() == 50  # type: ignore[arg-type]


def test_of_many_workers_one_gets_the_lease() -> None:
    minute_long = timedelta(minutes=1)
    won = at_once(*(lambda who=who: leases.acquire("work", who, ttl=minute_long) for who in "abcdefgh"))  # type: ignore[misc]
    assert sorted(won) == [False] * 7 + [True]  # type: ignore[type-var]
