"""``qaprod_beat`` runs a job as if nobody stood in between, and tells that it ran, whatever is broken."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from django_qaprod import alerts
from django_qaprod.alerts import running
from django_qaprod.alerts.measures import BEATS, beats
from django_qaprod.exceptions import RecordFormatError
from django_qaprod.pipeline import process
from django_qaprod.queries import measures
from django_qaprod.records import Cell, NumbersRecord, Record, decode

ROOT = Path(__file__).parents[2]

SETTINGS = """
from tests.project.settings import *

DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": DIRECTORY + "/missing/db.sqlite3"}}
QAPROD = {"SPOOL_DIR": DIRECTORY + "/spool", "BACKGROUND": "command"}
"""


def start(directory: Path, *arguments: str, **options: Any) -> subprocess.Popen[str]:
    """Start the command in a project whose database cannot be opened."""
    (directory / "beating_settings.py").write_text(f"DIRECTORY = {str(directory)!r}\n{SETTINGS}")
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "beating_settings",
        "PYTHONPATH": os.pathsep.join([str(directory), str(ROOT)]),
    }
    return subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", "django", "qaprod_beat", *arguments],
        env=environment,
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def told(directory: Path) -> list[Cell]:
    """Return the beats that lie in the spool."""
    found = []
    for segment in sorted((directory / "spool").glob("*.segment")):
        for line in segment.read_bytes().splitlines(keepends=True):
            found += beats_of([decode(line)])
    return found


def beats_of(records: list[Record]) -> list[Cell]:
    return [
        cell for one in records if isinstance(one, NumbersRecord) for cell in one.cells if cell.name == BEATS
    ]


@pytest.fixture
def records() -> Iterator[list[Record]]:
    found: list[Record] = []
    with process.tapped(found):
        yield found


def test_a_job_has_its_streams_and_its_exit_status_and_is_told_of(tmp_path: Path) -> None:
    """Options of the job behind ``--`` are no options of the command."""
    script = "read line; echo got $line $#; echo bad >&2; exit 3"
    child = start(tmp_path, "nightly import", "--", "sh", "-c", script, "--", "--version", "-h")
    out, err = child.communicate("hello\n", timeout=300)
    assert (child.returncode, out, err) == (3, "got hello 2\n", "bad\n")
    (cell,) = told(tmp_path)
    assert (cell.label, cell.attributes, cell.count) == ("nightly import", (("outcome", "failed"),), 1)
    assert 0 < cell.total < 60
    assert cell.unit == "s"


def test_a_signal_is_passed_on_and_the_job_has_the_last_word(tmp_path: Path) -> None:
    script = 'trap "echo tidied; exit 0" TERM; echo ready; while :; do sleep 0.02; done'
    child = start(tmp_path, "nightly import", "--", "sh", "-c", script)
    try:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        child.send_signal(signal.SIGTERM)
        out, err = child.communicate(timeout=300)
    finally:
        child.kill()
    assert (child.returncode, out, err) == (0, "tidied\n", "")
    assert [cell.attributes for cell in told(tmp_path)] == [(("outcome", "ok"),)]


def test_a_job_that_dies_of_a_signal_has_the_status_that_shells_give(tmp_path: Path) -> None:
    child = start(tmp_path, "nightly import", "--", "sh", "-c", "echo ready; exec sleep 60")
    try:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        child.send_signal(signal.SIGTERM)
        child.communicate(timeout=300)
    finally:
        child.kill()
    assert child.returncode == 128 + signal.SIGTERM
    assert [cell.attributes for cell in told(tmp_path)] == [(("outcome", "failed"),)]


def test_a_dead_spool_and_a_dead_database_do_not_disturb_the_job(tmp_path: Path) -> None:
    (tmp_path / "spool").touch()
    child = start(tmp_path, "nightly import", "--", "sh", "-c", "echo done; exit 5")
    out, _ = child.communicate(timeout=300)
    assert (child.returncode, out) == (5, "done\n")


def test_a_job_inherits_the_files_that_it_would_have_had() -> None:
    """``flock 9`` with ``9>lock`` goes on working."""
    read, write = os.pipe()
    os.set_inheritable(write, True)
    try:
        script = f"import os; os.write({write}, b'here')"
        assert running.run([sys.executable, "-S", "-c", script]) == 0
        assert os.read(read, 100) == b"here"
    finally:
        os.close(read)
        os.close(write)


@pytest.mark.parametrize(("mode", "status"), [(None, 127), (0o600, 126)])
def test_a_command_that_cannot_be_run_has_the_status_that_shells_give(
    tmp_path: Path, mode: int | None, status: int, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "job"
    if mode is not None:
        path.touch(mode)
    assert running.run([str(path)]) == status
    assert capfd.readouterr().err.startswith(f"{path}: ")


def test_what_is_done_about_signals_is_put_back() -> None:
    before = [signal.getsignal(number) for number in running.PASSED_ON]
    assert running.run(["true"]) == 0
    assert [signal.getsignal(number) for number in running.PASSED_ON] == before


def test_what_is_ignored_stays_ignored() -> None:
    """As ``nohup`` wants it, for the job as well."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert running.run(["sh", "-c", "kill -HUP $$; exit 4"]) == 4
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_thread_may_run_a_job() -> None:
    found: list[int] = []
    thread = threading.Thread(target=lambda: found.append(running.run(["sh", "-c", "exit 6"])))
    thread.start()
    thread.join()
    assert found == [6]


def test_without_a_command_it_tells_at_once(records: list[Record]) -> None:
    call_command("qaprod_beat", "nightly import")
    call_command("qaprod_beat", "nightly import", failed=True)
    assert [dict(cell.attributes)["outcome"] for cell in beats_of(records)] == ["ok", "failed"]


def test_code_tells_by_a_function_what_the_heartbeat_waits_for(records: list[Record]) -> None:
    alerts.beat("nightly import", seconds=2.5)
    (cell,) = beats_of(records)
    assert (cell.label, cell.total, cell.start % 60) == ("nightly import", 2.5, 0)
    assert time.time() - cell.start < 120
    measure = beats("nightly import")
    assert (cell.name, (("label", cell.label), *cell.attributes)) == (measure.name, measure.where)


@pytest.mark.django_db(databases="__all__")
def test_what_was_told_is_found_by_the_heartbeat() -> None:
    began = time.time()
    with process.in_memory() as drainer:
        alerts.beat("nightly import")
        alerts.beat("other", ok=False)
        drainer.drain()
    last = measures.last(beats("nightly import"), began - 60)
    assert last is not None
    assert began - 60 <= last <= time.time()
    assert measures.last(beats("other"), 0.0) is None


def test_nothing_is_told_in_the_tests_of_a_host() -> None:
    assert not process.recording()
    alerts.beat("nightly import")


def test_what_goes_wrong_in_telling_is_no_concern_of_the_caller(
    records: list[Record], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(record: Record) -> None:
        raise RecordFormatError("broken")

    monkeypatch.setattr(process, "submit", refuse)
    alerts.beat("nightly import")
    assert beats_of(records) == []
