from __future__ import annotations

import logging
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import django
import pytest
from pytest_django.fixtures import Settings

from django_qaprod import context
from django_qaprod.capture import tasks
from django_qaprod.context import Context
from django_qaprod.testing import Records

has_tasks = pytest.mark.skipif(django.VERSION < (6, 0), reason="django.tasks came with Django 6.0")


@dataclass
class Result:
    """What a backend hands to the signals, as far as we look at it."""

    id: str = "a"
    status: str = "RUNNING"
    errors: list[Any] = field(default_factory=list)
    task: Any = field(default_factory=lambda: SimpleNamespace(module_path="jobs.tasks.send"))


def send() -> None:
    logging.getLogger("jobs").warning("sending")
    raise ValueError("the school has no address")


async def asend() -> None:
    send()


def ok() -> str:
    current = context.current()
    assert current is not None
    return f"{current.kind} {current.name}"


@pytest.fixture
def connected(settings: Settings) -> None:
    settings.TASKS = {"default": {"BACKEND": "django.tasks.backends.immediate.ImmediateBackend"}}
    tasks.install()
    tasks.install()


@has_tasks
@pytest.mark.parametrize("function", [send, asend])
def test_a_task_that_fails_is_one_failure_with_its_name(
    records: Records, connected: None, function: Any
) -> None:
    from django.tasks import task

    task(function).enqueue()
    (failure,) = records.failures
    assert (failure.kind, failure.error_type) == ("task", "ValueError")
    assert failure.name == f"{__name__}.{function.__name__}"
    assert [line.message for line in failure.lines] == ["sending"]
    assert context.current() is None


@has_tasks
async def test_a_task_that_fails_is_one_failure_async(records: Records, connected: None) -> None:
    from django.tasks import task

    await task(asend).aenqueue()
    (failure,) = records.failures
    assert (failure.kind, failure.name) == ("task", f"{__name__}.asend")


@has_tasks
def test_a_task_knows_its_name_and_leaves_nothing_behind(records: Records, connected: None) -> None:
    from django.tasks import task

    assert task(ok).enqueue().return_value == f"task {__name__}.ok"
    assert not records.failures
    assert context.current() is None


@has_tasks
def test_an_immediate_task_keeps_the_request_that_it_runs_in(
    records: Records, connected: None, served: Context
) -> None:
    from django.tasks import task

    task(send).enqueue()
    assert records.failures[0].request_id == served.request_id
    assert context.current() is served


def test_a_task_whose_exception_is_elsewhere_is_told_in_words(records: Records) -> None:
    words = 'Traceback:\n  File "/srv/t.py", line 1, in send\n    go()\nValueError: gone\n'
    error = SimpleNamespace(exception_class_path="builtins.ValueError", traceback=words)
    tasks._on_started(task_result=Result())
    tasks._on_finished(task_result=Result(status="FAILED", errors=[error]))
    (failure,) = records.failures
    assert (failure.kind, failure.name) == ("task", "jobs.tasks.send")
    assert (failure.error_type, failure.message) == ("ValueError", "gone")
    assert failure.culprit.endswith("send")


def test_tasks_that_never_end_are_forgotten(records: Records) -> None:
    before = context.current()
    for number in range(tasks._MAX_RUNNING + 5):
        tasks._on_started(task_result=Result(id=str(number)))
    assert len(tasks._running) <= tasks._MAX_RUNNING
    tasks._running.clear()
    context.enter(before)


def test_a_task_that_ends_in_another_context_disturbs_nothing(records: Records) -> None:
    import contextvars

    token = contextvars.copy_context().run(tasks.enter, "jobs.tasks.send")
    tasks.leave(token)
    assert context.current() is None


def test_a_failed_task_that_is_only_logged_is_a_task(records: Records) -> None:
    try:
        raise ValueError("gone")
    except ValueError:
        logging.getLogger("django.tasks").exception(
            "Task id=%s path=%s state=%s", "a", "jobs.tasks.send", "FAILED"
        )
    (failure,) = records.failures
    assert (failure.kind, failure.name) == ("task", "jobs.tasks.send")


def test_tasks_are_not_imported_for_a_host_without() -> None:
    import subprocess
    import sys

    code = (
        "import sys, django; from django.conf import settings;"
        "settings.configure(INSTALLED_APPS=['django.contrib.contenttypes','django.contrib.auth','django_qaprod'],"
        "DATABASES={}); django.setup(); assert not {'django.tasks', 'celery'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
