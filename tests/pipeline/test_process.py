"""A process that forks, dies, has no disk or hangs at its end loses and doubles nothing that was promised."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from django.test import utils as test_utils
from pytest_django import Settings

from django_qaprod.pipeline import guard, numbers, process, spool
from django_qaprod.records import EventRecord, HealthRecord, NumbersRecord, Record, encode, new_id

ROOT = Path(__file__).parents[2]

PRELUDE = """
import os, pathlib, sys, threading, time
from django.conf import settings
settings.configure(
    DATABASES={{"default": {{"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}}},
    QAPROD={{"SPOOL_DIR": {spool!r}, "SINKS": ["tests.pipeline.file_sink.{sink}"], "RELEASE": {out!r}}},
)
import django
django.setup()
from django_qaprod.pipeline import hooks, numbers, process, spool
from django_qaprod.records import EventRecord, new_id
# What a busy machine may take for what another does in two seconds.
process.EXIT_WITHIN = {within!r}

def record(subject):
    process.submit(EventRecord(id=new_id(), at=time.time(), journey="j", step="s", subject=subject))

def wait_until(condition):
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)
"""


def run(tmp_path: Path, script: str, *, sink: str = "FileSink", timeout: float = 120) -> list[str]:
    """Run a script in a process of its own; return the words that reached its sink."""
    out = tmp_path / "out"
    within = process.EXIT_WITHIN if sink == "HangingSink" else 60.0
    prelude = PRELUDE.format(spool=str(tmp_path / "spool"), sink=sink, out=str(out), within=within)
    subprocess.run(
        [sys.executable, "-c", prelude + textwrap.dedent(script)], cwd=ROOT, check=True, timeout=timeout
    )
    return out.read_text().split() if out.exists() else []


def event(subject: str) -> EventRecord:
    return EventRecord(id=new_id(), at=1.0, journey="j", step="s", subject=subject)


def test_what_is_recorded_reaches_the_sinks_by_itself(tmp_path: Path) -> None:
    script = """
    record("a")
    wait_until(pathlib.Path(settings.QAPROD["RELEASE"]).exists)
    """
    assert run(tmp_path, script) == ["a"]


def test_a_process_that_ends_drains_what_it_can(tmp_path: Path) -> None:
    script = """
    record("a")
    numbers.count("counted", "x", n=3)
    """
    assert run(tmp_path, script) == ["a", "counted=3"]


def test_a_killed_process_leaves_its_records_to_the_next(tmp_path: Path) -> None:
    assert run(tmp_path, 'record("a"); os.fork() or os._exit(0); os.wait(); os._exit(0)') == []
    assert run(tmp_path, 'record("b")') == ["a", "b"]


def test_a_forked_child_records_for_itself_and_repeats_nothing_of_its_parent(tmp_path: Path) -> None:
    script = """
    record("parent")
    numbers.count("counted", "x", n=1)
    wait_until(lambda: process.status().draining)
    if os.fork() == 0:
        assert not process.status().thread_alive
        record("child")
        numbers.count("counted", "x", n=10)
        wait_until(lambda: process.status().thread_alive)
        sys.exit()
    os.wait()
    """
    assert sorted(run(tmp_path, script)) == ["child", "counted=1", "counted=10", "parent"]


def test_a_fork_in_the_middle_of_an_append_does_not_hang_the_child(tmp_path: Path) -> None:
    script = """
    record("parent")
    process._state.spool._lock.acquire()
    process._state.lock.acquire()
    if os.fork() == 0:
        record("child")
        sys.exit()
    process._state.lock.release()
    process._state.spool._lock.release()
    assert os.wait()[1] == 0
    """
    assert sorted(run(tmp_path, script)) == ["child", "parent"]


def test_a_fork_in_the_middle_of_our_imports_does_not_hang_the_child(tmp_path: Path) -> None:
    script = """
    import importlib.abc, threading

    importing = threading.Event()

    class Slow(importlib.abc.MetaPathFinder):
        def find_spec(self, name, path, target=None):
            if name == "django_qaprod.pipeline.frames":  # in the middle of the import of ``failures``
                importing.set()
                time.sleep(1)

    sys.meta_path.insert(0, Slow())
    process.IMPORT_AFTER = 0
    record("parent")
    assert importing.wait(60)
    if os.fork() == 0:
        from django_qaprod.pipeline import failures
        record("child")
        sys.exit()
    assert os.wait()[1] == 0
    """
    assert sorted(run(tmp_path, script)) == ["child", "parent"]


def test_a_server_that_skips_fork_hooks_is_noticed_by_the_process_id(tmp_path: Path) -> None:
    script = """
    record("parent")
    process._state.pid = -1  # what a child sees whose hooks were not called
    record("child")
    """
    assert sorted(run(tmp_path, script)) == ["child", "parent"]


def test_exit_does_not_wait_for_a_sink_that_hangs(tmp_path: Path) -> None:
    script = """
    record("a")
    wait_until(lambda: process.status().draining)
    started = time.monotonic()
    process.shut_down(within=0.2)
    assert time.monotonic() - started < 30
    """
    assert run(tmp_path, script, sink="HangingSink") == []


def test_exit_waits_until_a_neighbour_has_let_go(tmp_path: Path) -> None:
    """The worker gives back its lease: whoever asks who works is not told of a process that is gone."""
    script = """
    def neighbour(stop):
        stop.wait()
        time.sleep(0.1)
        pathlib.Path(settings.QAPROD["RELEASE"]).with_name("let-go").touch()
    hooks.neighbours[:] = [neighbour]
    record("a")
    wait_until(lambda: process.status().draining)
    """
    run(tmp_path, script)
    assert (tmp_path / "let-go").exists()


def test_what_is_being_served_is_not_handed_on_to_our_threads(tmp_path: Path) -> None:
    """A tracer copies its scope into each thread that begins; ours would keep a visitor's for good."""
    script = """
    import contextvars
    visitor = contextvars.ContextVar("visitor", default="nobody")
    seen, start = [], threading.Thread.start
    def starting(thread):
        seen.append((thread.name, visitor.get()))
        start(thread)
    threading.Thread.start = starting
    hooks.neighbours[:] = [lambda stop: None]
    visitor.set("ada")
    record("a")
    wait_until(lambda: "qaprod-sink" in dict(seen) and "qaprod-neighbour" in dict(seen))
    pathlib.Path(settings.QAPROD["RELEASE"]).with_name("seen").write_text(repr(dict(seen)))
    """
    run(tmp_path, script)
    seen = (tmp_path / "seen").read_text()
    assert "'qaprod': 'nobody'" in seen
    assert "ada" not in seen


def test_without_a_directory_memory_serves(tmp_path: Path) -> None:
    (tmp_path / "spool").write_text("a file where the directory should be")
    script = """
    record("a")
    wait_until(pathlib.Path(settings.QAPROD["RELEASE"]).exists)
    """
    assert run(tmp_path, script) == ["a"]


def test_two_processes_share_one_drainer(tmp_path: Path) -> None:
    script = """
    record("parent")
    wait_until(lambda: process.status().draining)
    if os.fork() == 0:
        record("child")
        wait_until(lambda: process.status().thread_alive)
        time.sleep(3)  # longer than the drainer's pause: had the child the lock, it would drain now
        assert not process.status().draining
        sys.exit()
    assert os.wait()[1] == 0
    wait_until(lambda: "child" in pathlib.Path(settings.QAPROD["RELEASE"]).read_text())
    """
    assert run(tmp_path, script) == ["parent", "child"]


def test_nothing_is_recorded_or_started_in_a_host_s_test_run() -> None:
    assert not process.recording()
    assert not process.status().thread_alive


def test_mails_that_are_kept_in_memory_make_no_test_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """The locmem backend makes ``mail.outbox`` as well, in a staging environment for instance."""
    monkeypatch.delattr(test_utils._TestState, "saved_data")  # type: ignore[attr-defined]
    assert hasattr(process.mail, "outbox")
    assert process.recording()


def test_a_test_run_that_begins_ends_the_thread(tmp_path: Path) -> None:
    script = """
    record("before")
    wait_until(lambda: process.status().draining)
    from django.test.utils import setup_test_environment
    setup_test_environment()
    wait_until(lambda: not process.status().thread_alive)
    record("within")
    """
    assert "within" not in run(tmp_path, script)


def test_more_series_than_fit_into_one_record_are_all_there() -> None:
    records: list[Record] = []
    with process.tapped(records):
        for number in range(1_500):
            numbers.request((f"shop/products/<int:category>/{number}/", "GET", 200, "ok", "Firefox"), 0.1)
        process.flush()
    assert all(len(encode(record)) < spool.MAX_RECORD for record in records)
    counted = [cell for record in records if isinstance(record, NumbersRecord) for cell in record.cells]
    assert len(counted) == len(set(counted)) == 3_000


def test_a_clock_that_is_set_back_stops_no_flush(tmp_path: Path) -> None:
    script = """
    real = time.time
    record("a")
    wait_until(lambda: process.status().draining)
    numbers.FLUSH_EVERY = 0.5
    time.sleep(1)
    process.time = lambda: real() - 3600
    numbers.count("counted", "x", n=3)
    wait_until(lambda: "counted" in pathlib.Path(settings.QAPROD["RELEASE"]).read_text())
    os._exit(0)
    """
    assert run(tmp_path, script) == ["a", "counted=3"]


def test_pytest_starts_nothing_before_the_test_environment_is_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delattr(process.mail, "outbox")
    monkeypatch.setattr(process, "_own_spool", lambda: pytest.fail("something is stored"))
    process.submit(event("a"))
    assert not process.status().thread_alive


def test_the_app_can_be_switched_off(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(process.mail, "outbox")
    assert process.recording()
    settings.QAPROD = {"ENABLED": False}
    assert not process.recording()


def test_a_test_can_ask_for_the_records() -> None:
    records: list[Record] = []
    with process.tapped(records):
        assert process.recording()
        assert not process.storing()
        process.submit(event("a"))
        numbers.count("counted", "x")
    assert not process.recording()
    assert isinstance(records[0], EventRecord)
    assert isinstance(records[1], NumbersRecord)


def test_a_record_that_the_spool_refuses_is_counted_and_the_host_left_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with process.in_memory():
        monkeypatch.setattr(spool, "MEMORY_MAX_BYTES", 0)
        process.submit(event("a"))
        tally = guard.take()
    assert tally is not None
    assert tally.dropped == {"spool.refused": 1}


def test_a_record_that_is_too_long_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool, "MAX_RECORD", 50)
    with process.in_memory():
        process.submit(event("a" * 100))
        tally = guard.take()
    assert tally is not None
    assert tally.dropped == {"spool.too_long": 1}


def test_what_went_wrong_inside_us_is_reported_once() -> None:
    records: list[Record] = []
    with process.tapped(records):
        guard.take()
        guard.dropped("spool.full", 2)
        process.report_health()
        process.report_health()
    [health] = records
    assert isinstance(health, HealthRecord)
    assert health.dropped == {"spool.full": 2}
    assert health.process == str(os.getpid())
