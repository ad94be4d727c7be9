"""What a process takes is read by itself, in few series, and never where it would be in the way."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.db import connections
from django.db.backends.signals import connection_created

from django_qaprod import metrics
from django_qaprod.conf import settings as qaprod_settings
from django_qaprod.gauges import open_connections, resources
from django_qaprod.gauges.resources import EVERY, Read, Reader
from django_qaprod.gauges.standing import Standing
from django_qaprod.pipeline import drainer, numbers, process, spool
from django_qaprod.records import Cell

ROOT = Path(__file__).parents[2]

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    numbers.take()
    monkeypatch.setattr(resources, "_reader", None)
    monkeypatch.setattr(resources, "_spool_read_at", -EVERY)


def in_thread(function: Callable[[], object], *, name: str = "qaprod") -> tuple[Cell, ...]:
    """Call a function in a thread of that name; return what was counted."""
    thread = threading.Thread(target=function, name=name)
    thread.start()
    thread.join()
    return numbers.take()


@on_linux
def test_a_process_reads_itself_and_its_container() -> None:
    reader = Reader()
    list(reader.read())
    found = {read.name: read for read in reader.read()}
    assert set(found) >= {
        metrics.CPU, metrics.MEMORY, metrics.THREADS, metrics.FILES, metrics.BUFFER, metrics.MEMORY_SHARE,
    }  # fmt: skip
    assert 0 <= found[metrics.CPU].value <= 1.01
    assert 5e6 < found[metrics.MEMORY].value < 5e9
    # There may be some that Python knows nothing of.
    assert found[metrics.THREADS].value >= threading.active_count()
    assert 3 <= found[metrics.FILES].value < 10_000
    assert 0 < found[metrics.MEMORY_SHARE].value <= 1
    assert not found[metrics.MEMORY_SHARE].of_process
    assert found[metrics.CPU].of_process


@on_linux
def test_open_files_are_a_share_of_their_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("resource.getrlimit", lambda which: (1000, 1000))
    found = {read.name: read.value for read in Reader().read()}
    assert found[metrics.FILES_SHARE] == found[metrics.FILES] / 1000
    monkeypatch.setattr("resource.getrlimit", lambda which: (-1, -1))
    assert metrics.FILES_SHARE not in {read.name for read in Reader().read()}


def test_nothing_is_read_on_a_platform_without_proc(tmp_path: Path) -> None:
    assert list(Reader(tmp_path).read()) == []


@on_linux
def test_series_know_the_machine_and_the_role_and_no_process_id() -> None:
    cells = in_thread(resources.read_process)
    assert cells
    for cell in cells:
        attributes = dict(cell.attributes)
        assert attributes.pop("host.name") == process.host()
        assert set(attributes) <= {"qaprod.role", "qaprod.database"}
        assert (cell.gauge, cell.unit) == (True, metrics.UNITS[cell.name])
        assert str(os.getpid()) not in cell.label
    (share,) = [cell for cell in cells if cell.name == metrics.MEMORY_SHARE]
    assert share.label == process.host(), "of the machine, whatever runs there"


@on_linux
def test_it_reads_itself_at_a_modest_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(resources, "monotonic", lambda: now[0])
    read = []
    for _ in range(25):
        read.append(bool(in_thread(resources.read_process)))
        now[0] += numbers.FLUSH_EVERY
    assert read[:7] == [True, False, False, True, False, False, True]


@pytest.mark.parametrize("name", ["MainThread", "Thread-1", "gunicorn"])
def test_nothing_is_read_in_a_request_or_a_test(name: str, tmp_path: Path) -> None:
    assert in_thread(resources.read_process, name=name) == ()
    assert in_thread(lambda: resources.read_spool(tmp_path), name=name) == ()


def test_how_full_the_spool_is(tmp_path: Path, settings: Any) -> None:
    settings.QAPROD = {"SPOOL_MAX_BYTES": 1000}
    (tmp_path / f"a{spool.SUFFIX}").write_bytes(b"x" * 150)
    (tmp_path / f"b{spool.SUFFIX}").write_bytes(b"x" * 100)
    found = {cell.name: cell for cell in in_thread(lambda: resources.read_spool(tmp_path))}
    cell = found.pop(metrics.SPOOL)
    assert (cell.total, cell.label) == (0.25, process.host())
    disk = found.pop(metrics.DISK)
    assert 0 < disk.total < 1
    assert disk.label == process.host()
    assert found == {}
    assert in_thread(lambda: resources.read_spool(tmp_path)) == (), "not at each pass"


def test_sinks_that_take_nothing_are_told_by_how_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not while they go on, nor when nothing waits; and never the database's, which could not be told."""
    now, sizes, took = [1000.0], {"a": 100}, {"sentry": {"a": 40}, "statsd": {"a": 100}, "database": {"a": 0}}
    monkeypatch.setattr(resources, "monotonic", lambda: now[0])
    monkeypatch.setattr(resources, "_standing", Standing())

    def look(after: float) -> dict[str, float]:
        now[0] += after
        for name, size in sizes.items():
            (tmp_path / f"{name}{spool.SUFFIX}").write_bytes(b"x" * size)
        (tmp_path / drainer.CURSORS_NAME).write_text(json.dumps(took))
        cells = in_thread(lambda: resources.read_spool(tmp_path))
        return {cell.label.rpartition(" ")[2]: cell.total for cell in cells if cell.name == metrics.SINK_LAG}

    assert look(0) == {"sentry": 0, "statsd": 0}
    assert look(15) == {"sentry": 15, "statsd": 0}
    sizes["b"] = 50
    took["statsd"]["b"] = 20
    assert look(15) == {"sentry": 30, "statsd": 0}
    took["statsd"]["b"] = 30
    assert look(15) == {"sentry": 45, "statsd": 0}
    assert look(15) == {"sentry": 60, "statsd": 15}
    took["sentry"]["a"] = 41
    assert look(15) == {"sentry": 0, "statsd": 30}
    (tmp_path / drainer.CURSORS_NAME).write_text("damaged")


@on_linux
def test_how_full_memory_is_that_serves_as_the_spool(monkeypatch: pytest.MonkeyPatch) -> None:
    assert metrics.SPOOL not in {read.name for read in Reader().read()}
    memory = spool.MemorySpool()
    memory.append(b"x" * (spool.MEMORY_MAX_BYTES // 4))
    monkeypatch.setattr(process._state, "spool", memory)
    assert Read(metrics.SPOOL, 0.25) in list(Reader().read())


def test_how_full_the_buffers_are(settings: Any) -> None:
    settings.QAPROD = {"MAX_SERIES": 10}
    numbers.reset_after_fork()
    assert numbers.fill() == 0
    for number in range(4):
        numbers.count("a", str(number))
    assert numbers.fill() == 0.4
    for number in range(40):
        numbers.request((str(number), "GET", 200, "ok", ""), 0.1)
    assert numbers.fill() == 0.8
    numbers.reset_after_fork()


@pytest.mark.parametrize(
    ("arguments", "role"),
    [
        (["/srv/venv/bin/gunicorn", "mysite.wsgi"], "gunicorn"),
        (["/srv/venv/lib/gunicorn/__main__.py", "mysite.wsgi"], "gunicorn"),
        (["manage.py", "qaprod_worker", "--verbosity", "2"], "qaprod_worker"),
        (["/usr/bin/celery", "-A", "secret", "worker"], "celery"),
        (["serve.py"], "serve"),
        ([""], "python"),
        ([], "python"),
        (["/srv/" + "x" * 300], "x" * 39 + "…"),
    ],
)
def test_a_role_is_the_command_without_its_arguments(
    arguments: list[str], role: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", arguments)
    resources.role.cache_clear()
    assert resources.role() == role
    resources.role.cache_clear()


class Wrapper:
    """A connection as Django keeps one in each thread."""

    def __init__(self, alias: str) -> None:
        self.alias = alias
        self.connection: object | None = object()


@pytest.fixture
def _no_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(open_connections, "_seen", {})


@pytest.mark.usefixtures("_no_connections")
class TestConnections:
    def connect(self, alias: str = "default") -> Wrapper:
        wrapper = Wrapper(alias)
        connection_created.send(Wrapper, connection=wrapper)
        return wrapper

    def test_those_of_all_threads_are_counted_by_database(self) -> None:
        kept: list[Wrapper] = []
        threads = [threading.Thread(target=lambda: kept.append(self.connect())) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        kept.append(self.connect("reports"))
        assert open_connections.count() == {"default": 3, "reports": 1}

    def test_closed_and_forgotten_ones_are_not(self) -> None:
        first, second = self.connect(), self.connect()
        connection_created.send(Wrapper, connection=first)
        assert open_connections.count() == {"default": 2}, "connected again, counted once"
        first.connection = None
        assert open_connections.count() == {"default": 1}
        del second
        assert open_connections.count() == {}
        assert len(open_connections._seen) == 1

    @on_linux
    def test_they_are_a_gauge_for_each_database(self) -> None:
        kept = [self.connect(), self.connect("reports")]
        cells = {
            cell.label: cell for cell in in_thread(resources.read_process) if cell.name == metrics.CONNECTIONS
        }
        assert [dict(cell.attributes)["qaprod.database"] for cell in cells.values()] == ["default", "reports"]
        assert len(cells) == len(kept)

    @pytest.mark.django_db
    def test_django_tells_of_its_own(self) -> None:
        wrapper = connections["default"]
        connection_created.send(type(wrapper), connection=wrapper)
        assert open_connections.count() == {"default": 1}


PRELUDE = """
import os, pathlib, sys, time
from django.conf import settings
settings.configure(
    DATABASES={{"default": {{"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}}},
    INSTALLED_APPS=["django_qaprod"],
    QAPROD={{"SPOOL_DIR": {spool!r}, "SINKS": [], **{changes!r}}},
)
import django
django.setup()
from django_qaprod.pipeline import numbers, process

def told():
    lines = [line for path in pathlib.Path({spool!r}).glob("*.segment") for line in path.open()]
    return [line for line in lines if "process.memory.usage" in line]

def wait_until(condition):
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)
"""


def run(directory: Path, script: str, **changes: Any) -> str:
    prelude = PRELUDE.format(spool=str(directory / "spool"), changes=changes)
    done = subprocess.run(
        [sys.executable, "-c", prelude + textwrap.dedent(script)],
        cwd=ROOT, check=True, timeout=120, capture_output=True, text=True,
    )  # fmt: skip
    return done.stdout


@on_linux
def test_each_process_reads_itself_after_a_fork_too(tmp_path: Path) -> None:
    script = """
    numbers.FLUSH_EVERY = process.numbers.FLUSH_EVERY = 0.2
    process.IMPORT_AFTER = 0
    process.tick(time.perf_counter())
    wait_until(told)
    if not os.fork():
        process.tick(time.perf_counter())
        wait_until(lambda: any(f'"process":"{os.getpid()}"' in line for line in told()))
        os._exit(0)
    assert os.wait()[1] == 0
    print("both")
    """
    assert run(tmp_path, script) == "both\n"


@on_linux
def test_off_it_reads_nothing_and_imports_nothing(tmp_path: Path) -> None:
    script = """
    import json
    from django_qaprod.pipeline import hooks
    print(json.dumps([len(hooks.before_flush), "django_qaprod.gauges.resources" in sys.modules]))
    """
    assert json.loads(run(tmp_path, script, RESOURCE_GAUGES=False)) == [0, False]
    assert json.loads(run(tmp_path, script)) == [1, False], "no earlier than there is something to flush"


def test_it_is_on_by_default() -> None:
    assert qaprod_settings().resource_gauges
