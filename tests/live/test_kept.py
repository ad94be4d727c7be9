"""What visitors are told to be kept is kept: without a database, and when the server is killed."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from tests.servers import Postgres, wait_until

from . import host as hosts
from .load import killing, send

pytestmark = [pytest.mark.servers, pytest.mark.slow]

#: How many submissions are under way at once.
VISITORS = 4


def on_postgres(directory: Path, postgres: Postgres) -> hosts.Host:
    """Return a host on that server, migrated."""
    database = postgres.create_database(f"kept{os.getpid()}{time.monotonic_ns()}")
    host = hosts.Host(directory=directory, database=database)
    host.manage("migrate", "--verbosity", "0")
    return host


@pytest.mark.postgres
def test_without_postgresql_the_form_is_served_and_what_is_sent_is_kept(
    tmp_path: Path, postgres: Postgres
) -> None:
    host = on_postgres(tmp_path, postgres)
    numbers = {f"down-{number}" for number in range(40)}
    with host.serve("gunicorn-gthread", workers=2) as server:
        assert server.get("/order/").body == b"0 orders so far"
        postgres.stop()
        try:
            page = server.get("/order/")
            sent = send(server.port, sorted(numbers), threads=VISITORS)
        finally:
            postgres.start()
        assert page.status == 200
        assert b'name="number"' in page.body
        assert sent.with_status(202) == numbers
        wait_until(
            lambda: host.ask("RescuedSubmission.objects.count()") == len(numbers),
            what="what was sent is in the database",
        )
        assert sorted(host.kept()) == sorted(numbers)
        assert host.orders() == []
        host.replay_all()
        wait_until(lambda: len(host.orders()) >= len(numbers), what="all is replayed")
    assert sorted(host.orders()) == sorted(numbers)


def test_kill_9_loses_nothing_that_was_confirmed_on_sqlite(tmp_path: Path) -> None:
    assert_nothing_is_lost(hosts.sqlite(tmp_path))


@pytest.mark.postgres
def test_kill_9_loses_nothing_that_was_confirmed_on_postgresql(tmp_path: Path, postgres: Postgres) -> None:
    assert_nothing_is_lost(on_postgres(tmp_path, postgres))


def assert_nothing_is_lost(host: hosts.Host) -> None:
    """Kill the server again and again while forms are sent to it, half of which its view fails to take."""
    host.fault.touch()
    statuses: dict[str, int] = {}
    for attempt in range(4):
        with host.serve("gunicorn-gthread", workers=2) as server:
            numbers = killing(
                server.kill,
                lambda n: f"{'broken' if n % 2 else 'good'}-{attempt}-{n}",  # noqa: B023
                after=60 * (attempt + 1),
            )
            statuses |= send(server.port, numbers, threads=VISITORS).statuses
    told = {status: {n for n, found in statuses.items() if found == status} for status in (0, 202, 302)}
    # Whoever got no answer sends what the view cannot take once more, as their browser has kept it.
    again = sorted(number for number in told[0] if number.startswith("broken"))[: 10 * VISITORS]
    with host.serve("gunicorn-gthread", workers=2) as server:
        repeated = send(server.port, again, threads=VISITORS)
        assert repeated.with_status(202) == set(again)
    host.tick()

    kept, orders = host.kept(), host.orders()
    assert set(statuses.values()) <= {0, 202, 302}
    assert told[202]
    assert told[302]
    assert told[202] | set(again) <= set(kept)
    assert told[302] <= set(orders)
    assert len(kept) == len(set(kept)), "what is sent twice is kept once"
    assert not set(kept) & set(orders), "what is kept has left no trace"

    host.fault.unlink()
    host.replay_all()
    wait_until(lambda: len(host.orders()) >= len(kept) + len(orders), what="all is replayed")
    assert sorted(host.orders()) == sorted([*kept, *orders])
    events = host.ask("list(Event.objects.values_list('subject', flat=True))")
    assert sorted(events) == sorted(map(str, host.ask("list(Order.objects.values_list('pk', flat=True))")))
