"""Celery tasks, by Celery's own signals.

On because you say so, in the module that makes your Celery app or in a ``qaprod.py``::

    from django_qaprod.contrib import celery

    celery.connect()

A task that fails is a failure named after the task, without its arguments. One that will be retried has not
failed.
"""

from __future__ import annotations

from contextvars import Token
from typing import Any

from celery import signals

from ..capture.tasks import enter, leave
from ..context import Context
from ..pipeline.failures import report_exception
from ..pipeline.guard import guarded

# Where the token of a running task is kept: on its request, which ends with it.
_TOKEN = "_qaprod_token"  # noqa: S105 - a context variable's


def connect() -> None:
    """Listen to Celery. May be called again."""
    signals.task_prerun.connect(_on_prerun, weak=False, dispatch_uid="qaprod.prerun")
    signals.task_postrun.connect(_on_postrun, weak=False, dispatch_uid="qaprod.postrun")
    signals.task_failure.connect(_on_failure, weak=False, dispatch_uid="qaprod.failure")


def disconnect() -> None:
    """Stop listening to Celery. For tests."""
    signals.task_prerun.disconnect(dispatch_uid="qaprod.prerun")
    signals.task_postrun.disconnect(dispatch_uid="qaprod.postrun")
    signals.task_failure.disconnect(dispatch_uid="qaprod.failure")


@guarded("contrib.celery")
def _on_prerun(*, task: Any = None, **kwargs: Any) -> None:
    setattr(task.request, _TOKEN, enter(task.name))


@guarded("contrib.celery")
def _on_postrun(*, task: Any = None, **kwargs: Any) -> None:
    token: Token[Context | None] | None = getattr(task.request, _TOKEN, None)
    setattr(task.request, _TOKEN, None)
    leave(token)


@guarded("contrib.celery")
def _on_failure(*, sender: Any = None, exception: BaseException | None = None, **kwargs: Any) -> None:
    if exception is not None:
        report_exception(exception, kind="task", name=str(getattr(sender, "name", "")))
