from __future__ import annotations

import threading
from typing import Any

import pytest
from django.db import connection, connections, transaction

from django_qaprod import Journey, Step
from django_qaprod.models import Event
from tests.servers import wait_until

pytestmark = [
    pytest.mark.django_db(transaction=True, databases="__all__"),
    pytest.mark.usefixtures("spool"),
    pytest.mark.skipif(
        connection.vendor != "postgresql", reason="SQLite lets one transaction write at a time"
    ),
]


@pytest.fixture
def submitted() -> Step:
    class JobApplication(Journey):
        submitted = Step(once=True)

    return JobApplication.submitted


def waiting() -> bool:
    with connection.cursor() as cursor:
        # Within a transaction the statistics are those of its first look.
        cursor.execute("SELECT pg_stat_clear_snapshot()")
        cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
        return bool(cursor.fetchone()[0])


@pytest.mark.parametrize("rolled_back", [False, True])
def test_the_second_of_two_at_once_waits_for_the_first_to_decide(submitted: Step, rolled_back: bool) -> None:
    def second() -> None:
        try:
            with transaction.atomic():
                submitted.record(1)
        finally:
            connections.close_all()

    thread = threading.Thread(target=second)
    with transaction.atomic():
        submitted.record(1)
        thread.start()
        wait_until(waiting, what="the second transaction to wait")
        transaction.set_rollback(rolled_back)
    thread.join(60)
    assert Event.objects.count() == 1


def test_twenty_at_once_count_once(submitted: Step) -> None:
    start = threading.Barrier(20)
    errors: list[Exception] = []

    def take() -> None:
        try:
            start.wait(60)
            submitted.record(1, strict=True)
        except Exception as error:
            errors.append(error)
        finally:
            connections.close_all()

    threads: list[Any] = [threading.Thread(target=take) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert errors == []
    assert Event.objects.count() == 1
