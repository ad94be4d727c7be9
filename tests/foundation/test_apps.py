"""One line in INSTALLED_APPS puts the middleware first and finds ``qaprod.py``, and touches no database."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from django_qaprod.apps import EARLY_MIDDLEWARE
from django_qaprod.conf import MIDDLEWARE

COMMON = "django.middleware.common.CommonMiddleware"

SCRIPT = """
import json, sys, threading
import django
from django.conf import settings
from django.db.backends.base.base import BaseDatabaseWrapper
def refuse(self):
    raise AssertionError("a database was touched")
BaseDatabaseWrapper.connect = refuse
settings.configure(**json.loads(sys.argv[1]), INSTALLED_APPS=["django_qaprod", "an_app"], DATABASES={
    "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "a.sqlite3"}})
if "tuple" in sys.argv:
    settings.MIDDLEWARE = tuple(settings.MIDDLEWARE)
django.setup()
print(json.dumps({
    "middleware": settings.MIDDLEWARE,
    "tuple": isinstance(settings.MIDDLEWARE, tuple),
    "threads": threading.active_count(),
    "discovered": "an_app.qaprod" in sys.modules,
    "heavy": sorted({"sentry_sdk", "opentelemetry", "statsd", "celery", "cryptography"} & sys.modules.keys()),
}))
"""


def start(directory: Path, *arguments: str, **settings: Any) -> dict[str, Any]:
    """Start a project of these settings in a process of its own and return what it looks like."""
    (directory / "an_app").mkdir()
    (directory / "an_app" / "__init__.py").touch()
    (directory / "an_app" / "qaprod.py").touch()
    answer = subprocess.run(
        [sys.executable, "-c", SCRIPT, json.dumps(settings), *arguments],
        cwd=directory,
        check=True,
        stdout=subprocess.PIPE,
        timeout=600,
    )
    assert sorted(path.name for path in directory.iterdir()) == ["an_app"], "nothing at start-up opens a file"
    found: dict[str, Any] = json.loads(answer.stdout)
    return found


def test_the_second_catch_is_put_behind_the_middleware_where_routes_are_listed(tmp_path: Path) -> None:
    found = start(tmp_path, MIDDLEWARE=[COMMON, MIDDLEWARE], QAPROD={"SERVE_EARLY": ["apply"]})
    assert found["middleware"] == [COMMON, MIDDLEWARE, EARLY_MIDDLEWARE]


def test_the_middleware_is_put_first_and_declarations_are_found(tmp_path: Path) -> None:
    found = start(tmp_path, MIDDLEWARE=[COMMON])
    assert found["middleware"] == [MIDDLEWARE, COMMON]
    assert found["discovered"]
    assert found["threads"] == 1
    assert found["heavy"] == []


def test_a_tuple_of_middleware_stays_a_tuple(tmp_path: Path) -> None:
    found = start(tmp_path, "tuple", MIDDLEWARE=[COMMON])
    assert found["middleware"] == [MIDDLEWARE, COMMON]
    assert found["tuple"]


@pytest.mark.parametrize("listed", [[COMMON, MIDDLEWARE], [MIDDLEWARE, COMMON]])
def test_middleware_that_is_listed_stays_where_it_is(tmp_path: Path, listed: list[str]) -> None:
    assert start(tmp_path, MIDDLEWARE=listed)["middleware"] == listed


@pytest.mark.parametrize("qaprod", [{"AUTO_MIDDLEWARE": False}, {"ENABLED": False}])
def test_the_middleware_can_be_left_out(tmp_path: Path, qaprod: dict[str, Any]) -> None:
    assert start(tmp_path, MIDDLEWARE=[COMMON], QAPROD=qaprod)["middleware"] == [COMMON]


def test_wrong_settings_do_not_keep_the_host_from_starting(tmp_path: Path) -> None:
    qaprod = {"DATABASE": "nowhere", "SINKS": 5, "EVENTS_DATABASE": "nowhere", "NOTHING": 1}
    assert start(tmp_path, MIDDLEWARE=[COMMON], QAPROD=qaprod)["middleware"] == [MIDDLEWARE, COMMON]
