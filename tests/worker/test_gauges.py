"""The worker asks the declared gauges: one reading per installation, on time, and never waiting for one."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from unittest import mock

import pytest
import time_machine

from django_qaprod import gauge, registry, worker
from django_qaprod.clock import moment
from django_qaprod.models import Bucket, Failure, JobRun, Series
from django_qaprod.pipeline import guard
from django_qaprod.testing import Records, capture_records, store_records
from django_qaprod.testing.recording import Store
from django_qaprod.worker import loop, schedule
from django_qaprod.worker.loop import Worker, run_due
from tests.gauges.hanging import released as released
from tests.servers import wait_until

pytestmark = pytest.mark.django_db(databases="__all__")

# In the middle of a minute's stretch, which begins at half past it.
NOW = 1_795_000_000 // 3600 * 3600 + 45


@pytest.fixture(autouse=True)
def _alone() -> Iterator[None]:
    worker.load_jobs()
    with registry.isolated(), mock.patch.dict(schedule.registry, clear=True):
        registry._gauges.clear()
        yield
    guard.take()


@pytest.fixture
def store() -> Iterator[Store]:
    with store_records() as made:
        yield made


@pytest.fixture
def records() -> Iterator[Records]:
    with capture_records() as found:
        yield found


def test_what_is_due_is_read_and_stored(store: Store) -> None:
    gauge("queue.length", unit="{message}")(lambda: {"high": 3, "low": 8})
    gauge("disk.free", unit="By")(lambda: 5.5)
    outcomes = run_due() or []
    # They are read side by side.
    assert {(one.name, one.error, one.gauge) for one in outcomes} == {
        ("gauge:queue.length", "", True), ("gauge:disk.free", "", True),
    }  # fmt: skip
    store.drain()
    found = Series.objects.filter(name__in=("queue.length", "disk.free"))
    stored = {(one.name, one.label, one.gauge, one.unit) for one in found}
    assert stored == {
        ("queue.length", "high", True, "{message}"),
        ("queue.length", "low", True, "{message}"),
        ("disk.free", "", True, "By"),
    }
    bucket = Bucket.objects.get(series__label="high")
    assert (bucket.count, bucket.total, bucket.minimum, bucket.maximum) == (1, 3.0, 3.0, 3.0)


def test_one_reading_in_each_stretch_whoever_works(records: Records) -> None:
    asked = []
    gauge("a", every=60)(lambda: asked.append(time.time()))
    with time_machine.travel(moment(NOW), tick=False) as clock:
        for _ in range(2):
            # Whoever has the lease, and should two believe that they have it.
            for worker in (Worker(), Worker()):
                worker.run_due()
                worker.settle(wait=True)
            clock.shift(60)
    assert asked == [NOW, NOW + 60]


def test_the_worker_wakes_when_the_next_one_is_due(records: Records) -> None:
    gauge("a", every=5)(lambda: 1)
    worker = Worker()
    assert 0 < worker.turn() <= 5
    registry._gauges.clear()
    assert worker.turn() == loop.HOLDER_WAITS


def test_a_failing_gauge_is_a_failure_and_no_failed_job(store: Store) -> None:
    @gauge("queue.length")
    def broken() -> int:
        raise ConnectionError("refused")

    (outcome,) = run_due() or []
    assert (outcome.error, outcome.gauge) == ("ConnectionError: refused", True)
    run = JobRun.objects.get()
    assert (run.name, run.error, run.succeeded_at) == ("gauge:queue.length", "ConnectionError: refused", None)
    assert run.finished_at is not None
    store.drain()
    failure = Failure.objects.get()
    assert (failure.kind, failure.name, failure.count) == ("gauge", "queue.length", 1)
    assert failure.priority_parts["kind"] == 15
    assert guard.take() is None, "no trouble of ours"


def test_the_next_good_reading_clears_the_error(records: Records) -> None:
    answers = iter([ConnectionError("refused"), 3])

    @gauge("a")
    def read() -> int:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    run_due()
    JobRun.objects.update(started_at=moment(time.time() - 120))
    run_due()
    run = JobRun.objects.get()
    assert run.error == ""
    assert run.succeeded_at is not None


def test_a_gauge_that_hangs_delays_neither_the_worker_nor_its_jobs(
    records: Records, released: threading.Event
) -> None:
    ran, read = [], []
    gauge("stuck")(lambda: released.wait(60))
    gauge("good")(lambda: read.append(1))
    schedule.job("a job", every=timedelta(hours=1))(lambda run: ran.append(1))
    worker = Worker()
    worker.turn()
    assert ran == [1]
    good, stuck = (JobRun.objects.filter(name=f"gauge:{name}") for name in ("good", "stuck"))
    wait_until(lambda: worker.settle() or good.get().succeeded_at)
    assert stuck.get().finished_at is None, "under way"

    # When it is due again it has not ended: it is not begun a second time.
    before = stuck.get().started_at - timedelta(hours=1)
    JobRun.objects.update(started_at=before)
    worker.turn()
    assert stuck.get().started_at == before
    assert good.get().started_at > before
    assert ran == [1, 1]


def test_a_command_waits_until_they_have_answered_or_run_out_of_time(
    records: Records, released: threading.Event
) -> None:
    gauge("stuck", timeout=0.05)(lambda: released.wait(60))
    gauge("good")(lambda: 1)
    errors = {outcome.name: outcome.error for outcome in run_due() or []}
    assert errors["gauge:good"] == ""
    assert "did not answer within 0.05 s" in errors["gauge:stuck"]
    assert [failure.name for failure in records.failures] == ["stuck"]


def test_nothing_is_asked_where_nothing_is_recorded() -> None:
    asked = []
    gauge("a")(lambda: asked.append(1))
    assert run_due() == []
    assert asked == []
    assert not JobRun.objects.exists()


def test_by_how_much_jobs_are_late_is_a_gauge(records: Records) -> None:
    schedule.job("a", every=timedelta(minutes=1))(lambda run: None)
    schedule.job("b", every=timedelta(days=1))(lambda run: None)
    ago = {"a": 300, "b": 4000, "gone": 90_000}
    for name, seconds in ago.items():
        at = moment(time.time() - seconds)
        JobRun.objects.create(name=name, started_at=at, succeeded_at=at)
    run_due()
    run_due()
    late, on_time = [cell for cell in records.numbers if cell.name == "qaprod.worker.lag"]
    assert (late.gauge, late.unit, late.count) == (True, "s", 1)
    assert late.total == pytest.approx(240, abs=20)
    assert on_time.total == 0
