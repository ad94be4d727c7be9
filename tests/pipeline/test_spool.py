"""The spool keeps what was appended, whatever happens to the process."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest
from pytest_django import Settings

from django_qaprod.exceptions import SpoolUnavailableError
from django_qaprod.pipeline import guard, spool
from django_qaprod.records import EventRecord, encode, new_id


def event(subject: str = "1") -> EventRecord:
    return EventRecord(id=new_id(), at=1.0, journey="apply", step="started", subject=subject)


def subjects(segment: spool.Segment, position: int = 0) -> list[str]:
    entries, _ = segment.read(position)
    return [entry.record.subject for entry in entries if isinstance(entry.record, EventRecord)]


@pytest.fixture
def written(tmp_path: Path) -> spool.FileSpool:
    return spool.FileSpool(tmp_path)


def test_what_was_appended_is_read_back_in_order(written: spool.FileSpool, tmp_path: Path) -> None:
    for subject in ("1", "2", "3"):
        written.append(encode(event(subject)))
    [segment] = spool.file_segments(tmp_path)
    assert subjects(segment) == ["1", "2", "3"]


def test_reading_goes_on_behind_the_last_position(written: spool.FileSpool, tmp_path: Path) -> None:
    written.append(encode(event("1")))
    [segment] = spool.file_segments(tmp_path)
    _, position = segment.read(0)
    written.append(encode(event("2")))
    assert subjects(segment, position) == ["2"]
    assert segment.read(segment.end()) == ((), segment.end())


def test_a_line_cut_by_a_crash_is_waited_for_and_then_skipped(tmp_path: Path) -> None:
    whole, torn = encode(event("1")), encode(event("2"))[:-10]
    (tmp_path / "0-1-a.segment").write_bytes(whole + torn)
    [segment] = spool.file_segments(tmp_path)
    assert subjects(segment) == ["1"]
    assert segment.end() == len(whole)
    guard.take()
    segment.discard(segment.end())
    tally = guard.take()
    assert tally is not None
    assert tally.dropped == {"spool.torn": 1}


def test_a_segment_that_another_drainer_has_let_go_of_holds_nothing(
    written: spool.FileSpool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written.append(encode(event("1")))
    [segment] = spool.file_segments(tmp_path)
    end, length = segment.end(), spool._stat(segment.path)
    segment.path.unlink()
    assert segment.read(0) == ((), 0)
    assert segment.read(end) == ((), end)
    assert (segment.abandoned(), segment.end()) == (True, 0)
    segment.discard(end)
    # Between the look at its length and the one at its end.
    monkeypatch.setattr(spool, "_stat", lambda path: length)
    assert segment.end() == 0


def test_a_foreign_line_is_counted_and_does_not_hide_its_neighbours(tmp_path: Path) -> None:
    lines = [encode(event("1")), b'{"_":"from the future"}\n', b"\x00\xff garbage\n", encode(event("2"))]
    (tmp_path / "0-1-a.segment").write_bytes(b"".join(lines))
    guard.take()
    [segment] = spool.file_segments(tmp_path)
    assert subjects(segment) == ["1", "2"]
    tally = guard.take()
    assert tally is not None
    assert tally.dropped == {"spool.torn": 2}


def test_a_segment_is_abandoned_when_its_process_is_killed(tmp_path: Path) -> None:
    child = subprocess.Popen(
        [
            sys.executable,
            "-c",
            textwrap.dedent(
                f"""
                import pathlib, sys, time
                from django.conf import settings
                settings.configure()
                from django_qaprod.pipeline.spool import FileSpool
                spool = FileSpool(pathlib.Path({str(tmp_path)!r}))
                spool.append(b"x" * 10 + b"\\n")
                print("written", flush=True)
                sys.stdin.read()
                """
            ),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    )
    assert child.stdout is not None
    assert child.stdin is not None
    assert child.stdout.readline() == b"written\n"
    [segment] = spool.file_segments(tmp_path)
    assert not segment.abandoned()
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdin.close()
    child.stdout.close()
    assert segment.abandoned()


def test_a_full_segment_is_left_for_a_new_one(
    written: spool.FileSpool, tmp_path: Path, settings: Settings
) -> None:
    line = encode(event())
    settings.QAPROD = {"SEGMENT_MAX_BYTES": 3 * len(line)}
    for _ in range(7):
        written.append(line)
    segments = spool.file_segments(tmp_path)
    assert sum(len(subjects(segment)) for segment in segments) == 7
    assert [segment.abandoned() for segment in segments].count(False) == 1


def test_a_spool_at_its_cap_refuses_and_takes_again_when_there_is_room(
    written: spool.FileSpool, tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool, "FULL_FOR", 0.0)
    line = encode(event())
    settings.QAPROD = {"SEGMENT_MAX_BYTES": len(line), "SPOOL_MAX_BYTES": 2 * len(line)}
    written.append(line)
    written.append(line)
    with pytest.raises(SpoolUnavailableError):
        written.append(line)
    spool.file_segments(tmp_path)[0].discard(len(line))
    written.append(line)


def test_many_threads_append_whole_lines(written: spool.FileSpool, tmp_path: Path) -> None:
    def append_many(name: int) -> None:
        for number in range(200):
            written.append(encode(event(f"{name}-{number}")))

    threads = [threading.Thread(target=append_many, args=(name,)) for name in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    [segment] = spool.file_segments(tmp_path)
    assert len(set(subjects(segment))) == 1600


@pytest.mark.parametrize("everything", [False, True])
def test_what_was_tidied_away_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, everything: bool
) -> None:
    """systemd-tmpfiles deletes what nobody has touched in /tmp for ten days: a quiet process's segment."""
    monkeypatch.setattr(spool, "THERE_FOR", 0.0)
    directory = tmp_path / "spool"
    directory.mkdir(mode=0o700)
    written = spool.FileSpool(directory)
    written.append(encode(event("1")))
    written.append(encode(event("1, looked for")))
    if everything:
        shutil.rmtree(directory)
    else:
        spool.file_segments(directory)[0].path.unlink()
    written.append(encode(event("2")))
    [segment] = spool.file_segments(directory)
    assert subjects(segment) == ["2"]


def test_zeros_that_a_power_cut_left_are_passed_over(tmp_path: Path) -> None:
    zeros, whole = b"\0" * 2 * spool.CHUNK, encode(event("1"))
    (tmp_path / "0-1-a.segment").write_bytes(zeros + b"\n" + whole)
    [segment] = spool.file_segments(tmp_path)
    position, found = 0, []
    for _ in range(4):
        found += subjects(segment, position)
        _, position = segment.read(position)
    assert found == ["1"]
    assert position == segment.end()


def test_a_full_disk_leaves_no_half_a_record(
    written: spool.FileSpool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written.append(encode(event("1")))
    real = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: real(descriptor, data[:5]))
    with pytest.raises(SpoolUnavailableError):
        written.append(encode(event("2")))
    monkeypatch.undo()
    written.append(encode(event("3")))
    [segment] = spool.file_segments(tmp_path)
    assert subjects(segment) == ["1", "3"]


@pytest.fixture
def fresh_directory() -> object:
    spool.forget_directory()
    yield
    spool.forget_directory()


@pytest.mark.usefixtures("fresh_directory")
class TestDirectory:
    def test_it_is_made_for_its_owner_alone(self, tmp_path: Path, settings: Settings) -> None:
        settings.QAPROD = {"SPOOL_DIR": tmp_path / "spool"}
        made = spool.directory()
        assert made == tmp_path / "spool"
        assert stat.S_IMODE(made.stat().st_mode) == 0o700

    def test_one_that_others_can_write_is_refused(self, tmp_path: Path, settings: Settings) -> None:
        tmp_path.chmod(0o777)
        settings.QAPROD = {"SPOOL_DIR": tmp_path}
        assert spool.directory() is None
        assert "written by others" in spool.status().problem

    def test_a_link_is_refused(self, tmp_path: Path, settings: Settings) -> None:
        (tmp_path / "link").symlink_to(tmp_path, target_is_directory=True)
        settings.QAPROD = {"SPOOL_DIR": tmp_path / "link"}
        assert spool.directory() is None

    def test_a_file_in_its_place_is_refused(self, tmp_path: Path, settings: Settings) -> None:
        (tmp_path / "spool").write_text("")
        settings.QAPROD = {"SPOOL_DIR": tmp_path / "spool"}
        assert spool.directory() is None

    def test_two_databases_have_two_spools(self, settings: Settings) -> None:
        settings.QAPROD = {}
        first = spool.chosen()
        settings.QAPROD = {"DATABASE": "another"}
        assert spool.chosen() != first

    def test_relative_files_of_two_projects_have_two_spools(
        self, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        found = set()
        settings.QAPROD = {"DATABASE": "one"}
        monkeypatch.setitem(
            settings.DATABASES, "one", {"ENGINE": "django.db.backends.sqlite3", "NAME": "db.sqlite3"}
        )
        for project in ("a", "b"):
            (tmp_path / project).mkdir()
            monkeypatch.chdir(tmp_path / project)
            found.add(spool.chosen())
        assert len(found) == 2


class TestMemory:
    def test_it_is_read_and_let_go(self) -> None:
        memory = spool.MemorySpool()
        memory.append(encode(event("1")))
        memory.append(encode(event("2")))
        entries, end = memory.read(0)
        assert [entry.record.subject for entry in entries if isinstance(entry.record, EventRecord)] == [
            "1",
            "2",
        ]
        memory.discard(end)
        assert memory.read(0) == ((), 0)

    def test_it_is_bounded(self, monkeypatch: pytest.MonkeyPatch) -> None:
        line = encode(event())
        monkeypatch.setattr(spool, "MEMORY_MAX_BYTES", 2 * len(line))
        memory = spool.MemorySpool()
        memory.append(line)
        memory.append(line)
        with pytest.raises(SpoolUnavailableError):
            memory.append(line)


def test_what_a_crash_left_half_made_is_swept_away(tmp_path: Path, written: spool.FileSpool) -> None:
    written.append(encode(event("1")))
    half, young = tmp_path / f"1-1-a{spool.NEW}", tmp_path / f"2-2-b{spool.NEW}"
    half.touch()
    young.touch()
    os.utime(half, (0, 0))
    spool.sweep(tmp_path)
    assert not half.exists()
    assert young.exists()
    assert len(spool.file_segments(tmp_path)) == 1
