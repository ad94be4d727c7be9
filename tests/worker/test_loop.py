from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from unittest import mock

import pytest
from django.db import OperationalError

from django_qaprod import worker
from django_qaprod.models import JobRun, Lease
from django_qaprod.pipeline import guard, hooks
from django_qaprod.store import leases
from django_qaprod.worker import loop, schedule
from django_qaprod.worker.loop import LEASE, TTL, Outcome, Worker, run_due

pytestmark = pytest.mark.django_db(databases="__all__")


@pytest.fixture
def jobs() -> Iterator[dict[str, int]]:
    """Only the jobs of the test; the count of their runs."""
    runs: dict[str, int] = {}
    worker.load_jobs()
    with mock.patch.dict(schedule.registry, clear=True):
        yield runs
    guard.take()


def add(
    runs: dict[str, int], name: str, *, error: Exception | None = None, stop: threading.Event | None = None
) -> None:
    @schedule.job(name, every=timedelta(hours=1))
    def run(told: schedule.Run) -> None:
        runs[name] = runs.get(name, 0) + 1
        if stop is not None:
            stop.set()
        if error is not None:
            raise error


def test_it_runs_what_is_due_once(jobs: dict[str, int]) -> None:
    add(jobs, "a")
    add(jobs, "b")
    assert [outcome.name for outcome in run_due() or ()] == ["a", "b"]
    assert run_due() == []
    assert jobs == {"a": 1, "b": 1}
    run = JobRun.objects.get(name="a")
    assert run.started_at <= run.finished_at == run.succeeded_at
    assert run.error == ""


def test_a_job_that_fails_does_not_stop_the_others(jobs: dict[str, int]) -> None:
    add(jobs, "bad", error=ValueError("no such\ncolumn"))
    add(jobs, "good")
    outcomes = run_due() or []
    assert [outcome.error for outcome in outcomes] == ["ValueError: no such column", ""]
    run = JobRun.objects.get(name="bad")
    assert (run.error, run.succeeded_at) == ("ValueError: no such column", None)
    tally = guard.take()
    assert tally is not None
    assert tally.errors == {"job.bad": 1}


def test_the_next_good_run_clears_the_error(jobs: dict[str, int]) -> None:
    add(jobs, "a", error=ValueError("x"))
    run_due()
    add(jobs, "a")
    JobRun.objects.update(started_at=JobRun.objects.get().started_at - timedelta(hours=2))
    run_due()
    assert JobRun.objects.get().error == ""


def test_a_job_hears_when_it_went_well_last(jobs: dict[str, int]) -> None:
    told: list[schedule.Run] = []
    schedule.job("a", every=timedelta(microseconds=1))(told.append)
    run_due()
    time.sleep(0.01)
    run_due()
    first, second = told
    assert first.previous is None
    assert second.previous is not None
    assert first.now <= second.previous <= second.now


def test_whoever_has_no_lease_does_nothing(jobs: dict[str, int]) -> None:
    add(jobs, "a")
    leases.acquire(LEASE, "another", ttl=TTL)
    assert run_due() is None
    assert Worker().turn() == loop.OTHERS_WAIT
    assert jobs == {}


def test_the_lease_is_prolonged_when_a_turn_takes_long(
    jobs: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in "abc":
        add(jobs, name)
    with mock.patch.object(leases, "acquire", return_value=True) as acquire:
        Worker().turn()
        assert acquire.call_count == 1
        JobRun.objects.all().delete()
        monkeypatch.setattr(loop, "RENEW_AFTER", 0)
        Worker().turn()
        assert acquire.call_count == 1 + 1 + 3


def test_the_lease_is_free_again_afterwards(jobs: dict[str, int]) -> None:
    run_due()
    assert Lease.objects.get().holder == ""


def test_it_works_until_it_is_told_to_stop(jobs: dict[str, int]) -> None:
    stop = threading.Event()
    seen: list[Outcome] = []
    add(jobs, "a", stop=stop)
    add(jobs, "b")
    Worker(watch=seen.append).run(stop)
    assert jobs == {"a": 1}
    assert [outcome.name for outcome in seen] == ["a"]
    assert Lease.objects.get().holder == ""


def test_a_dead_database_is_tried_again_ever_more_rarely(
    jobs: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []

    class Stop(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            waits.append(timeout or 0)
            if len(waits) == 6:
                self.set()
            return self.is_set()

    with mock.patch.object(leases, "acquire", side_effect=OperationalError("connection refused")):
        Worker().run(Stop())
    assert waits == [5, 10, 20, 40, 60, 60]


def test_nothing_is_recorded_about_what_happens_inside(jobs: dict[str, int]) -> None:
    inside: list[bool] = []
    stop = threading.Event()

    @schedule.job("a", every=timedelta(hours=1))
    def run(told: schedule.Run) -> None:
        inside.append(guard.inside())
        stop.set()

    Worker().run(stop)
    assert inside == [True]


def test_our_own_jobs_run_on_an_empty_database() -> None:
    outcomes = run_due()
    assert outcomes
    assert [outcome.error for outcome in outcomes] == [""] * len(outcomes)


class TestInstall:
    def test_the_worker_is_a_neighbour_of_the_drainer(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(hooks, "neighbours", [])
        worker.install()
        worker.install()
        assert len(hooks.neighbours) == 1

    def test_not_where_a_command_does_the_work(
        self, monkeypatch: pytest.MonkeyPatch, settings: object
    ) -> None:
        settings.QAPROD = {"BACKGROUND": "command"}  # type: ignore[attr-defined]
        monkeypatch.setattr(hooks, "neighbours", [])
        worker.install()
        assert hooks.neighbours == []
