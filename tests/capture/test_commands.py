from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.management.base import CommandError

from django_qaprod import context
from django_qaprod.capture import commands
from django_qaprod.testing import Records


@pytest.fixture
def hooks(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The hooks that were there before ours, which write down what they were given."""
    called: list[str] = []
    monkeypatch.setattr(sys, "excepthook", lambda *args: called.append(repr(args[1])))
    monkeypatch.setattr(threading, "excepthook", lambda args: called.append(repr(args.exc_value)))
    commands.install()
    return iter([called])  # type: ignore[return-value]


@pytest.fixture
def called(hooks: Iterator[list[str]]) -> list[str]:
    return next(hooks)


def uncaught(error: BaseException) -> None:
    sys.excepthook(type(error), error, error.__traceback__)


@pytest.mark.parametrize(
    ("argv", "name"),
    [
        (["manage.py", "import_jobs", "--password=x"], "import_jobs"),
        (["/srv/app/manage.py", "import_jobs"], "import_jobs"),
        (["/usr/bin/django-admin", "migrate"], "migrate"),
        (["/x/site-packages/django/__main__.py", "migrate"], "migrate"),
        (["/x/site-packages/pytest/__main__.py", "tests"], ""),
        (["manage.py"], ""),
        (["manage.py", "--help"], ""),
        (["gunicorn", "app.wsgi"], ""),
        ([""], ""),
        ([], ""),
    ],
)
def test_a_command_is_known_by_its_name_without_arguments(
    monkeypatch: pytest.MonkeyPatch, argv: list[str], name: str
) -> None:
    monkeypatch.setattr(sys, "argv", argv)
    assert commands.management_command() == name


def test_a_command_that_fails_is_a_failure(
    records: Records, called: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["manage.py", "import_jobs", "secret"])
    uncaught(ValueError("no file"))
    (failure,) = records.failures
    assert (failure.kind, failure.name, failure.message) == ("command", "import_jobs", "no file")
    assert called == ["ValueError('no file')"]


@pytest.mark.parametrize("argv", [["/srv/nightly.py"], ["manage.py", "shell"], ["/venv/bin/pytest", "tests"]])
def test_what_a_person_runs_shows_its_errors_to_that_person(
    records: Records, called: list[str], monkeypatch: pytest.MonkeyPatch, argv: list[str]
) -> None:
    monkeypatch.setattr(sys, "argv", argv)
    uncaught(ValueError("no file"))
    assert not records.failures
    assert called


@pytest.mark.parametrize("error", [CommandError("no"), KeyboardInterrupt(), SystemExit(3)])
def test_saying_no_and_being_stopped_are_no_failures(
    records: Records, called: list[str], monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    monkeypatch.setattr(sys, "argv", ["manage.py", "import_jobs"])
    uncaught(error)
    assert not records.failures
    assert called


def test_a_thread_that_fails_is_a_failure(records: Records, called: list[str]) -> None:
    def fail() -> None:
        raise ValueError("in a thread")

    thread = threading.Thread(target=fail, name="importer-7")
    thread.start()
    thread.join()
    (failure,) = records.failures
    assert (failure.kind, failure.name) == ("unhandled", "importer")
    assert called == ["ValueError('in a thread')"]


def test_a_thread_of_our_own_is_not(records: Records, called: list[str]) -> None:
    def fail() -> None:
        raise ValueError("in a thread")

    thread = threading.Thread(target=fail, name="qaprod")
    thread.start()
    thread.join()
    assert not records.failures
    assert called


def test_hooks_are_chained_once_and_taken_back(called: list[str]) -> None:
    commands.install()
    uncaught(ValueError())
    assert len(called) == 1
    commands.uninstall()
    assert not commands._is_ours(sys.excepthook)
    assert not commands._is_ours(threading.excepthook)


def test_what_a_command_logs_carries_its_name(
    records: Records, called: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import contextvars
    import logging

    monkeypatch.setattr(sys, "argv", ["manage.py", "import_jobs"])

    def run() -> None:
        commands.install()
        current = context.current()
        assert current is not None
        assert (current.kind, current.name) == ("command", "import_jobs")
        logging.getLogger("jobs").warning("half way")
        logging.getLogger("jobs").error("no file")

    contextvars.copy_context().run(run)
    (failure,) = records.failures
    assert failure.name == "import_jobs"
    assert [line.message for line in failure.lines] == ["half way"]


def test_a_server_is_no_command_of_its_own(called: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["manage.py", "runserver"])
    commands.install()
    assert context.current() is None


def test_a_real_command_that_fails_is_in_the_spool(tmp_path: Path) -> None:
    """The whole way: ``manage.py``, Python's hook, a line in a segment."""
    (tmp_path / "app/management/commands").mkdir(parents=True)
    (tmp_path / "app/management/commands/explode.py").write_text(
        "from django.core.management.base import BaseCommand\n"
        "class Command(BaseCommand):\n"
        "    def add_arguments(self, parser): parser.add_argument('--key')\n"
        "    def handle(self, **options): raise ValueError('in a command')\n"
    )
    (tmp_path / "settings.py").write_text(
        "INSTALLED_APPS = ['django.contrib.contenttypes', 'django.contrib.auth', 'django_qaprod', 'app']\n"
        "DATABASES = {'default': {'ENGINE': 'django.db.backends.sqlite3', 'NAME': 'db.sqlite3'}}\n"
        f"QAPROD = {{'SPOOL_DIR': {str(tmp_path / 'spool')!r}}}\n"
    )
    (tmp_path / "manage.py").write_text(
        "import os, sys\nos.environ['DJANGO_SETTINGS_MODULE'] = 'settings'\n"
        f"sys.path[:0] = [{str(Path(__file__).parents[2])!r}]\n"
        "from django.core.management import execute_from_command_line\nexecute_from_command_line(sys.argv)\n"
    )
    done = subprocess.run(
        [sys.executable, "manage.py", "explode", "--key=hunter2"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "ValueError: in a command" in done.stderr
    spooled = b"".join(path.read_bytes() for path in (tmp_path / "spool").rglob("*") if path.is_file())
    assert b'"kind":"command"' in spooled
    assert b'"name":"explode"' in spooled
    assert b"hunter2" not in spooled
