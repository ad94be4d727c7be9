"""What waits in the spool is brought into the database: once, when there is one, whatever lies beside it."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.db import IntegrityError, OperationalError
from pytest_django import Settings

from django_qaprod.exceptions import UnreadableError
from django_qaprod.forms import waiting
from django_qaprod.forms.waiting import Collector
from django_qaprod.models import RescuedSubmission, SubmissionAct, SubmissionVersion
from django_qaprod.pipeline import guard
from django_qaprod.pipeline.drainer import Drainer
from django_qaprod.store import submissions

from .kept import KEY, new, sent

pytestmark = [pytest.mark.django_db(databases="__all__"), pytest.mark.usefixtures("keys")]


def files(path: Path) -> list[str]:
    return sorted(file.name for file in (path / "submissions").iterdir() if file.is_file())


def dropped() -> dict[str, int]:
    tally = guard.take()
    return tally.dropped if tally else {}


def test_the_machine_s_drainer_brings_them_in(keys: Path) -> None:
    many = [new(key) for key in "abc"]
    for one in many:
        waiting.write(keys, one)
    drainer = Drainer(keys, sinks=())
    assert drainer.acquire()
    drainer.drain()
    drainer.release()
    assert files(keys) == []
    assert set(RescuedSubmission.objects.values_list("pk", flat=True)) == {one.id for one in many}
    assert submissions.opened(RescuedSubmission.objects.all()[0], who="ada") == sent()


def test_a_row_is_as_it_would_have_been(keys: Path) -> None:
    one = new(
        journey="J", subject="7", in_doubt="commit", transactional=False, healing="after_deploy", user="u"
    )
    assert waiting.decode(waiting.encode(one)) == one
    waiting.write(keys, one)
    assert Collector(keys).collect() == 1
    row = RescuedSubmission.objects.get()
    assert (row.journey, row.in_doubt, row.transactional, row.healing, row.user) == (
        "J", "commit", False, "after_deploy", "u",
    )  # fmt: skip
    assert row.at.timestamp() == pytest.approx(one.at)


def test_one_that_is_brought_in_twice_is_one(keys: Path) -> None:
    one = new()
    submissions.save(one)
    waiting.write(keys, one)
    assert Collector(keys).collect() == 1
    assert SubmissionVersion.objects.count() == 1
    assert dropped() == {}


def test_the_later_of_two_with_one_key_is_dropped_and_counted(keys: Path) -> None:
    first = submissions.save(new("a"))
    waiting.write(keys, new("a"))
    assert Collector(keys).collect() == 0
    assert RescuedSubmission.objects.get().pk == first
    assert files(keys) == []
    assert dropped() == {"rescue.duplicate": 1}


@pytest.mark.parametrize("error", [OperationalError("gone")])
def test_without_a_database_they_stay_and_it_is_not_asked_every_second(
    keys: Path, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, now, save = [], [1000.0], submissions.save

    def refuse(one: Any) -> str:
        asked.append(now[0])
        raise error

    monkeypatch.setattr(submissions, "save", refuse)
    monkeypatch.setattr(waiting.time, "monotonic", lambda: now[0])
    for key in "ab":
        waiting.write(keys, new(key))
    collector = Collector(keys)
    for _ in range(120):
        collector.collect()
        now[0] += 1
    assert asked[:6] == [1000, 1001, 1003, 1007, 1015, 1031]
    assert asked[-1] - asked[-2] <= waiting.RETRY_MOST
    assert len(files(keys)) == 2
    monkeypatch.setattr(submissions, "save", save)
    now[0] += 60
    assert collector.collect() == 2


def test_without_keys_they_stay(keys: Path, settings: Settings) -> None:
    waiting.write(keys, new())
    before = settings.QAPROD
    settings.QAPROD = {}
    collector = Collector(keys)
    for _ in range(waiting.TRIES + 1):
        collector._retry_at = 0.0
        collector.collect()
    assert len(files(keys)) == 1
    settings.QAPROD = before
    collector._retry_at = 0.0
    assert collector.collect() == 1


def _garbage(file: Path) -> None:
    file.write_bytes(os.urandom(100))


def _empty(file: Path) -> None:
    file.write_bytes(b"")


def _torn(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-20])


def _swapped(file: Path) -> None:
    head = file.read_bytes().split(b"\n")[0]
    file.write_bytes(b"\n".join((head, new("other").content, b"")))


@pytest.mark.parametrize("spoil", [_garbage, _empty, _torn, _swapped])
def test_what_cannot_be_read_is_set_aside_and_holds_back_nobody(keys: Path, spoil: Any) -> None:
    waiting.write(keys, new("bad"))
    spoil(keys / "submissions" / "bad.submission")
    waiting.write(keys, new("good"))
    collector = Collector(keys)
    assert collector.collect() == 1
    for _ in range(waiting.TRIES):
        collector.collect()
    assert files(keys) == []
    assert [one.name for one in (keys / "submissions" / "unreadable").iterdir()] == ["bad.submission"]
    assert dropped() == {"rescue.unreadable": 1}
    assert (waiting.status(keys).waiting, waiting.status(keys).unreadable) == (0, 1)


def test_what_the_database_refuses_is_set_aside(keys: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    waiting.write(keys, new())

    def refuse(one: Any) -> str:
        raise IntegrityError("never")

    monkeypatch.setattr(submissions, "save", refuse)
    collector = Collector(keys)
    for _ in range(waiting.TRIES):
        collector.collect()
    assert waiting.status(keys).unreadable == 1


def test_what_lacked_a_key_is_brought_in_when_a_process_starts_that_has_it(
    keys: Path, settings: Settings
) -> None:
    waiting.write(keys, new())
    settings.QAPROD = {**settings.QAPROD, "RESCUE_KEYS": [Fernet.generate_key().decode()]}
    collector = Collector(keys)
    for _ in range(waiting.TRIES):
        collector.collect()
    assert waiting.status(keys).unreadable == 1
    settings.QAPROD = {**settings.QAPROD, "RESCUE_KEYS": [KEY]}
    assert Collector(keys).collect() == 1
    assert waiting.status(keys).unreadable == 0


def test_where_nothing_has_changed_nothing_is_listed(keys: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listed: list[Path] = []
    scandir = os.scandir

    def watch(path: Path) -> Any:
        listed.append(path)
        return scandir(path)

    collector = Collector(keys)
    monkeypatch.setattr(waiting.os, "scandir", watch)
    assert collector.collect() == 0
    assert not listed
    waiting.write(keys, new("a"))
    assert collector.collect() == 1
    # Long ago, so that its time is final.
    os.utime(keys / "submissions", (1, 1))
    collector.collect()
    listed.clear()
    assert collector.collect() == 0
    assert not listed
    waiting.write(keys, new("b"))
    assert collector.collect() == 1


def test_one_that_came_within_the_same_tick_is_not_overlooked(keys: Path) -> None:
    collector = Collector(keys)
    for key in "ab":
        waiting.write(keys, new(key))
        at = time.time()
        os.utime(keys / "submissions", (at, at))
        same = (keys / "submissions").stat().st_mtime_ns
        collector.collect()
        os.utime(keys / "submissions", ns=(same, same))
    assert RescuedSubmission.objects.count() == 2


def test_what_a_crash_left_half_written_is_tidied_away(keys: Path) -> None:
    waiting.write(keys, new())
    for name, ago in (("old.x.new", 100), ("young.x.new", 1)):
        left = keys / "submissions" / name
        left.write_bytes(b"half")
        os.utime(left, (time.time() - ago,) * 2)
    Collector(keys).collect()
    assert files(keys) == ["young.x.new"]


def test_unreadable_files_reach_the_age_limit_too(keys: Path) -> None:
    aside = keys / "submissions" / "unreadable"
    collector = Collector(keys)
    waiting.write(keys, new())
    collector.collect()
    aside.mkdir()
    for name, days in (("old", 91), ("young", 89)):
        (aside / f"{name}.submission").write_bytes(b"x")
        os.utime(aside / f"{name}.submission", (time.time() - days * 86400,) * 2)
    waiting.write(keys, new("again"))
    collector.collect()
    assert [one.name for one in aside.iterdir()] == ["young.submission"]


def test_the_status_says_since_when(keys: Path) -> None:
    assert waiting.status(keys) == waiting.WaitingStatus(waiting=0, unreadable=0, bytes=0, oldest=None)
    waiting.write(keys, new())
    found = waiting.status(keys)
    assert found.waiting == 1
    assert found.bytes > 100
    assert found.oldest == pytest.approx(time.time(), abs=60)


def test_files_change_their_keys_too(keys: Path, settings: Settings) -> None:
    one, fresh = new("a"), Fernet.generate_key().decode()
    waiting.write(keys, one)
    _write_unreadable(keys)
    settings.QAPROD = {**settings.QAPROD, "RESCUE_KEYS": [fresh, KEY]}
    found = waiting.rotate(keys, who="command")
    assert (found.rotated, found.current, found.unreadable) == (1, 0, ("bad.submission",))
    assert waiting.rotate(keys, who="command").current == 1
    settings.QAPROD = {**settings.QAPROD, "RESCUE_KEYS": [fresh]}
    assert Collector(keys).collect() == 1
    audit = SubmissionAct.objects.values_list("submission", "act", "who", "version")
    assert audit.get() == (one.id, "rotated", "command", 1)
    assert submissions.opened(RescuedSubmission.objects.get(pk=one.id), who="ada") == sent()


def _write_unreadable(keys: Path) -> None:
    (keys / "submissions" / "bad.submission").write_bytes(b"x\ny\n")


def test_only_what_we_have_written_is_decoded() -> None:
    with pytest.raises(UnreadableError):
        waiting.decode(b"\n\n")
