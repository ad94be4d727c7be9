"""When each of the worker's jobs ran last, and what became of it."""

from __future__ import annotations

from datetime import datetime

from ..clock import now
from ..conf import telemetry_alias
from ..models import JobRun
from .statements import limit, update

#: Before the name of a gauge, whose readings are kept like the runs of a job.
GAUGE = "gauge:"

_BEGIN = "UPDATE {table} SET {started_at} = %s, {finished_at} = NULL WHERE {name} = %s"
_END = "UPDATE {table} SET {finished_at} = %s, {error} = %s WHERE {name} = %s"
_END_WELL = "UPDATE {table} SET {finished_at} = %s, {error} = '', {succeeded_at} = %s WHERE {name} = %s"


def started(*, using: str | None = None) -> dict[str, JobRun]:
    """Return the last run of each job, by name."""
    return {run.name: run for run in JobRun.objects.using(using or telemetry_alias())}


def begin(name: str, at: datetime, *, using: str | None = None) -> None:
    """Write down that a job begins."""
    alias = using or telemetry_alias()
    if not update(JobRun, _BEGIN, ("started_at", "name"), (at, name), using=alias):
        JobRun.objects.using(alias).bulk_create([JobRun(name=name, started_at=at)], ignore_conflicts=True)


def end(name: str, *, error: str = "", at: datetime | None = None, using: str | None = None) -> None:
    """Write down that a job has ended, and with what error; the time of the last success stays."""
    at, alias = at or now(), using or telemetry_alias()
    if error:
        row = (at, error[: limit(JobRun, "error")], name)
        update(JobRun, _END, ("finished_at", "error", "name"), row, using=alias)
    else:
        update(JobRun, _END_WELL, ("finished_at", "succeeded_at", "name"), (at, at, name), using=alias)
