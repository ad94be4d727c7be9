from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from celery import Celery, Task, signals
from celery.contrib.testing.worker import start_worker

from django_qaprod import context
from django_qaprod.contrib import celery as adapter
from django_qaprod.testing import Records

CANARY = "c4n4ry"

app = Celery("tests", broker="memory://", backend="cache+memory://", fixups=())
attempts: list[int] = []


@app.task(name="jobs.send")
def send(address: str) -> None:
    logging.getLogger("jobs").warning("sending")
    raise ValueError("the school has no address")


@app.task(name="jobs.ok")
def ok() -> str:
    current = context.current()
    assert current is not None
    return f"{current.kind} {current.name}"


@app.task(name="jobs.retry", bind=True, max_retries=2, default_retry_delay=0)
def retry(self: Any) -> str:
    attempts.append(1)
    if len(attempts) < 3:
        raise self.retry(exc=ValueError("busy"), countdown=0)
    return "done"


@signals.setup_logging.connect
def leave_logging_alone(**kwargs: Any) -> None:
    """A worker would set the levels of everything else that is tested."""


@pytest.fixture
def connected() -> Iterator[None]:
    adapter.connect()
    adapter.connect()
    yield
    adapter.disconnect()


@pytest.fixture(scope="module")
def worker() -> Iterator[None]:
    with start_worker(app, perform_ping_check=False, pool="solo", loglevel="ERROR"):
        yield


def finished(task: Task, *args: Any, runs: int = 1) -> Any:
    """Return the result of a task when its last signal was sent; a result is there before that."""
    ran = threading.Semaphore(0)

    def on_postrun(**kwargs: Any) -> None:
        ran.release()

    signals.task_postrun.connect(on_postrun)
    try:
        result = task.delay(*args)
        assert all(ran.acquire(timeout=60) for _ in range(runs))
    finally:
        signals.task_postrun.disconnect(on_postrun)
    return result.get(timeout=60)


def test_a_task_that_fails_in_a_worker_is_one_failure(
    records: Records, worker: None, connected: None
) -> None:
    with pytest.raises(ValueError, match="no address"):
        finished(send, CANARY)
    (failure,) = records.failures
    assert (failure.kind, failure.name, failure.error_type) == ("task", "jobs.send", "ValueError")
    assert CANARY not in repr(failure)
    assert [line.message for line in failure.lines] == ["sending"]


def test_a_task_knows_its_name(records: Records, worker: None, connected: None) -> None:
    assert finished(ok) == "task jobs.ok"
    assert not records.failures


def test_a_task_that_is_tried_again_has_not_failed(records: Records, worker: None, connected: None) -> None:
    attempts.clear()
    assert finished(retry, runs=3) == "done"
    assert len(attempts) == 3
    assert not records.failures


def test_an_eager_task_leaves_the_request_as_it_was(
    records: Records, connected: None, served: context.Context
) -> None:
    with pytest.raises(ValueError, match="no address"):
        send.apply(args=(CANARY,)).get()
    assert context.current() is served
    (failure,) = records.failures
    assert failure.request_id == served.request_id


def test_without_the_adapter_a_failed_task_is_a_logged_error(records: Records, worker: None) -> None:
    with pytest.raises(ValueError, match="no address"):
        finished(send, CANARY)
    assert [failure.kind for failure in records.failures] == ["logged"]
