"""Background tasks of ``django.tasks`` (Django 6.0 and later), by its signals.

The signals are imported only when the host uses tasks: they cost 5 ms of start-up. A task that fails
without them is still a failure, by the ERROR that Django logs (``capture.logging``); they add its name to
what happens meanwhile, and find those whose exception happened in another process.
"""

from __future__ import annotations

import sys
from contextvars import Token
from typing import Any

from django.conf import settings as django_settings

from .. import context
from ..pipeline.guard import guarded
from .commands import named

_FAILED = "FAILED"

# What was served before a task began, by the task's id; an immediate task runs within a request.
_running: dict[str, Token[context.Context | None]] = {}
_MAX_RUNNING = 1_000


def install() -> None:
    """Listen to the signals of ``django.tasks``, if the host uses it. May be called again."""
    if "django.tasks.signals" not in sys.modules and not _configured():
        return
    try:
        from django.tasks import signals
    except ImportError:  # Django 5.2
        return
    signals.task_started.connect(_on_started, dispatch_uid="qaprod.tasks")
    signals.task_finished.connect(_on_finished, dispatch_uid="qaprod.tasks")


def _configured() -> bool:
    # The stubs take ``settings`` for the host's own; a project that sets TASKS has tasks.
    lazy: Any = django_settings
    return bool(lazy.is_overridden("TASKS"))


@guarded("capture.tasks")
def _on_started(*, task_result: Any, **kwargs: Any) -> None:
    if len(_running) >= _MAX_RUNNING:
        _running.clear()
    _running[task_result.id] = enter(task_result.task.module_path)


@guarded("capture.tasks")
def _on_finished(*, task_result: Any, **kwargs: Any) -> None:
    try:
        if task_result.status == _FAILED:
            _report(task_result)
    finally:
        leave(_running.pop(task_result.id, None))


def enter(name: str) -> Token[context.Context | None]:
    """Begin a task: what happens from here on happens in it. It keeps the id of the request it runs in."""
    made = named("task", name)
    around = context.current()
    if around is not None:
        made._request_id = around.request_id
    return context.enter(made)


def leave(token: Token[context.Context | None] | None) -> None:
    """End a task, unless it ends elsewhere than it began."""
    if token is None:
        return
    try:
        context.leave(token)
    except ValueError:
        # Another thread or asyncio task than it began in: that one's context is not ours to end.
        return


def _report(task_result: Any) -> None:
    from ..pipeline.failures import report_exception, report_words

    name = task_result.task.module_path
    error = sys.exc_info()[1]
    if error is not None:
        report_exception(error, kind="task", name=name)
    elif task_result.errors:
        last = task_result.errors[-1]
        report_words(
            kind="task",
            error_type=last.exception_class_path.removeprefix("builtins."),
            message=_message(last.traceback),
            traceback=last.traceback,
            name=name,
        )


def _message(traceback: str) -> str:
    """Return what the exception said: the rest of the last line that is not indented."""
    lines = [line for line in traceback.splitlines() if line and not line.startswith(" ")]
    return lines[-1].partition(": ")[2] if lines else ""
