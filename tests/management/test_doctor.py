"""The doctor looks at what is broken: it ends with findings and never with a traceback."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError

from django_qaprod import clock, conf, doctor
from django_qaprod.doctor import Finding, Level, findings, working
from django_qaprod.models import Lease
from django_qaprod.pipeline import drainer, guard, process
from django_qaprod.typing import Batch
from tests.store.make import failure

from .test_commands import append
from .test_commands import spool_dir as spool_dir

pytestmark = pytest.mark.django_db(databases="__all__")


class Counted:
    """A sink that counts how often it is made, and let go of."""

    name = "counted"
    made = closed = 0

    def __init__(self) -> None:
        Counted.made += 1

    def write(self, batch: Batch) -> None: ...

    def close(self) -> None:
        Counted.closed += 1


class Nameless:
    """What is no sink at all."""


class Clinging(Counted):
    """A sink that cannot be let go of."""

    name = "clinging"

    def close(self) -> None:
        raise ValueError("Not now.")


def found(part: str) -> list[Finding]:
    return [one for one in doctor.examine() if one.part == part]


def use(settings: Any, *sinks: str) -> None:
    settings.QAPROD = {**settings.QAPROD, "SINKS": [*conf.sink_paths(), *sinks]}


def test_a_sink_whose_module_raises_what_it_likes(
    spool_dir: Path, settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "qaprod_broken_sink.py").write_text('raise RuntimeError("no variable, password=hunter2")\n')
    monkeypatch.syspath_prepend(tmp_path)
    use(settings, "qaprod_broken_sink.Sink")
    database, broken = found("sinks")
    assert database.level is Level.UNKNOWN
    assert broken.level is Level.ERROR
    assert broken.message == (
        "qaprod_broken_sink.Sink cannot be imported: RuntimeError: no variable, password=[scrubbed]"
    )
    guard.take()


def test_a_sink_without_a_name(spool_dir: Path, settings: Any) -> None:
    use(settings, f"{__name__}.Nameless")
    assert "Nameless cannot be made, so it takes nothing: AttributeError" in found("sinks")[1].message
    guard.take()


def test_each_sink_is_made_once_and_let_go_of(
    spool_dir: Path, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Counted, "made", 0)
    monkeypatch.setattr(Counted, "closed", 0)
    append(spool_dir, failure())
    use(settings, f"{__name__}.Counted")
    assert any("sink counted" in one.message for one in doctor.examine())
    assert (Counted.made, Counted.closed) == (1, 1)


def test_one_that_cannot_be_let_go_of_is_looked_at(spool_dir: Path, settings: Any) -> None:
    use(settings, f"{__name__}.Clinging")
    assert "not yet reported" in found("sinks")[1].message
    tally = guard.take()
    assert tally is not None
    assert tally.errors == {"sinks": 1}


@pytest.mark.parametrize("kept", ["[1]", "{", '{"database": 7}'])
def test_cursors_that_are_damaged_are_none(kept: str, spool_dir: Path) -> None:
    append(spool_dir, failure())
    (spool_dir / drainer.CURSORS_NAME).write_text(kept)
    assert any("wait for the sink database" in one.message for one in doctor.examine())


class UnspeakableError(Exception):
    """An error that cannot even be said."""

    def __str__(self) -> str:
        raise ValueError


@pytest.mark.parametrize(
    ("problem", "said"),
    [
        (OperationalError("gone"), "The database cannot be asked: OperationalError: gone"),
        (PermissionError("/var"), "It cannot be looked at: PermissionError: /var"),
        (UnspeakableError(), "It cannot be looked at: UnspeakableError: (its message cannot be shown)"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_a_part_that_cannot_be_looked_at_is_a_finding_beside_what_it_said_before(
    problem: Exception, said: str, spool_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def look() -> Iterator[Finding]:
        yield findings.ok("gauges", "The first.")
        raise problem

    monkeypatch.setitem(doctor._PARTS, "gauges", look)
    assert [(one.level, one.message) for one in found("gauges")] == [
        (Level.OK, "The first."),
        (Level.ERROR, said),
    ]
    assert found("inside"), "and the parts behind it are looked at"


def test_a_test_that_cannot_be_sent_is_a_finding(spool_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**given: object) -> None:
        raise PermissionError("/var")

    monkeypatch.setattr(drainer, "drain_now", refuse)
    assert doctor.send_test(within=0.1).message == "It cannot go the whole way: PermissionError: /var"


def test_a_test_lets_go_of_the_sinks_that_it_makes(
    spool_dir: Path, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Counted, "made", 0)
    monkeypatch.setattr(Counted, "closed", 0)
    # The thread of this process has another connection, which sees nothing of a test's transaction.
    monkeypatch.setattr(process, "submit", lambda record: append(spool_dir, record))
    use(settings, f"{__name__}.Counted")
    assert doctor.send_test(within=60).level is Level.OK
    assert Counted.made == Counted.closed


class TestWhoWorks:
    """The lease outlasts its holder by a minute; whether it is a process still is to be seen at home only."""

    def said(self, holder: str) -> Finding:
        until = clock.now() + timedelta(minutes=1)
        Lease.objects.update_or_create(name="worker", defaults={"holder": holder, "expires_at": until})
        return next(one for one in found("worker") if holder in one.message)

    def test_a_worker_that_is_gone_is_not_said_to_work(self, spool_dir: Path) -> None:
        gone = subprocess.run([sys.executable, "-Sc", "import os; print(os.getpid())"], capture_output=True)
        one = self.said(f"{process.host()}:{int(gone.stdout)}:0a1b2c")
        assert one.level is Level.UNKNOWN
        assert "there is no such process here any more" in one.message

    @pytest.mark.parametrize(
        "holder",
        [
            f"{process.host()}:{os.getpid()}:0a1b2c",
            f"{process.host()}:1:0a1b2c",
            "elsewhere:999999999:0a1b2c",
        ],
        ids=["ours", "somebody else's", "on another machine"],
    )
    def test_a_worker_that_may_be_there_is(self, spool_dir: Path, holder: str) -> None:
        one = self.said(holder)
        assert one.level is Level.OK
        assert "has the lease until" in one.message

    @pytest.mark.parametrize("holder", ["", "web", ":::", f"{process.host()}:{10**30}:0"])
    def test_a_name_of_another_make_tells_nothing(self, holder: str) -> None:
        assert not working._is_gone(holder)

    def test_a_process_of_another_user_is_there(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(pid: int, number: int) -> None:
            raise PermissionError

        monkeypatch.setattr(working.os, "kill", refuse)
        assert not working._is_gone(f"{process.host()}:7:0")
