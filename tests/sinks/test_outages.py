"""The store in processes of its own: killed in the middle, several at once, a database that goes away."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.servers import Postgres

from .writer import RECORDS

pytestmark = pytest.mark.slow


@pytest.fixture
def sqlite(tmp_path: Path) -> dict[str, Any]:
    databases = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": str(tmp_path / "db.sqlite3")}}
    # Whoever waits for the others waits as long as a busy machine may take.
    databases["default"]["OPTIONS"] = {"timeout": 60}
    run(databases, "migrate")
    return databases


def arguments(databases: dict[str, Any], *rest: str) -> list[str]:
    return [sys.executable, "-W", "ignore", "-m", "tests.sinks.writer", json.dumps(databases), *rest]


def run(databases: dict[str, Any], *rest: str) -> str:
    return subprocess.run(
        arguments(databases, *rest), check=True, stdout=subprocess.PIPE, text=True, timeout=300
    ).stdout


@contextmanager
def writer(databases: dict[str, Any], segment: str, batches: int) -> Iterator[subprocess.Popen[str]]:
    child = subprocess.Popen(
        arguments(databases, "write", segment, str(batches)), stdout=subprocess.PIPE, text=True
    )
    try:
        yield child
    finally:
        child.kill()
        child.communicate()


def says(child: subprocess.Popen[str], words: str, times: int = 1) -> None:
    assert child.stdout is not None
    for _ in range(times):
        while (line := child.stdout.readline().strip()) != words:
            assert line, "the writer has ended"


def stored(databases: dict[str, Any]) -> dict[str, int]:
    found: dict[str, int] = json.loads(run(databases, "count"))
    return found


def expected(batches: int) -> dict[str, int]:
    failures = batches * (RECORDS - 1)
    return {"failures": failures, "people": RECORDS - 1, "numbers": batches, "numbers of failures": failures}


def test_killed_in_the_middle_everything_is_there_once(sqlite: dict[str, Any]) -> None:
    for after in (3, 11, 18):
        with writer(sqlite, "segment", 1000) as child:
            says(child, "stored", after)
            time.sleep(0.003)
            child.kill()
    run(sqlite, "write", "segment", "60")
    assert stored(sqlite)["failures"] % (RECORDS - 1) == 0
    batches = max(60, stored(sqlite)["numbers"])
    assert stored(sqlite) == expected(batches)


def test_several_processes_share_an_sqlite_file(sqlite: dict[str, Any]) -> None:
    with writer(sqlite, "a", 40) as one, writer(sqlite, "b", 40) as two, writer(sqlite, "c", 40) as three:
        for child in (one, two, three):
            said, _ = child.communicate(timeout=300)
            assert "refused" not in said
    assert stored(sqlite) == expected(120)


@pytest.mark.postgres
@pytest.mark.parametrize("crash", [False, True])
def test_a_database_that_goes_away_is_waited_for(postgres: Postgres, crash: bool) -> None:
    databases = {"default": postgres.create_database(f"outage_{crash}".lower())}
    run(databases, "migrate")
    with writer(databases, "segment", 60) as child:
        says(child, "stored", 5)
        if crash:
            postgres.kill()
        else:
            postgres.stop()
        says(child, "refused", 3)
        postgres.start()
        child.communicate(timeout=300)
        assert child.returncode == 0
    found = stored(databases)
    # This server syncs nothing: a crash may take its last commits with it, each as a whole.
    assert found["numbers"] >= 50 if crash else found["numbers"] == 60
    assert found == expected(found["numbers"])


@pytest.mark.postgres
def test_records_wait_for_migrate(postgres: Postgres) -> None:
    databases = {"default": postgres.create_database("before_migrate")}
    with writer(databases, "segment", 2) as child:
        says(child, "refused", 2)
        run(databases, "migrate")
        child.communicate(timeout=300)
        assert child.returncode == 0
    assert stored(databases) == expected(2)
