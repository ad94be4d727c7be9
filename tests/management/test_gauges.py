"""Gauges by the commands: what they read is stored before they end, and the doctor says how they are."""

from __future__ import annotations

import io
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from django_qaprod import doctor, registry
from django_qaprod.models import JobRun
from django_qaprod.registry import GaugeSpec
from tests.admin import rows
from tests.servers import wait_until

ROOT = Path(__file__).parents[2]

SETTINGS = """
from tests.project.settings import *

INSTALLED_APPS = [*INSTALLED_APPS, "an_app"]
QAPROD = {"SPOOL_DIR": DIRECTORY + "/spool", "BACKGROUND": "command"}
"""
GAUGES = """
import pathlib, threading
from django_qaprod import gauge
from tests.project.shop.models import Order

@gauge("orders.open", unit="{order}")
def orders():
    pathlib.Path(DIRECTORY, "asked").touch()
    return Order.objects.count()

@gauge("stuck", timeout=0.2)
def stuck():
    threading.Event().wait()

@gauge("broken")
async def broken():
    raise ConnectionError("refused")
"""


@pytest.fixture
def project(tmp_path: Path) -> dict[str, str]:
    """The environment of a project that declares gauges, in processes of its own."""
    directory = f"DIRECTORY = {str(tmp_path)!r}\n"
    (tmp_path / "an_app").mkdir()
    (tmp_path / "an_app" / "__init__.py").touch()
    (tmp_path / "an_app" / "qaprod.py").write_text(directory + GAUGES)
    (tmp_path / "measured_settings.py").write_text(directory + SETTINGS)
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "measured_settings",
        "PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)]),
        "QAPROD_TEST_DB": "sqlite",
        "QAPROD_TEST_SQLITE": str(tmp_path / "db.sqlite3"),
    }
    _, err = manage(environment, "migrate", "-v0").communicate(timeout=120)
    assert not err
    return environment


def manage(environment: dict[str, str], *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", "django", *arguments],
        env=environment,
        cwd=ROOT,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def stored(tmp_path: Path) -> tuple[list[Any], list[Any]]:
    """Return the readings of the project's gauges, and the failures."""
    with sqlite3.connect(tmp_path / "db-qaprod.sqlite3") as connection:
        readings = connection.execute(
            "SELECT s.name, s.unit, SUM(b.count), SUM(b.total) FROM qaprod_series s"
            " JOIN qaprod_bucket b ON b.series_id = s.id AND NOT b.rolled"
            " WHERE s.name NOT LIKE 'qaprod.%' AND s.name NOT LIKE 'process.%' AND s.gauge GROUP BY s.name"
        ).fetchall()
        failures = connection.execute("SELECT kind, name, count FROM qaprod_failure ORDER BY name").fetchall()
    return readings, failures


@pytest.mark.slow
def test_a_tick_stores_what_it_has_read(project: dict[str, str], tmp_path: Path) -> None:
    _, err = (child := manage(project, "qaprod_tick")).communicate(timeout=120)
    assert child.returncode == 0, err
    assert not err, "what the host's gauges have is no news for cron"
    readings, failures = stored(tmp_path)
    assert ("orders.open", "{order}", 1, 0.0) in readings
    assert failures == [("gauge", "broken", 1), ("gauge", "stuck", 1)]


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_worker_that_ends_stores_what_it_has_read(
    project: dict[str, str], tmp_path: Path, number: signal.Signals
) -> None:
    child = manage(project, "qaprod_worker")
    try:
        wait_until((tmp_path / "asked").exists)
        child.send_signal(number)
        _, err = child.communicate(timeout=120)
    finally:
        child.kill()
    assert child.returncode == 0, err
    readings, _ = stored(tmp_path)
    assert ("orders.open", "{order}", 1, 0.0) in readings


@pytest.mark.django_db(databases="__all__")
class TestDoctor:
    @pytest.fixture(autouse=True)
    def _isolated(self) -> Iterator[None]:
        with registry.isolated():
            registry._gauges.clear()
            yield

    def declare(self, *names: str) -> None:
        for name in names:
            registry.register_gauge(GaugeSpec(name=name, read=lambda: 1, place=name, every=60, timeout=10))

    def found(self) -> list[tuple[str, str]]:
        return [(one.level, one.message) for one in doctor.examine() if one.part == "gauges"]

    def test_none_is_declared(self) -> None:
        assert self.found() == [("ok", "None is declared.")]

    def test_none_has_been_read_yet(self) -> None:
        self.declare("a", "b")
        assert self.found() == [("warning", "2 declared, 0 failing; none has been read yet.")]

    def test_those_that_fail_are_named(self) -> None:
        self.declare("a", "b")
        rows.reading("a")
        rows.reading("b", error="ConnectionError: refused")
        rows.reading("gone", error="of long ago")
        first, second = self.found()
        at = JobRun.objects.get(name="gauge:a").succeeded_at
        assert first == ("ok", f"2 declared, 1 failing; the last was read at {at:%Y-%m-%d %H:%M:%S}.")
        assert second[0] == "warning"
        assert second[1].startswith("b failed at ")
        assert second[1].endswith(": ConnectionError: refused")

    def test_a_failing_gauge_is_no_error_of_the_installation(self) -> None:
        self.declare("b")
        rows.reading("b", error="ConnectionError: refused")
        out = io.StringIO()
        call_command("qaprod_doctor", "--json", stdout=out)
        assert '"part": "gauges"' in out.getvalue()
