"""The servers that other tests lean on are started, ended and killed as promised."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.servers import APPLICATION_SERVERS, Postgres, run_server, wait_until

REPOSITORY = Path(__file__).parent.parent


@pytest.mark.servers
@pytest.mark.parametrize("kind", APPLICATION_SERVERS)
def test_every_application_server_answers_and_leaves_nothing_behind(kind: str) -> None:
    with run_server(kind, project=REPOSITORY, settings="tests.project.settings", workers=2) as server:
        assert server.get("/ok/").body == b"ok"
        assert server.get("/nowhere/").status == 404
        assert server.alive()
    assert not server.alive()


@pytest.mark.servers
def test_a_killed_server_is_dead_with_all_its_workers() -> None:
    with run_server(
        "gunicorn-sync", project=REPOSITORY, settings="tests.project.settings", workers=2
    ) as server:
        workers = wait_until(lambda: len(server.workers()) == 2 and server.workers(), what="two workers")
        server.kill()
        assert workers
        assert not server.alive()


@pytest.mark.servers
def test_a_server_that_cannot_start_says_why() -> None:
    with (
        pytest.raises(RuntimeError, match="no_such_project"),
        run_server("gunicorn-preload", project=REPOSITORY, settings="no_such_project.settings"),
    ):
        pass


@pytest.mark.postgres
def test_postgres_comes_back_with_its_data_after_a_stop_and_a_crash(postgres: Postgres) -> None:
    postgres.create_database("kept")
    postgres.stop()
    assert not postgres.running
    postgres.start()
    postgres.kill()
    postgres.start()
    assert postgres.running
    with pytest.raises(Exception, match="already exists"):
        postgres.create_database("kept")


@pytest.mark.django_db
def test_the_chosen_database_is_the_one_in_use() -> None:
    from django.db import connection

    assert connection.vendor == {"postgres": "postgresql"}.get(os.environ.get("QAPROD_TEST_DB", ""), "sqlite")
