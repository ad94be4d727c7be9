"""What is promised, under real servers, kill -9 and a database that goes away."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterable
from http.client import HTTPException
from pathlib import Path

import pytest

from tests.servers import APPLICATION_SERVERS, ApplicationServer, Postgres, wait_until

from . import host as hosts
from .load import killing, until, visit

pytestmark = [pytest.mark.servers, pytest.mark.slow]


@pytest.fixture
def host(tmp_path: Path) -> hosts.Host:
    return hosts.sqlite(tmp_path)


@pytest.mark.parametrize("kind", APPLICATION_SERVERS)
def test_counts_are_exact_over_workers(kind: str, host: hosts.Host) -> None:
    requests = 4_000 if kind == "gunicorn-sync" else 500
    with host.serve(kind, workers=4) as server:
        # uWSGI's own HTTP socket hangs up after every answer without saying so.
        seen = visit(server.port, ["/ok/"] * requests, keep_alive=kind != "uwsgi")
        assert seen.statuses == {200: requests}
        # Numbers are in memory for five seconds; a server that ends by a signal (uvicorn) takes them along.
        wait_until(lambda: host.requests("ok/") >= requests, what="all requests arrive")
    host.tick()
    assert host.requests("ok/") == requests


def test_a_failure_is_in_the_store_within_seconds(host: hosts.Host) -> None:
    with host.serve("gunicorn-preload", workers=2) as server:
        server.get("/raise/apples/")
        wait_until(lambda: host.ask("Failure.objects.count()"))
    [[error_type, message, count]] = host.ask(
        "list(Failure.objects.values_list('error_type', 'message', 'count'))"
    )
    assert (error_type, count) == ("LookupError", 1)
    assert "apples" in message


def test_kill_9_loses_nothing_that_was_promised_and_doubles_nothing(host: hosts.Host) -> None:
    answers: list[int] = []
    confirmed: set[str] = set()
    for attempt in range(3):
        with host.serve("gunicorn-gthread", workers=2) as server:
            seen = visit(
                server.port,
                killing(
                    server.kill,
                    lambda n: f"/submit/{attempt}-{n}/" if n % 2 else f"/raise/{attempt}-{n}/",  # noqa: B023
                    after=400 * (attempt + 1),
                ),
            )
        answers.append(seen.statuses[500])
        confirmed.update(seen.bodies)
    host.tick()
    orders = host.ask("list(Order.objects.values_list('pk', flat=True))")
    events = host.ask("list(Event.objects.values_list('subject', flat=True))")
    assert sorted(events) == sorted(map(str, orders)), "an event is there if and only if its order is, once"
    numbers = set(host.ask("list(Order.objects.values_list('number', flat=True))"))
    assert confirmed <= numbers
    recorded = host.ask("Failure.objects.aggregate(n=Sum('count'))['n']")
    # A 500 that was answered is recorded; one whose answer was cut off by the kill may be.
    assert sum(answers) <= recorded <= sum(answers) + 3 * 2 * 4


def test_sqlite_hosts_are_not_locked_out_by_us(tmp_path: Path) -> None:
    """A view that reads and then writes fails on SQLite whenever anybody writes in between."""
    locked = {}
    for name, without in (("with", False), ("without", True)):
        directory = tmp_path / name
        directory.mkdir()
        host = hosts.sqlite(directory, WITHOUT_QAPROD=without)
        with host.serve("gunicorn-sync", workers=1) as server:
            # The worker has started, and our drainer has some seconds in which it writes.
            assert server.get("/read-then-write/").status == 200
            paths: Iterable[str] = ["/read-then-write/"] * 200
            if not without:
                seconds = float(os.environ.get("QAPROD_LIVE_SECONDS", "5"))
                paths = until(time.monotonic() + seconds, lambda n: "/read-then-write/")
            seen = visit(server.port, paths, threads=1)
        assert set(seen.statuses) <= {200, 500}
        assert seen.statuses[200] > 10
        locked[name] = seen.statuses[500]
    assert locked == {"with": 0, "without": 0}


@pytest.mark.postgres
def test_no_visitor_notices_that_postgresql_is_down(tmp_path: Path, postgres: Postgres) -> None:
    database = postgres.create_database(f"live{os.getpid()}{time.monotonic_ns()}")
    host = hosts.Host(directory=tmp_path, database=database)
    host.manage("migrate", "--verbosity", "0")
    seconds = float(os.environ.get("QAPROD_LIVE_SECONDS", "5"))
    with host.serve("gunicorn-gthread", workers=2) as server:
        before = visit(server.port, ["/ok/"] * 200)
        postgres.stop()
        try:
            during = visit(
                server.port,
                until(time.monotonic() + seconds, lambda n: "/ok/" if n % 10 else f"/raise/{n}/"),
            )
        finally:
            postgres.start()
        after = visit(server.port, ["/ok/"] * 200)
        total = before.statuses[200] + during.statuses[200] + after.statuses[200]
        assert set(during.statuses) == {200, 500}
        assert during.unanswered == before.unanswered == after.unanswered == 0
        wait_until(lambda: host.requests("ok/") == total, what="all requests arrive")
        wait_until(
            lambda: host.ask("Failure.objects.aggregate(n=Sum('count'))['n']") == during.statuses[500],
            what="all failures arrive",
        )


def test_a_worker_that_drains_is_replaced_when_it_is_killed(host: hosts.Host) -> None:
    with host.serve("gunicorn-sync", workers=2) as server:
        server.get("/raise/before/")
        wait_until(lambda: host.ask("Failure.objects.count()"))
        for pid in server.workers():
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: answers(server), what="another worker has taken their place")
        server.get("/raise/after/")
        wait_until(lambda: host.ask("Occurrence.objects.filter(message__contains='after').count()"))


def answers(server: ApplicationServer) -> bool:
    """Return whether a request is answered well: one that a killed worker had taken is not."""
    try:
        return server.get("/ok/").status == 200
    except (OSError, HTTPException):
        return False


def test_an_order_to_stop_is_followed_at_once(host: hosts.Host) -> None:
    # gunicorn kills only after ten minutes workers that have not ended.
    with host.serve("gunicorn-sync", workers=2, arguments=("--graceful-timeout", "600")) as server:
        server.get("/ok/")
        server.stop(timeout=60)
    host.tick()
    assert host.requests("ok/") == 1
