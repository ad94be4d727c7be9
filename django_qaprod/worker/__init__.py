"""The worker: everything periodic, once per installation, in whichever process holds the lease."""

from __future__ import annotations

import threading
from collections.abc import Callable
from importlib import import_module

from ..conf import settings
from ..pipeline import hooks

#: Modules that register jobs when the worker begins: parts above this one add theirs in ``ready()``.
job_modules: list[str] = [f"{__name__}.jobs"]

#: Wait, at most so many seconds, for what jobs have begun in threads: for cron, whose process ends.
awaited: list[Callable[[float], object]] = []


def install() -> None:
    """Make the worker a neighbour of the drainer: a thread of the process that drains, unless a command is.

    Starts nothing, and imports the jobs no earlier than they are to run.
    """
    if settings().background == "thread" and _run not in hooks.neighbours:
        hooks.neighbours.append(_run)


def load_jobs() -> None:
    """Import what registers jobs."""
    for name in job_modules:
        import_module(name)


def _run(stop: threading.Event) -> None:
    from .loop import Worker

    Worker().run(stop)
