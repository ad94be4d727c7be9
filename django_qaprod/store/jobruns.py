"""When each of the worker's jobs ran last, and what became of it."""

from __future__ import annotations

from datetime import datetime

from ..clock import now
from ..conf import telemetry_alias
from ..models import JobRun
from .statements import limit


def started(*, using: str | None = None) -> dict[str, JobRun]:
    """Return the last run of each job, by name."""
    return {run.name: run for run in JobRun.objects.using(using or telemetry_alias())}


def begin(name: str, at: datetime, *, using: str | None = None) -> None:
    """Write down that a job begins."""
    alias = using or telemetry_alias()
    if not JobRun.objects.using(alias).filter(name=name).update(started_at=at, finished_at=None):
        JobRun.objects.using(alias).bulk_create([JobRun(name=name, started_at=at)], ignore_conflicts=True)


def end(name: str, *, error: str = "", using: str | None = None) -> None:
    """Write down that a job has ended, and with what error; the time of the last success stays."""
    at = now()
    changes: dict[str, object] = {"finished_at": at, "error": error[: limit(JobRun, "error")]}
    if not error:
        changes["succeeded_at"] = at
    JobRun.objects.using(using or telemetry_alias()).filter(name=name).update(**changes)
