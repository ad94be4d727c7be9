"""The pytest plugin in a host's own suite: cheap where it is not used, and ready where it is."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

SETTINGS = """
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "db.sqlite3"}}
INSTALLED_APPS = ["django_qaprod"]
ROOT_URLCONF = "urls"
SECRET_KEY = "only for tests"
USE_TZ = True
"""
URLS = """
from django.http import HttpResponse
from django.urls import path

def raising(request):
    raise ValueError("on fire")

urlpatterns = [path("raising/", raising), path("ok/", lambda request: HttpResponse())]
"""
TESTS = """
import pytest
from django_qaprod.models import Failure
from django_qaprod.pipeline import process

def test_nothing_is_recorded_unasked(client):
    client.get("/ok/")
    assert not process.recording()

def test_records_without_a_database(client, qaprod_records):
    client.raise_request_exception = False
    client.get("/raising/")
    assert [failure.message for failure in qaprod_records.failures] == ["on fire"]

def test_stored_without_a_marker(client, qaprod_store):
    client.raise_request_exception = False
    client.get("/raising/")
    qaprod_store.drain()
    assert Failure.objects.get().message == "on fire"

@pytest.mark.django_db(transaction=True)
def test_stored_with_a_marker_of_ones_own(client, qaprod_store):
    test_stored_without_a_marker(client, qaprod_store)

@pytest.mark.django_db
def test_the_host_s_queries_are_what_they_were(client, django_assert_num_queries):
    with django_assert_num_queries(0):
        client.get("/ok/")
"""


def run_pytest(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run pytest as a host does, where our entry point is installed."""
    plugin = ["-p", "no:django_qaprod", "-p", "django_qaprod.testing.plugin"]
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("DJANGO_", "QAPROD_"))
    }
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *plugin, *arguments],
        cwd=directory,
        env={**environment, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=600,
    )


def test_a_host_s_suite_uses_the_fixtures(tmp_path: Path) -> None:
    (tmp_path / "settings.py").write_text(SETTINGS)
    (tmp_path / "urls.py").write_text(URLS)
    (tmp_path / "test_host.py").write_text(TESTS)
    (tmp_path / "pytest.ini").write_text("[pytest]\nDJANGO_SETTINGS_MODULE = settings\npythonpath = .\n")
    answer = run_pytest(tmp_path, "--strict-markers", "-p", "no:randomly")
    assert "5 passed" in answer.stdout, answer.stdout
    assert not list(tmp_path.glob("*qaprod*")), "the tests' tables are in the tests' databases"


def test_a_suite_without_django_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "test_other.py").write_text("def test_nothing(): pass")
    answer = run_pytest(tmp_path, "--strict-markers", "-p", "no:django")
    assert "1 passed" in answer.stdout, answer.stdout


@pytest.mark.parametrize("heavy", ["django", "django_qaprod.conf", "django_qaprod.models"])
def test_loading_the_plugin_imports_nothing_heavy(heavy: str) -> None:
    script = f"import sys, django_qaprod.testing.plugin; sys.exit({heavy!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=False).returncode == 0


def test_the_entry_point_names_the_plugin() -> None:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["entry-points"]["pytest11"] == {"django_qaprod": "django_qaprod.testing.plugin"}
