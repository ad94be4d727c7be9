"""When nothing can be stored no rule can fire: the machine tells by itself, hourly, and when it ends."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import django
import pytest
import time_machine
from django.utils import translation

from django_qaprod import alerts
from django_qaprod.alerts import channels, last_resort
from django_qaprod.alerts.channels.base import Message
from django_qaprod.alerts.last_resort import LastResort
from django_qaprod.exceptions import ChannelError, SinkUnavailableError
from django_qaprod.pipeline import drainer, hooks, process, spool
from django_qaprod.pipeline.drainer import Drainer, Standing
from django_qaprod.pipeline.feeding import Feed, Reader
from django_qaprod.records import encode
from django_qaprod.typing import Batch
from tests.alerts import catalogue
from tests.alerts.channels.mailserver import MailServer
from tests.alerts.channels.receiver import Receiver
from tests.servers import free_port, wait_until
from tests.store.make import failure

ROOT = Path(__file__).parents[2]


class Stood(Drainer):
    """A drainer that stands as it is told to."""

    def __init__(self) -> None:
        super().__init__(spool.MemorySpool(), sinks=())
        self.now = Standing(0, 0, "")

    def standing(self) -> Standing:
        return self.now

    def be(self, waiting: int, mark: int, error: str = "") -> None:
        self.now = Standing(waiting, mark, error)


class Hours:
    """A machine's last resort, and how the time goes by."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, travelling: Any) -> None:
        self.sent: list[Message] = []
        self.fails = False
        self.drainer = Stood()
        self.now = 1000.0
        self._travelling = travelling
        monkeypatch.setattr(last_resort, "monotonic", lambda: self.now)
        monkeypatch.setattr(channels, "send_apart", self._send)
        self.restart()

    def restart(self) -> None:
        """As another process that drains."""
        self.resort = LastResort(self.drainer)

    def pass_by(self, seconds: float) -> None:
        """Let time go by, looking all the while."""
        for _ in range(int(seconds / last_resort.LOOK_EVERY)):
            self.now += last_resort.LOOK_EVERY
            self._travelling.shift(last_resort.LOOK_EVERY)
            try:
                self.resort.look()
            except ChannelError:
                assert self.fails

    @property
    def kinds(self) -> list[str]:
        return [message.kind for message in self.sent]

    def _send(self, given: Any, message: Message) -> None:
        if self.fails:
            raise ChannelError("The mail server is dead, too.")
        self.sent.append(message)


@pytest.fixture
def directory(settings: Any, tmp_path: Path) -> Iterator[Path]:
    tmp_path.chmod(0o700)
    settings.QAPROD = {"SPOOL_DIR": str(tmp_path), "LAST_RESORT": {"email": "ada@example.org"}}
    spool.forget_directory()
    yield tmp_path
    spool.forget_directory()


@pytest.fixture
def hours(directory: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hours]:
    with time_machine.travel("2024-05-01T12:00:00Z", tick=False) as travelling:
        yield Hours(monkeypatch, travelling)


def test_it_is_told_after_two_minutes_in_which_nothing_moves(hours: Hours) -> None:
    hours.drainer.be(20_000, 1, "The database does not take records: OperationalError. Connection refused")
    hours.pass_by(120)
    assert hours.sent == []
    hours.pass_by(10)
    [message] = hours.sent
    assert (message.kind, message.severity) == ("last resort", "critical")
    assert message.subject == f"{process.host()} cannot store what it records: no rule can fire"
    assert "Since 2024-05-01 12:00 UTC nothing" in message.text
    assert "20 kB wait" in message.text
    assert "OperationalError. Connection refused" in message.text
    assert "up to 268 MB are kept" in message.text


def test_one_that_is_stuck_without_a_word_is_told_of(hours: Hours) -> None:
    hours.drainer.be(1, 1)
    hours.pass_by(140)
    assert "It may take connections and not answer" in hours.sent[0].text


def test_nothing_is_told_while_it_moves_or_nothing_waits(hours: Hours) -> None:
    for mark in range(50):
        hours.drainer.be(20_000, mark)
        hours.pass_by(110)
    hours.drainer.be(0, 50)
    hours.pass_by(1000)
    assert hours.sent == []


def test_an_hour_lies_between_two_messages_whoever_drains(hours: Hours) -> None:
    hours.drainer.be(20_000, 1, "dead")
    hours.pass_by(150)
    for _ in range(3):
        hours.restart()
        hours.pass_by(1000)
    assert len(hours.sent) == 1
    hours.pass_by(700)
    assert len(hours.sent) == 2


def test_the_hour_counts_from_what_was_sent(hours: Hours) -> None:
    hours.drainer.be(20_000, 1, "dead")
    hours.fails = True
    hours.pass_by(400)
    hours.fails = False
    hours.pass_by(70)
    assert len(hours.sent) == 1


def test_while_the_channel_is_dead_too_it_is_tried_once_a_minute(
    hours: Hours, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries: list[float] = []

    def refuse(*given: object) -> None:
        tries.append(hours.now)
        raise ChannelError("no")

    monkeypatch.setattr(channels, "send_apart", refuse)
    hours.fails = True
    hours.drainer.be(1, 1)
    hours.pass_by(120 + 310)
    assert [tries[place + 1] - tries[place] for place in range(len(tries) - 1)] == [60.0] * 5


def test_it_is_told_when_it_is_over_once(hours: Hours) -> None:
    hours.drainer.be(20_000, 1, "dead")
    hours.pass_by(200)
    hours.restart()
    hours.pass_by(200)
    for mark in range(2, 20):
        hours.drainer.be(1000, mark)
        hours.pass_by(10)
    assert hours.kinds == ["last resort", "resolved"]
    assert "stores again" in hours.sent[1].subject
    hours.restart()
    hours.drainer.be(1000, 21)
    hours.pass_by(10)
    hours.drainer.be(1000, 22)
    hours.pass_by(10)
    assert len(hours.sent) == 2


def test_it_is_told_in_the_language_of_the_site_whatever_is_spoken_in_the_thread(
    hours: Hours, settings: Any, tmp_path: Path
) -> None:
    words = {
        "%(host)s cannot store what it records: no rule can fire": "%(host)s speichert nicht",
        "%(host)s stores again what it records": "%(host)s speichert wieder",
    }
    catalogue.write(tmp_path / "words", "de", words)
    settings.LOCALE_PATHS, settings.LANGUAGE_CODE = [str(tmp_path / "words")], "de"
    with translation.override("en"):
        hours.drainer.be(20_000, 1, "dead")
        hours.pass_by(200)
        hours.drainer.be(0, 2)
        hours.pass_by(10)
    host = process.host()
    assert [message.subject for message in hours.sent] == [
        f"{host} speichert nicht",
        f"{host} speichert wieder",
    ]


def test_what_was_never_told_is_not_over(hours: Hours) -> None:
    hours.drainer.be(20_000, 1, "dead")
    hours.pass_by(100)
    hours.drainer.be(0, 2)
    hours.pass_by(100)
    assert hours.sent == []


def test_another_process_that_is_about_to_tell_is_let(hours: Hours, directory: Path) -> None:
    from django_qaprod.pipeline import filelock

    lock = filelock.acquire(directory / "last-resort.lock")
    assert lock is not None
    hours.drainer.be(20_000, 1, "dead")
    hours.pass_by(300)
    assert hours.sent == []
    filelock.release(lock)
    hours.pass_by(70)
    assert len(hours.sent) == 1


@pytest.mark.parametrize(
    "kept", ["", "{", "[]", '{"at": "x", "over": 1}', '{"at": 99999999999, "over": true}']
)
def test_a_damaged_file_keeps_nobody_from_being_told(kept: str, hours: Hours, directory: Path) -> None:
    (directory / last_resort.STAMP_NAME).write_text(kept)
    hours.restart()
    hours.drainer.be(20_000, 1, "dead")
    hours.pass_by(200)
    assert len(hours.sent) == 1


def test_a_file_that_cannot_be_written_does_not_make_it_a_flood(
    hours: Hours, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*given: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    hours.drainer.be(20_000, 1, "dead")
    hours.pass_by(1000)
    assert len(hours.sent) == 1


def test_without_a_directory_each_process_remembers_for_itself(
    hours: Hours, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool, "directory", lambda: None)
    hours.restart()
    hours.drainer.be(20_000, 1, "dead")
    hours.pass_by(1000)
    hours.drainer.be(0, 2)
    hours.pass_by(100)
    assert hours.kinds == ["last resort", "resolved"]


def test_it_looks_until_it_is_stopped(hours: Hours, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(last_resort, "LOOK_EVERY", 0)
    stop = threading.Event()

    def look() -> None:
        stop.set()
        raise OSError("The directory is gone.")

    monkeypatch.setattr(hours.resort, "look", look)
    hours.resort.run(stop)


@pytest.mark.parametrize("chosen", [None, {"email": "ada@example.org"}])
def test_it_watches_where_the_setting_is_set(
    chosen: Any, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hooks, "watchers", [])
    settings.QAPROD = {"LAST_RESORT": chosen}
    alerts.install()
    alerts.install()
    assert len(hooks.watchers) == (chosen is not None)


class Refusing:
    """A sink that the drainer feeds itself, and that may be dead."""

    name = "database"
    inline = True
    dead = True

    def write(self, batch: Batch) -> None:
        if Refusing.dead:
            raise SinkUnavailableError("The database does not take records.") from OSError(
                "no route to postgres://user:hunter2@db/x"
            )

    def close(self) -> None: ...


# The drainer lets go of the test's connections, where it has some.
@pytest.mark.django_db(databases="__all__")
@pytest.mark.parametrize("on_disk", [True, False])
def test_a_drainer_says_what_waits_whether_it_moves_and_why_not(
    on_disk: bool, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Refusing, "dead", True)
    line = encode(failure())
    source = spool.FileSpool(directory) if on_disk else spool.MemorySpool()
    source.append(line)
    draining = Drainer(
        directory if isinstance(source, spool.FileSpool) else source, sinks=(f"{__name__}.Refusing",)
    )
    assert draining.standing() == Standing(0, [], ""), "another one drains"
    assert draining.acquire()
    before = draining.standing()
    assert (before.waiting, before.error) == (len(line), "")
    draining.drain()
    dead = draining.standing()
    assert (dead.waiting, dead.mark) == (len(line), before.mark)
    assert dead.error.startswith("The database does not take records. no route to postgres://")
    assert "hunter2" not in dead.error
    monkeypatch.setattr(Refusing, "dead", False)
    draining._inline[0]._retry_at = 0
    draining.drain()
    well = draining.standing()
    assert (well.waiting, well.error) == (0, "")
    assert well.mark != before.mark
    draining.release()
    source.close()


def test_one_that_is_stuck_in_a_batch_is_said_to_be() -> None:
    feed = Feed(Refusing(), {}, Reader())
    assert feed.trouble() == ""
    feed.writing_since = last_resort.monotonic() - 130
    assert feed.trouble() == "database has been busy with one batch for 130 s."


def test_a_single_pass_is_not_watched(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    watched: list[Drainer] = []
    monkeypatch.setattr(hooks, "watchers", [lambda drainer, stop: watched.append(drainer)])
    drainer.drain_now()
    assert watched == []


# Real processes, a database that is dead in different ways, and a real mail server.

PRELUDE = """
import json, os, pathlib, socket, sys, threading, time
from django.conf import settings
settings.configure(INSTALLED_APPS=["django_qaprod"], SECRET_KEY="x", **json.loads(sys.argv[1]))
import django
django.setup()
from django_qaprod.alerts import last_resort
from django_qaprod.pipeline import process
from django_qaprod.records import EventRecord, new_id
# What the first try needs: time is for the database alone.
import django_qaprod.sinks.database, django_qaprod.worker.service
from django.db import connections
connections["default"]
# Long enough for a busy machine to try its database once.
last_resort.LOOK_EVERY, last_resort.AFTER, last_resort.RETRY_AFTER = 0.05, 2.0, 0.2
process.IMPORT_AFTER = 0

def record():
    process.submit(EventRecord(id=new_id(1.0), at=1.0, journey="j", step="s", subject="x"))
"""


def start(directory: Path, script: str, database: dict[str, Any], port: int, **qaprod: Any) -> Any:
    """Start a process that records; it ends with its standard input."""
    changes: dict[str, Any] = {
        "DATABASES": {"default": database},
        "QAPROD": {
            "SPOOL_DIR": str(directory / "spool"),
            "LAST_RESORT": {"email": "ada@example.org", "sender": "qa@example.org"},
            **qaprod,
        },
    }
    if django.VERSION >= (6, 1):
        changes["MAILERS"] = {"default": {"OPTIONS": {"host": "127.0.0.1", "port": port}}}
    else:
        changes |= {"EMAIL_HOST": "127.0.0.1", "EMAIL_PORT": port}
    return subprocess.Popen(
        [sys.executable, "-c", PRELUDE + textwrap.dedent(script), json.dumps(changes)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        text=True,
    )


def postgres_at(port: int) -> dict[str, Any]:
    engine = "django.db.backends.postgresql"
    return {"ENGINE": engine, "HOST": "127.0.0.1", "PORT": port, "NAME": "x", "USER": "x"}


def end(running: Any) -> None:
    running.kill()
    running.wait()
    running.stdin.close()


def subjects(mailserver: MailServer) -> list[str]:
    return [str(sent["Subject"]).removeprefix("[Django] ") for sent in mailserver.messages]


def texts(mailserver: MailServer) -> list[str]:
    bodies = [sent.get_body(("plain",)) for sent in mailserver.messages]
    return [body.get_content() for body in bodies if body is not None]


@pytest.mark.parametrize("how", ["refuses", "is a black hole"])
@pytest.mark.slow
def test_a_database_that_is_dead_is_told_of_by_mail(how: str, tmp_path: Path) -> None:
    with MailServer() as mailserver, socket.socket() as hole:
        hole.bind(("127.0.0.1", 0))
        if how == "is a black hole":
            hole.listen()
        script = """
        record()
        sys.stdin.read()
        """
        running = start(tmp_path, script, postgres_at(hole.getsockname()[1]), mailserver.port)
        try:
            wait_until(lambda: mailserver.messages, what="a message")
            if how == "refuses":
                assert "Connection refused" in texts(mailserver)[0]
            assert "cannot store what it records" in subjects(mailserver)[0]
            stamp = tmp_path / "spool" / last_resort.STAMP_NAME
            wait_until(stamp.exists, what="what was told is written down")
            assert json.loads(stamp.read_text())["over"] is False
        finally:
            end(running)


@pytest.mark.slow
def test_a_database_that_goes_and_comes_back_is_told_of_twice(tmp_path: Path) -> None:
    home, away = tmp_path / "home", tmp_path / "away"
    home.mkdir()
    script = """
    from django.core.management import call_command
    call_command("migrate", verbosity=0, database="default")
    call_command("migrate", verbosity=0, database="qaprod")
    from django.db import connections
    connections.close_all()
    home = pathlib.Path(settings.DATABASES["default"]["NAME"]).parent
    home.rename(home.with_name("away"))
    record()
    sys.stdin.readline()
    home.with_name("away").rename(home)
    record()
    sys.stdin.read()
    """
    with MailServer() as mailserver:
        database = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(home / "db.sqlite3")}
        running = start(tmp_path, script, database, mailserver.port)
        try:
            wait_until(lambda: mailserver.messages, what="a message")
            assert "unable to open database file" in texts(mailserver)[0]
            assert away.exists()
            running.stdin.write("\n")
            running.stdin.flush()
            wait_until(lambda: len(mailserver.messages) > 1, what="a second one")
            assert "stores again" in subjects(mailserver)[1]
        finally:
            end(running)


@pytest.mark.slow
def test_the_worker_s_process_tells_where_nobody_else_drains(tmp_path: Path, receiver: Receiver) -> None:
    script = """
    from django_qaprod.worker.service import Service
    record()
    stop = threading.Event()
    threading.Thread(target=sys.stdin.read, daemon=True).start()
    Service(say=lambda words: None).run(stop)
    """
    hook = {"webhook": receiver.url(), "allow_private": True}
    running = start(
        tmp_path, script, postgres_at(free_port()), free_port(), LAST_RESORT=hook, BACKGROUND="command"
    )
    try:
        wait_until(lambda: receiver.received, what="a request")
        assert receiver.last.json["type"] == "alert.last_resort"
    finally:
        end(running)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver
