"""The drainer brings every record to every sink, each at its own pace."""

from __future__ import annotations

import json
import os
import shutil
import sys
import threading
import time
import types
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_django import Settings

from django_qaprod import conf
from django_qaprod.exceptions import SinkUnavailableError
from django_qaprod.pipeline import drainer, feeding, filelock, guard, lanes, spool
from django_qaprod.records import EventRecord, encode, new_id
from django_qaprod.typing import Batch
from tests.servers import wait_until


class Recorder:
    """A sink that remembers, and fails when told to."""

    name = "recorder"
    taken: list[str]
    unavailable = False
    poison: str | None = None

    def __init__(self) -> None:
        type(self).instance = self
        self.taken = []

    instance: Recorder

    def write(self, batch: Batch) -> None:
        if type(self).unavailable:
            raise SinkUnavailableError("The sink is down.")
        subjects = [record.subject for record in batch.records if isinstance(record, EventRecord)]
        if type(self).poison in subjects:
            raise ValueError("I cannot take this one.")
        self.taken += subjects

    def close(self) -> None:
        pass


class Another(Recorder):
    name = "another"
    unavailable = False
    poison = None
    instance: Another


@pytest.fixture
def sinks(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    module = types.ModuleType("sinks_of_a_test")
    module.Recorder, module.Another = Recorder, Another  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "sinks_of_a_test", module)
    settings.QAPROD = {"SINKS": ["sinks_of_a_test.Recorder", "sinks_of_a_test.Another"]}
    monkeypatch.setattr(feeding, "RETRY_FIRST", 0.0)
    # Another test's connection may be open in this thread, and these tests have no database.
    monkeypatch.setattr(drainer.connections, "close_old", lambda: None)
    yield
    for sink in (Recorder, Another):
        sink.unavailable, sink.poison = False, None
    # Those that hung have something to do yet.
    wait_until(lambda: not any(thread.name == "qaprod-sink" for thread in threading.enumerate()))


@pytest.fixture
def written(tmp_path: Path) -> spool.FileSpool:
    return spool.FileSpool(tmp_path)


@pytest.fixture
def draining(sinks: None, tmp_path: Path) -> Iterator[drainer.Drainer]:
    found = drainer.Drainer(tmp_path)
    assert found.acquire()
    yield found
    found.release()


def append(written: spool.FileSpool, *subjects: str) -> None:
    for subject in subjects:
        written.append(
            encode(EventRecord(id=new_id(), at=1.0, journey="apply", step="started", subject=subject))
        )


def test_every_sink_gets_every_record_once(written: spool.FileSpool, draining: drainer.Drainer) -> None:
    append(written, "1", "2")
    draining.drain()
    append(written, "3")
    draining.drain()
    assert Recorder.instance.taken == Another.instance.taken == ["1", "2", "3"]


def test_a_sink_that_is_down_holds_back_nobody_and_loses_nothing(
    written: spool.FileSpool, draining: drainer.Drainer
) -> None:
    Another.unavailable = True
    guard.take()
    append(written, "1")
    report = draining.drain()
    draining.drain()
    assert report.failing == ("another",)
    tally = guard.take()
    assert tally is not None
    assert tally.errors == {"sink.another": 1}, "it is told once"
    assert "The sink is down." in tally.last_error
    assert Recorder.instance.taken == ["1"]
    Another.unavailable = False
    append(written, "2")
    draining.drain()
    assert Another.instance.taken == ["1", "2"]


def test_a_segment_goes_when_its_writer_is_gone_and_every_sink_has_it(
    written: spool.FileSpool, draining: drainer.Drainer, tmp_path: Path
) -> None:
    append(written, "1")
    draining.drain()
    assert spool.file_segments(tmp_path)
    Another.unavailable = True
    append(written, "2")
    written.close()
    draining.drain()
    assert spool.file_segments(tmp_path)
    Another.unavailable = False
    draining.drain()
    assert not spool.file_segments(tmp_path)
    assert Another.instance.taken == ["1", "2"]


def test_a_segment_that_did_not_grow_is_left_alone_until_its_writer_is_gone(
    written: spool.FileSpool,
    draining: drainer.Drainer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    append(written, "1")
    draining.drain()
    written.close()
    with monkeypatch.context() as patch:
        patch.setattr(spool.FileSegment, "read", lambda *args: pytest.fail("read again"))
        draining.drain()
    assert spool.file_segments(tmp_path)
    monkeypatch.setattr(drainer, "monotonic", lambda: time.monotonic() + drainer.LOOK_EVERY)
    draining.drain()
    assert not spool.file_segments(tmp_path)


def test_what_is_appended_during_a_pass_is_not_thrown_away(
    written: spool.FileSpool, draining: drainer.Drainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = spool.sizes

    def sizes(path: Path) -> dict[str, int]:
        before = found(path)
        append(written, "2")
        written.close()
        return before

    append(written, "1")
    with monkeypatch.context() as patch:
        patch.setattr(spool, "sizes", sizes)
        draining.drain()
    draining.drain()
    assert Recorder.instance.taken == ["1", "2"]


def test_cursors_that_grow_shorter_stay_readable(
    written: spool.FileSpool, draining: drainer.Drainer, tmp_path: Path
) -> None:
    for number in range(3):
        append(written, str(number))
        written.close()
    draining.drain()
    append(written, "3")
    draining.drain()
    draining.release()
    [segment] = spool.file_segments(tmp_path)
    cursors = json.loads((tmp_path / drainer.CURSORS_NAME).read_text())
    assert cursors == {name: {segment.name: segment.end()} for name in ("recorder", "another")}


def test_a_poisonous_record_is_dropped_alone_and_counted(
    written: spool.FileSpool, draining: drainer.Drainer
) -> None:
    Recorder.poison = "3"
    guard.take()
    append(written, *map(str, range(10)))
    draining.drain()
    assert Recorder.instance.taken == [str(number) for number in range(10) if number != 3]
    tally = guard.take()
    assert tally is not None
    assert tally.dropped == {"sink.recorder": 1}
    assert "I cannot take this one" in tally.last_error


def test_the_next_drainer_goes_on_where_the_last_one_stopped(
    written: spool.FileSpool, sinks: None, tmp_path: Path
) -> None:
    append(written, "1")
    first = drainer.Drainer(tmp_path)
    first.acquire()
    first.drain()
    first.release()
    append(written, "2")
    second = drainer.Drainer(tmp_path)
    second.acquire()
    second.drain()
    second.release()
    assert Recorder.instance.taken == ["2"]


def test_only_one_drains_a_directory(sinks: None, tmp_path: Path) -> None:
    first, second = drainer.Drainer(tmp_path), drainer.Drainer(tmp_path)
    assert first.acquire()
    assert not second.acquire()
    first.release()
    assert second.acquire()
    second.release()


def test_damaged_cursors_cost_a_repetition_and_no_record(
    written: spool.FileSpool, sinks: None, tmp_path: Path
) -> None:
    append(written, "1")
    (tmp_path / drainer.CURSORS_NAME).write_text('{"recorder": [')
    found = drainer.Drainer(tmp_path)
    found.acquire()
    found.drain()
    found.release()
    assert Recorder.instance.taken == ["1"]


def test_a_sink_that_cannot_be_imported_is_counted_and_the_others_work(
    written: spool.FileSpool, settings: Settings, sinks: None, tmp_path: Path
) -> None:
    settings.QAPROD = {"SINKS": ["nowhere.Sink", "sinks_of_a_test.Recorder"]}
    guard.take()
    append(written, "1")
    found = drainer.Drainer(tmp_path)
    found.acquire()
    found.drain()
    found.release()
    assert Recorder.instance.taken == ["1"]
    tally = guard.take()
    assert tally is not None
    assert tally.errors == {"sinks": 1}


def test_what_a_sink_logs_is_no_failure(
    written: spool.FileSpool, draining: drainer.Drainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cron's ``qaprod_tick`` drains outside of every guard, and the log sink writes at ERROR."""
    seen: list[bool] = []
    monkeypatch.setattr(Recorder, "write", lambda self, batch: seen.append(guard.inside()))
    append(written, "1")
    draining.drain()
    assert seen == [True, True]
    assert not guard.inside()


def test_the_lock_is_not_inherited_by_a_fork(draining: drainer.Drainer, tmp_path: Path) -> None:
    reads, writes = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
    if pid == 0:
        os.close(writes)
        os.read(reads, 1)
        os._exit(0)
    draining.release()
    try:
        # The child lets go as soon as it runs.
        wait_until(lambda: not filelock.is_held(tmp_path / drainer.LOCK_NAME))
    finally:
        os.close(writes)
        os.waitpid(pid, 0)
        os.close(reads)


def test_one_segment_that_cannot_be_read_holds_back_no_other(
    written: spool.FileSpool, draining: drainer.Drainer, tmp_path: Path
) -> None:
    (tmp_path / f"0{spool.SUFFIX}").mkdir()
    append(written, "1")
    draining.drain()
    assert Recorder.instance.taken == ["1"]
    assert guard.take() is not None


def test_a_directory_that_was_tidied_away_is_drained_again_when_it_is_back(
    sinks: None, tmp_path: Path
) -> None:
    directory = tmp_path / "spool"
    directory.mkdir(mode=0o700)
    first, second, own = drainer.Drainer(directory), drainer.Drainer(directory), spool.FileSpool(directory)
    assert first.acquire()
    shutil.rmtree(directory)
    assert not first.acquire()
    append(own, "1")
    assert first.acquire()
    assert not second.acquire(), "one drainer, not two"
    first.drain()
    first.release()
    assert Recorder.instance.taken == ["1"]


def test_a_sink_that_is_too_slow_for_a_large_batch_gets_smaller_ones(
    written: spool.FileSpool, draining: drainer.Drainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(sink: Recorder, batch: Batch) -> None:
        if len(batch.entries) > 2:
            raise SinkUnavailableError("statement timeout")
        sink.taken += [record.subject for record in batch.records if isinstance(record, EventRecord)]

    monkeypatch.setattr(Recorder, "write", write)
    subjects = [str(number) for number in range(16)]
    append(written, *subjects)
    for _ in range(50):
        draining.drain()
    assert Recorder.instance.taken == subjects


@pytest.fixture
def hanging(sinks: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """``Another`` does not come back from a batch until the event is set; ``Recorder`` is as ever."""
    release, write = threading.Event(), Another.write

    def hang(sink: Another, batch: Batch) -> None:
        release.wait(60)
        write(sink, batch)

    monkeypatch.setattr(Another, "write", hang)
    yield release
    release.set()


def test_a_sink_that_hangs_delays_no_other(
    written: spool.FileSpool, hanging: threading.Event, draining: drainer.Drainer
) -> None:
    append(written, "1")
    draining.drain(wait=False)
    append(written, "2")
    draining.drain(wait=False)
    wait_until(lambda: Recorder.instance.taken == ["1", "2"])
    assert Another.instance.taken == []
    hanging.set()
    draining.drain()
    assert Another.instance.taken == ["1", "2"]


def test_the_end_of_a_process_does_not_wait_for_a_sink_that_hangs(
    written: spool.FileSpool, hanging: threading.Event, draining: drainer.Drainer
) -> None:
    append(written, "1")
    began = time.monotonic()
    report = draining.drain(deadline=time.monotonic() + 0.05)
    draining.release()
    assert report.waiting
    assert time.monotonic() - began < 40
    assert not hanging.is_set()


def test_a_sink_that_does_not_come_back_is_made_anew_and_what_it_does_late_counts_for_nothing(
    written: spool.FileSpool,
    hanging: threading.Event,
    draining: drainer.Drainer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    guard.take()
    append(written, "1")
    draining.drain(wait=False)
    first = Another.instance
    wait_until(lambda: any(lane.stuck_for() for lane in draining._lanes))
    monkeypatch.setattr(lanes, "STUCK_AFTER", 0.0)
    draining.drain(wait=False)
    wait_until(lambda: tuple(draining._failing()) == ("another",))
    tally = guard.take()
    assert tally is not None
    assert tally.errors == {"sink.another": 1}
    assert Another.instance is not first
    monkeypatch.setattr(lanes, "STUCK_AFTER", 30.0)
    hanging.set()
    draining.drain()
    assert Another.instance.taken == ["1"]
    wait_until(lambda: first.taken == ["1"])
    append(written, "2")
    draining.drain()
    assert Another.instance.taken == ["1", "2"]
    assert first.taken == ["1"]


def test_only_so_many_threads_hang_for_a_sink(
    written: spool.FileSpool,
    hanging: threading.Event,
    draining: drainer.Drainer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lanes, "STUCK_AFTER", 0.0)
    append(written, "1")
    before = threading.active_count()
    for _ in range(10):
        draining.drain(wait=False)
        wait_until(lambda: any(lane.stuck_for() for lane in draining._lanes))
    # Those that are left alone, the one that hangs now, and that of the other sink.
    assert threading.active_count() - before <= lanes.MOST_STUCK + 2


def test_a_sink_that_is_down_for_long_does_not_fill_the_spool_for_the_others(
    written: spool.FileSpool, draining: drainer.Drainer, settings: Settings, tmp_path: Path
) -> None:
    Another.unavailable = True
    subjects = [str(number) for number in range(20)]
    for subject in subjects:
        append(written, subject)
        written.close()
        draining.drain()
    one = spool.file_segments(tmp_path)[0].end()
    assert len(spool.file_segments(tmp_path)) == 20
    settings.QAPROD = {**settings.QAPROD, "SPOOL_MAX_BYTES": 20 * one}
    guard.take()
    draining.drain()
    append(written, "20")
    draining.drain()
    tally = guard.take()
    assert tally is not None
    left = spool.file_segments(tmp_path)
    assert sum(segment.end() for segment in left) <= 11 * one
    Another.unavailable = False
    draining.drain()
    assert Recorder.instance.taken == [*subjects, "20"]
    lost = tally.dropped["sink.another.behind"]
    assert lost >= 10
    assert Another.instance.taken == [*subjects, "20"][lost:]


def test_one_segment_that_cannot_be_read_keeps_no_other_from_making_room(
    written: spool.FileSpool,
    draining: drainer.Drainer,
    settings: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Another.unavailable = True
    for subject in ("1", "2"):
        append(written, subject)
        written.close()
        draining.drain()
    unreadable, _ = sorted(segment.name for segment in spool.file_segments(tmp_path))
    read = spool.FileSegment.read

    def broken(segment: spool.FileSegment, position: int) -> object:
        if segment.name == unreadable:
            raise PermissionError
        return read(segment, position)

    monkeypatch.setattr(spool.FileSegment, "read", broken)
    settings.QAPROD = {**settings.QAPROD, "SPOOL_MAX_BYTES": 2}
    guard.take()
    draining.drain()
    tally = guard.take()
    assert tally is not None
    assert tally.dropped["sink.another.behind"] == 1
    assert [segment.name for segment in spool.file_segments(tmp_path)] == [unreadable]


def test_a_sink_that_waits_for_nothing_but_this_machine_is_fed_by_the_drainer_itself(
    written: spool.FileSpool, sinks: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[threading.Thread] = []
    monkeypatch.setattr(Recorder, "inline", True, raising=False)
    monkeypatch.setattr(Another, "inline", False, raising=False)
    monkeypatch.setattr(Recorder, "write", lambda sink, batch: threads.append(threading.current_thread()))
    found = drainer.Drainer(tmp_path)
    found.acquire()
    append(written, "1")
    found.drain()
    found.release()
    assert threading.current_thread() in threads
    assert len(set(threads)) == 2


def test_a_lane_ends_with_its_drainer_and_begins_again_with_the_next(
    written: spool.FileSpool, draining: drainer.Drainer
) -> None:
    append(written, "1")
    draining.drain()
    running = [lane._thread for lane in draining._lanes]
    draining.release()
    for thread in running:
        assert thread is not None
        thread.join(60)
        assert not thread.is_alive()
    assert draining.acquire()
    append(written, "2")
    draining.drain()
    assert Another.instance.taken == ["2"]


def test_a_lane_that_was_closed_for_want_of_work_takes_up_again(
    written: spool.FileSpool, draining: drainer.Drainer
) -> None:
    append(written, "1")
    draining.drain()
    for subject in ("2", "3", "4"):
        draining._close_sinks()
        append(written, subject)
        draining.drain()
    assert Another.instance.taken == ["1", "2", "3", "4"]


class Gathering(Recorder):
    """A sink that brings away what it was given when it is told to."""

    name = "gathering"
    unavailable = False
    poison = None
    instance: Gathering

    def __init__(self) -> None:
        super().__init__()
        self.gathered: list[str] = []
        self.flushed = 0

    def write(self, batch: Batch) -> None:
        self.gathered += [record.subject for record in batch.records if isinstance(record, EventRecord)]

    def flush(self) -> None:
        self.flushed += 1
        gathered, self.gathered = self.gathered, []
        if type(self).unavailable:
            raise SinkUnavailableError("The place is down.")
        if type(self).poison in gathered:
            raise ValueError("I cannot take these.")
        self.taken += gathered


@pytest.fixture(params=[False, True], ids=["lane", "inline"])
def gathering(
    sinks: None, tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[drainer.Drainer]:
    monkeypatch.setattr(sys.modules["sinks_of_a_test"], "Gathering", Gathering, raising=False)
    monkeypatch.setattr(Gathering, "inline", request.param, raising=False)
    found = drainer.Drainer(tmp_path, sinks=("sinks_of_a_test.Gathering",))
    assert found.acquire()
    yield found
    found.release()
    Gathering.unavailable, Gathering.poison = False, None


def test_a_sink_that_gathers_is_flushed_once_for_all_segments(
    written: spool.FileSpool, gathering: drainer.Drainer, tmp_path: Path
) -> None:
    append(written, "1")
    append(spool.FileSpool(tmp_path), "2")
    gathering.drain()
    gathering.drain()
    assert sorted(Gathering.instance.taken) == ["1", "2"]
    assert Gathering.instance.flushed == 1


def test_what_a_sink_gathered_counts_when_it_was_flushed(
    written: spool.FileSpool, gathering: drainer.Drainer, tmp_path: Path
) -> None:
    Gathering.unavailable = True
    append(written, "1")
    report = gathering.drain()
    assert report.failing == ("gathering",)
    assert report.waiting > 0
    written.close()
    gathering.drain()
    assert spool.file_segments(tmp_path), "it is kept for the sink"
    Gathering.unavailable = False
    wait_until(lambda: gathering.drain().waiting == 0)
    assert Gathering.instance.taken == ["1"]


def test_what_cannot_be_flushed_is_counted_and_holds_nothing_back(
    written: spool.FileSpool, gathering: drainer.Drainer
) -> None:
    Gathering.poison = "1"
    guard.take()
    append(written, "1")
    gathering.drain()
    append(written, "2")
    gathering.drain()
    assert Gathering.instance.taken == ["2"]
    tally = guard.take()
    assert tally is not None
    assert "I cannot take these" in tally.last_error


def test_a_cursor_of_a_segment_that_is_gone_is_let_go_of(
    written: spool.FileSpool, gathering: drainer.Drainer
) -> None:
    """A lane may settle what it had of a segment after the drainer has forgotten that."""
    [feed] = gathering._feeds()
    feed.cursors["0-1-gone"] = 7
    append(written, "1")
    gathering.drain()
    assert Gathering.instance.taken == ["1"]
    assert len(feed.cursors) == 1
    assert "0-1-gone" not in feed.cursors


def test_a_sink_that_ends_its_thread_gets_another_one(
    written: spool.FileSpool, draining: drainer.Drainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A library may call ``sys.exit``; the records come again."""
    with monkeypatch.context() as patch:
        patch.setattr(Another, "write", lambda sink, batch: sys.exit())
        append(written, "1")
        assert draining.drain().failing == ("another",)
    draining.drain()
    assert Another.instance.taken == ["1"]
    assert draining.drain().failing == ()


def test_a_sink_that_is_named_twice_is_there_once(settings: Settings) -> None:
    settings.QAPROD = {"SINKS": ["django_qaprod.sinks.statsd.StatsDSink"], "STATSD": {}}
    assert conf.sink_paths() == ("django_qaprod.sinks.statsd.StatsDSink",)
