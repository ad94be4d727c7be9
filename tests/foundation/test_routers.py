"""Facts stay with the business; telemetry goes to a file of its own on SQLite, or where it is told to."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
SQLITE = "django.db.backends.sqlite3"
POSTGRESQL = "django.db.backends.postgresql"

SCRIPT = """
import json, sys
import django
from django.conf import settings
databases, qaprod = json.loads(sys.argv[1])
settings.configure(DATABASES=databases, QAPROD=qaprod, DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
                   INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "django_qaprod"])
django.setup()
from django.apps import apps
from django.db import connections, router
from django_qaprod import conf
if "migrate" in sys.argv:
    from django.core.management import call_command
    call_command("migrate", verbosity=0)
def tables(alias):
    with connections[alias].cursor() as cursor:
        return connections[alias].introspection.table_names(cursor)
print(json.dumps({
    "name": str(settings.DATABASES.get("qaprod", {}).get("NAME", "")),
    "atomic": settings.DATABASES.get("qaprod", {}).get("ATOMIC_REQUESTS"),
    "events": conf.events_alias(), "telemetry": conf.telemetry_alias(),
    "write": {m.__name__: router.db_for_write(m) for m in apps.get_app_config("qaprod").get_models()},
    "migrate": {alias: {m.__name__: router.allow_migrate_model(alias, m) for m in apps.get_models()}
                for alias in databases | {conf.telemetry_alias(): {}}},
    "tables": {alias: tables(alias) for alias in connections} if "migrate" in sys.argv else {},
}))
"""


def ask(
    databases: dict[str, Any], qaprod: dict[str, Any] | None = None, *, migrate: bool = False
) -> dict[str, Any]:
    """Return where a project of these settings puts its tables; in a process of its own."""
    answer = subprocess.run(
        [
            sys.executable,
            "-c",
            SCRIPT,
            json.dumps([databases, qaprod or {}]),
            *(["migrate"] if migrate else []),
        ],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=True,
        stdout=subprocess.PIPE,
        timeout=600,
    )
    found: dict[str, Any] = json.loads(answer.stdout)
    return found


FACTS = {
    "Event", "EventKey", "JourneyPage", "RescuedSubmission", "SubmissionAct", "SubmissionVersion",
}  # fmt: skip


def homes(answer: dict[str, Any]) -> tuple[set[str], set[str]]:
    """Return the aliases to which facts and telemetry are written."""
    write = answer["write"]
    return {write[name] for name in FACTS}, {write[name] for name in write.keys() - FACTS}


def test_on_sqlite_telemetry_has_a_file_beside_the_host_s(tmp_path: Path) -> None:
    answer = ask(
        {"default": {"ENGINE": SQLITE, "NAME": str(tmp_path / "db.sqlite3"), "ATOMIC_REQUESTS": True}}
    )
    assert answer["name"] == str(tmp_path / "db-qaprod.sqlite3")
    assert answer["atomic"] is False
    assert homes(answer) == ({"default"}, {"qaprod"})
    assert not list(tmp_path.iterdir()), "nothing at start-up touches a database"


def test_one_migrate_makes_the_tables_of_both_files_and_no_other_app_s_in_ours(tmp_path: Path) -> None:
    answer = ask({"default": {"ENGINE": SQLITE, "NAME": str(tmp_path / "db.sqlite3")}}, migrate=True)
    ours, host_s = set(answer["tables"]["qaprod"]), set(answer["tables"]["default"])
    assert {"qaprod_failure", "qaprod_bucket", "qaprod_lease"} <= ours
    assert {"qaprod_event", "qaprod_eventkey", "auth_user"} <= host_s
    assert ours & host_s == {"django_migrations"}


@pytest.mark.parametrize("name", [":memory:", "file:test?mode=memory&cache=shared"])
def test_beside_a_database_in_memory_telemetry_is_in_memory(name: str) -> None:
    assert ask({"default": {"ENGINE": SQLITE, "NAME": name}})["name"] == ":memory:"


def test_on_postgresql_everything_is_in_the_default_database() -> None:
    answer = ask({"default": {"ENGINE": POSTGRESQL, "NAME": "shop"}})
    assert answer["name"] == ""
    assert homes(answer) == ({"default"}, {"default"})


@pytest.mark.parametrize("engine", [SQLITE, POSTGRESQL])
def test_telemetry_can_be_put_elsewhere(engine: str) -> None:
    databases = {
        "default": {"ENGINE": engine, "NAME": "shop"},
        "telemetry": {"ENGINE": POSTGRESQL, "NAME": "t"},
    }
    answer = ask(databases, {"DATABASE": "telemetry"})
    assert answer["name"] == ""
    assert homes(answer) == ({"default"}, {"telemetry"})
    assert answer["migrate"]["telemetry"]["Failure"]
    assert not answer["migrate"]["default"]["Failure"]
    assert answer["migrate"]["default"]["Event"]
    assert not answer["migrate"]["telemetry"]["Event"]


def test_the_host_s_tables_may_go_to_an_alias_that_the_host_defined(tmp_path: Path) -> None:
    databases = {"default": {"ENGINE": SQLITE, "NAME": "a"}, "telemetry": {"ENGINE": SQLITE, "NAME": "b"}}
    assert ask(databases, {"DATABASE": "telemetry"})["migrate"]["telemetry"]["User"]


def test_events_can_be_put_elsewhere() -> None:
    databases = {
        "default": {"ENGINE": POSTGRESQL, "NAME": "shop"},
        "facts": {"ENGINE": POSTGRESQL, "NAME": "facts"},
    }
    assert homes(ask(databases, {"EVENTS_DATABASE": "facts"})) == ({"facts"}, {"facts"})


def test_a_database_that_the_host_calls_qaprod_is_left_as_it_is(tmp_path: Path) -> None:
    databases = {
        "default": {"ENGINE": SQLITE, "NAME": str(tmp_path / "a")},
        "qaprod": {"ENGINE": SQLITE, "NAME": str(tmp_path / "b")},
    }
    answer = ask(databases, migrate=True)
    assert answer["name"] == str(tmp_path / "b")
    assert homes(answer) == ({"default"}, {"qaprod"})
    assert "auth_user" in answer["tables"]["qaprod"] or answer["migrate"]["qaprod"]["User"]
