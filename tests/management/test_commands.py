from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from cryptography.fernet import Fernet
from django.core.management import CommandError, call_command
from django.db import OperationalError

from django_qaprod import clock, conf, doctor
from django_qaprod.conf import telemetry_alias
from django_qaprod.exceptions import SinkUnavailableError
from django_qaprod.forms import waiting
from django_qaprod.models import Deploy, Failure, Health, JobRun, Lease, RescuedSubmission, Series
from django_qaprod.pipeline import drainer, filelock, guard, process, spool
from django_qaprod.records import encode
from django_qaprod.store import deploys, submissions
from django_qaprod.typing import Batch
from django_qaprod.worker import service
from tests.forms import kept
from tests.servers import wait_until
from tests.store.make import failure

database = pytest.mark.django_db(databases="__all__")


@pytest.fixture
def spool_dir(tmp_path: Path, settings: Any) -> Iterator[Path]:
    settings.QAPROD = {"SPOOL_DIR": str(tmp_path / "spool")}
    spool.forget_directory()
    path = spool.directory()
    assert path is not None
    yield path
    spool.forget_directory()


def run(*arguments: str) -> tuple[int, str, str]:
    out, err, status = io.StringIO(), io.StringIO(), 0
    try:
        call_command(*arguments, stdout=out, stderr=err)
    except SystemExit as end:
        status = int(end.code or 0)
    return status, out.getvalue(), err.getvalue()


def append(path: Path, *records: Any) -> None:
    own = spool.FileSpool(path)
    for record in records:
        own.append(encode(record))
    own.close()


@database
def test_deploy_marks_a_release() -> None:
    status, out, _ = run("qaprod_deploy", "2026.1", "--note", "the new form")
    assert (status, Deploy.objects.get().note) == (0, "the new form")
    assert "2026.1" in out


@database
def test_deploy_marks_a_flag_each_time_and_none_is_the_release_that_is_live() -> None:
    run("qaprod_deploy", "2026.1")
    for note in ("on", "off"):
        status, out, _ = run("qaprod_deploy", "--flag", "short form", "--note", note)
        assert status == 0
        assert "short form is marked" in out
    assert [row.note for row in Deploy.objects.filter(flag=True).order_by("pk")] == ["on", "off"]
    assert deploys.current(using=telemetry_alias()) == "2026.1"
    assert list(deploys.times(using=telemetry_alias())) == ["2026.1"]


@database
@pytest.mark.parametrize(
    "given", [(), ("",), (" ",), ("--flag", ""), ("2026.1", "--flag", "short form"), ("--note", "on")]
)
def test_deploy_marks_one_thing_at_a_time(given: tuple[str, ...]) -> None:
    """A script whose variable is empty marks nothing, and says what it lacks."""
    with pytest.raises(CommandError, match="Name a release, or a feature flag by --flag NAME"):
        run("qaprod_deploy", *given)
    assert not Deploy.objects.exists()


@database
class TestTick:
    def test_it_drains_and_works(self, spool_dir: Path) -> None:
        append(spool_dir, failure(), failure())
        status, _, err = run("qaprod_tick", "-v2")
        assert (status, Failure.objects.get().count) == (0, 2)
        assert "2 records" in err
        assert JobRun.objects.filter(name="roll_up").exists()

    def test_a_job_that_fails_is_said_and_is_its_status(
        self, spool_dir: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("django_qaprod.store.rollups.roll_up", lambda: 1 / 0)
        status, _, err = run("qaprod_tick")
        assert status == 1
        assert "roll_up: ZeroDivisionError" in err
        guard.take()


class Down:
    """A sink that cannot be reached."""

    name = "down"
    inline = True

    def write(self, batch: Batch) -> None:
        raise SinkUnavailableError("Nobody listens.")

    def close(self) -> None:
        """Nothing is open."""


class Unmade:
    """A sink that cannot be made."""

    def __init__(self) -> None:
        raise ValueError("No address.")


@database
class TestDoctor:
    def test_it_says_what_is_on(self, spool_dir: Path) -> None:
        status, out, _ = run("qaprod_doctor")
        assert status == 0, out
        parts = "settings", "middleware", "logs", "spool", "sinks", "tables", "worker", "gauges", "inside"
        for part in parts:
            assert f" {part} " in out

    def test_what_concerns_production_alone_is_not_said_in_development(
        self, spool_dir: Path, settings: Any
    ) -> None:
        assert "qaprod.I001" in run("qaprod_doctor")[1]
        settings.DEBUG = True
        assert "qaprod.I001" not in run("qaprod_doctor")[1]
        assert "qaprod.I001" in run("qaprod_doctor", "--deploy")[1]

    def test_one_segment_is_no_plural(self, spool_dir: Path) -> None:
        append(spool_dir, failure())
        assert " 1 segment, " in run("qaprod_doctor")[1]
        append(spool_dir, failure())
        assert " 2 segments, " in run("qaprod_doctor")[1]

    def test_json_is_for_programs(self, spool_dir: Path) -> None:
        _, out, _ = run("qaprod_doctor", "--json")
        assert {"part", "level", "message", "hint"} == set(json.loads(out)[0])

    def test_a_test_goes_the_whole_way_and_leaves_nothing(self, spool_dir: Path) -> None:
        append(spool_dir, failure())
        finding = self.send(spool_dir)
        assert finding.level is doctor.Level.OK, finding
        assert Failure.objects.count() == 1
        assert not Series.objects.filter(name="qaprod.doctor").exists()

    def test_a_test_that_does_not_arrive_is_an_error(self, spool_dir: Path, settings: Any) -> None:
        settings.QAPROD = {**settings.QAPROD, "SINKS": []}
        assert self.send(spool_dir, within=0.1).level is doctor.Level.ERROR

    def test_a_test_waits_for_every_sink(self, spool_dir: Path, settings: Any) -> None:
        settings.QAPROD = {**settings.QAPROD, "SENTRY": {"DSN": "http://key@127.0.0.1:9/1"}}
        finding = self.send(spool_dir, within=3.0)
        assert finding.level is doctor.Level.ERROR
        assert "were stored, but not taken by sentry" in finding.message
        assert not Series.objects.filter(name="qaprod.doctor").exists()
        guard.take()

    def send(self, path: Path, within: float = 60.0) -> doctor.Finding:
        with pytest.MonkeyPatch.context() as patch:
            # The thread of this process has another connection, which sees nothing of a test's transaction.
            patch.setattr(process, "submit", lambda record: append(path, record))
            return doctor.send_test(within=within)

    def test_a_sink_that_cannot_be_imported(self, spool_dir: Path, settings: Any) -> None:
        settings.QAPROD = {**settings.QAPROD, "SINKS": ["jobs.sinks.Missing"]}
        assert "jobs.sinks.Missing cannot be imported" in self.errors("sinks")
        guard.take()

    def test_no_sinks_at_all(self, spool_dir: Path, settings: Any) -> None:
        settings.QAPROD = {**settings.QAPROD, "SINKS": []}
        assert "nothing is stored" in self.errors("sinks")

    def test_a_spool_that_nobody_drains(self, spool_dir: Path) -> None:
        append(spool_dir, failure())
        assert "wait for the sink database, and nothing moves" in self.errors("drainer")
        assert self.sinks() == []

    def test_a_sink_to_which_nothing_was_carried_is_not_called_well(self, spool_dir: Path) -> None:
        (found,) = self.sinks()
        assert found.level is doctor.Level.UNKNOWN
        assert "not yet reported" in found.message
        status, out, _ = run("qaprod_doctor")
        assert (status, "unknown  sinks " in out) == (0, True)

    def test_a_sink_is_well_as_of_a_time(self, spool_dir: Path) -> None:
        append(spool_dir, failure())
        drainer.drain_now()
        with time_machine.travel(clock.now() + timedelta(hours=3), tick=False):
            (found,) = self.sinks()
            now = clock.now()
        assert found.level is doctor.Level.OK
        moved = clock.moment((spool_dir / drainer.CURSORS_NAME).stat().st_mtime)
        assert f"nothing waits for it, as of {now:%H:%M:%S}; " in found.message
        assert f"carried last at {moved:%Y-%m-%d %H:%M:%S}." in found.message

    def test_a_sink_that_takes_nothing_is_not_called_well_before_it_has_said_so(
        self, spool_dir: Path, settings: Any
    ) -> None:
        settings.QAPROD = {**settings.QAPROD, "SINKS": [*conf.sink_paths(), f"{__name__}.Down"]}
        append(spool_dir, failure())
        drainer.drain_now()
        guard.take()
        # Its machine's drainer lives, and has nothing more to carry but to it.
        lock = filelock.acquire(spool_dir / drainer.LOCK_NAME)
        assert lock is not None
        try:
            well, down = self.sinks()
        finally:
            filelock.release(lock)
        assert (well.level, down.level) == (doctor.Level.OK, doctor.Level.ERROR)
        assert "database" in well.message
        assert "wait for the sink down, and it takes nothing" in down.message

    def test_a_sink_that_has_just_told_of_trouble_is_not_called_well(self, spool_dir: Path) -> None:
        append(spool_dir, failure())
        drainer.drain_now()
        known = {"host": process.host(), "errors": 1, "dropped": 2, "last_error": "E: no"}
        Health.objects.create(part="sink.database.flush", at=clock.now(), **known)
        Health.objects.create(part="sink.databases", at=clock.now(), **known)
        (found,) = self.sinks()
        assert found.level is doctor.Level.WARNING
        assert "1 error, 2 dropped so far, reported at " in found.message
        Health.objects.filter(part="sink.database.flush").update(at=clock.now() - timedelta(minutes=10))
        assert [one.level for one in self.sinks()] == [doctor.Level.OK]

    def test_without_a_directory_nobody_can_tell(self, spool_dir: Path, settings: Any) -> None:
        settings.QAPROD = {"SPOOL_DIR": "/dev/null/nowhere"}
        spool.forget_directory()
        (found,) = self.sinks()
        assert found.level is doctor.Level.UNKNOWN

    def test_a_sink_that_cannot_be_made(self, spool_dir: Path, settings: Any) -> None:
        settings.QAPROD = {**settings.QAPROD, "SINKS": [f"{__name__}.Unmade"]}
        assert "Unmade cannot be made" in self.errors("sinks")
        guard.take()

    def test_the_sinks_are_seen_with_the_database_dead(
        self, spool_dir: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        append(spool_dir, failure())
        drainer.drain_now()

        def refuse(since: object) -> None:
            raise OperationalError("gone")

        monkeypatch.setattr("django_qaprod.queries.health.troubles", refuse)
        assert [one.level for one in self.sinks()] == [doctor.Level.OK]

    def sinks(self) -> list[doctor.Finding]:
        return [one for one in doctor.examine() if one.part == "sinks"]

    def test_a_spool_that_is_full(self, spool_dir: Path, settings: Any) -> None:
        append(spool_dir, failure())
        settings.QAPROD = {**settings.QAPROD, "SPOOL_MAX_BYTES": 10}
        assert "full" in self.errors("spool")

    def test_a_job_that_fails(self, spool_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("django_qaprod.store.rollups.roll_up", lambda: 1 / 0)
        run("qaprod_tick")
        guard.take()
        assert "roll_up failed" in self.errors("worker")

    @pytest.mark.parametrize(
        ("keys", "debug", "served", "words"),
        [
            ([kept.KEY], False, True, "ok       rescue      There are keys"),
            ([], False, True, "warning  rescue      QAPROD['RESCUE_KEYS'] has no key"),
            ([], False, False, "ok       rescue      There are no keys, and no view"),
            ([], True, True, "ok       rescue      Without QAPROD['RESCUE_KEYS'] the key is derived"),
        ],
    )
    def test_keys_that_a_view_needs(
        self, spool_dir: Path, settings: Any, keys: list[str], debug: bool, served: bool, words: str
    ) -> None:
        settings.QAPROD = {**settings.QAPROD, "RESCUE_KEYS": keys}
        settings.DEBUG = debug
        if served:
            settings.ROOT_URLCONF = "tests.forms.serving.host"
        _, out, _ = run("qaprod_doctor")
        assert words in out
        assert ("Make one: python -c" in out) == words.startswith("warning")

    def test_who_has_the_lease_may_have_died_since(self, spool_dir: Path) -> None:
        until = clock.now() + timedelta(minutes=1)
        Lease.objects.update_or_create(name="worker", defaults={"holder": "web-1:7", "expires_at": until})
        assert f"web-1:7 has the lease until {until:%H:%M:%S}." in run("qaprod_doctor")[1]

    def test_tables_that_are_missing(self, spool_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(
            "django.db.backends.base.introspection.BaseDatabaseIntrospection.table_names", lambda self: []
        )
        assert "missing" in self.errors("tables")

    def errors(self, part: str) -> str:
        found = [one for one in doctor.examine() if one.part == part and one.level is doctor.Level.ERROR]
        return "\n".join(one.message for one in found)

    def test_an_error_is_its_exit_status(self, spool_dir: Path, settings: Any) -> None:
        settings.QAPROD = {**settings.QAPROD, "SINKS": []}
        assert run("qaprod_doctor")[0] == 1


@pytest.fixture
def project(tmp_path: Path) -> dict[str, str]:
    """The environment of a project in processes of its own, with databases in files."""
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tests.project.settings",
        "QAPROD_TEST_DB": "sqlite",
        "QAPROD_TEST_SQLITE": str(tmp_path / "db.sqlite3"),
    }
    manage(environment, "migrate", "-v0").communicate(timeout=120)
    return environment


def manage(environment: dict[str, str], *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", "django", *arguments],
        env=environment,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_the_worker_tells_whether_it_drains(spool_dir: Path) -> None:
    stop = threading.Event()
    stop.set()
    spool_dir.mkdir(exist_ok=True, mode=0o700)
    lock = filelock.acquire(spool_dir / drainer.LOCK_NAME)
    assert lock is not None
    said: list[str] = []
    service.Service(say=said.append, verbose=False).run(stop)
    filelock.release(lock)
    service.Service(say=said.append, verbose=False).run(stop)
    assert said == [f"Another process drains {spool_dir}; waiting.", f"Draining {spool_dir}."]


@pytest.mark.slow
class TestWorkerProcess:
    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
    def test_it_works_and_stops_gracefully(
        self, project: dict[str, str], tmp_path: Path, number: int
    ) -> None:
        import sqlite3

        child = manage(project, "qaprod_worker", "-v2")
        try:
            store = tmp_path / "db-qaprod.sqlite3"

            def worked() -> bool:
                with sqlite3.connect(store) as connection:
                    names = connection.execute(
                        "SELECT name FROM qaprod_jobrun WHERE succeeded_at IS NOT NULL"
                    )
                    return ("prune_events",) in names.fetchall()

            wait_until(worked)
            child.send_signal(number)
            _, err = child.communicate(timeout=120)
        finally:
            child.kill()
        assert child.returncode == 0, err
        assert "Draining" in err
        assert "roll_up:" in err
        assert "Stopped." in err
        with sqlite3.connect(store) as connection:
            assert connection.execute("SELECT holder FROM qaprod_lease").fetchall() == [("",)]

    def test_once_ends_by_itself(self, project: dict[str, str]) -> None:
        child = manage(project, "qaprod_worker", "--once")
        _, err = child.communicate(timeout=120)
        assert child.returncode == 0, err
        assert "Stored 0 records." in err

    def test_a_test_goes_the_whole_way_in_a_real_process(self, project: dict[str, str]) -> None:
        child = manage(project, "qaprod_doctor", "--send-test")
        out, err = child.communicate(timeout=120)
        assert child.returncode == 0, out + err
        assert "went the whole way" in out


@database
class TestSubmissions:
    @pytest.fixture(autouse=True)
    def _keys(self, spool_dir: Path, settings: Any) -> None:
        settings.QAPROD = {**settings.QAPROD, "RESCUE_KEYS": [kept.KEY]}

    def lines(self) -> list[str]:
        return [line for line in run("qaprod_doctor")[1].splitlines() if "ubmissions" in line]

    def test_the_doctor_says_what_waits(self, spool_dir: Path) -> None:
        assert any("No rescued submission waits" in line for line in run("qaprod_doctor")[1].splitlines())
        kept.stored("a", at=time.time() - 85 * 86400)
        waiting.write(spool_dir, kept.new("b"))
        aside = spool_dir / "submissions" / "unreadable"
        aside.mkdir()
        (aside / "x.submission").write_bytes(b"x")
        said = "\n".join(self.lines())
        assert "Rescued submissions that wait: 1, the oldest since" in said
        assert "Of those that wait, 1 will be deleted within 7 days" in run("qaprod_doctor")[1]
        assert "Rescued submissions in the spool: 1, the oldest since" in said
        assert "Rescued submissions in the spool that cannot be read: 1." in said

    def test_the_doctor_says_when_no_more_may_wait(self, settings: Any) -> None:
        kept.stored("a")
        settings.QAPROD = {**settings.QAPROD, "MAX_ROWS": {"submissions": 2}}
        assert "As many wait as may" not in run("qaprod_doctor")[1]
        kept.stored("b")
        code, said, _ = run("qaprod_doctor")
        assert code == 1
        assert "As many wait as may, 2: what is sent now is not kept." in said

    def test_the_doctor_sees_the_files_with_the_database_dead(
        self, spool_dir: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        waiting.write(spool_dir, kept.new())

        def refuse() -> None:
            raise OperationalError("gone")

        monkeypatch.setattr(submissions, "oldest_waiting", refuse)
        assert "Rescued submissions in the spool: 1" in "\n".join(self.lines())

    def test_keys_change_in_three_steps(self, spool_dir: Path, settings: Any) -> None:
        fresh, lost = (Fernet.generate_key().decode() for _ in range(2))
        ids = [kept.stored(key) for key in "abc"]
        waiting.write(spool_dir, kept.new("d"))
        settings.QAPROD = {**settings.QAPROD, "RESCUE_KEYS": [fresh, kept.KEY]}
        status, out, _ = run("qaprod_rotate_keys", "--batch", "2")
        assert (status, "Encrypted anew: 4." in out) == (0, True)
        assert "Had the first key already: 4." in run("qaprod_rotate_keys")[1]
        settings.QAPROD = {**settings.QAPROD, "RESCUE_KEYS": [fresh]}
        assert waiting.collect(spool_dir) == 1
        for rescued in RescuedSubmission.objects.all():
            assert submissions.opened(rescued, who="ada") == kept.sent()
        settings.QAPROD = {**settings.QAPROD, "RESCUE_KEYS": [lost]}
        with pytest.raises(CommandError, match="4 cannot be read") as refused:
            run("qaprod_rotate_keys")
        assert ids[0] in str(refused.value)
        submissions.discard(RescuedSubmission.objects.values_list("pk", flat=True), who="ada", reason="lost")
        assert run("qaprod_rotate_keys")[0] == 0

    def test_without_keys_there_is_nothing_to_change_to(self, settings: Any) -> None:
        kept.stored()
        settings.QAPROD = {**settings.QAPROD, "RESCUE_KEYS": []}
        with pytest.raises(CommandError, match="RESCUE_KEYS"):
            run("qaprod_rotate_keys")


def test_the_commands_say_what_they_are_for() -> None:
    for name in ("qaprod_worker", "qaprod_tick", "qaprod_doctor", "qaprod_deploy", "qaprod_rotate_keys"):
        from django.core.management import load_command_class

        assert load_command_class("django_qaprod", name).help.endswith(".")
