"""What the worker does, the gauges that it asks, and what went wrong inside us."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import timedelta

from .. import registry
from ..pipeline import process
from ..queries import health as health_queries
from .findings import Finding, error, number, ok, unknown, warning


def of_worker() -> Iterator[Finding]:
    """Yield who works, and what is behind."""
    found = health_queries.health()
    holder = found.worker
    if holder is not None and holder.alive:
        message = f"{holder.name} has the lease until {holder.expires_at:%H:%M:%S}"
        if _is_gone(holder.name):
            hint = "Another takes over then; of containers that share a name, it may be in another one."
            yield unknown("worker", f"{message}, but there is no such process here any more.", hint)
        else:
            # It may have died since it took the lease, elsewhere; that ends by itself.
            yield ok("worker", f"{message}.")
    else:
        hint = "A web process starts it with its first request; `manage.py qaprod_worker` is one of its own."
        message = "Nobody works now." if found.jobs else "Nobody has worked yet."
        yield error("worker", message, hint) if found.late else warning("worker", message, hint)
    if found.late:
        yield error("worker", f"Roll-ups are {_span(found.late)} behind: pages are slower, lists are stale.")
    for job in found.failing_jobs:
        yield error("worker", f"The job {job.name} failed at {job.started_at:%Y-%m-%d %H:%M}: {job.error}")


def of_gauges() -> Iterator[Finding]:
    """Yield how the declared gauges are, and which of them fail."""
    declared = {spec.name for spec in registry.gauges()}
    if not declared:
        yield ok("gauges", "None is declared.")
        return
    runs = [run for run in health_queries.gauges() if run.name in declared]
    failing = [run for run in runs if run.error]
    last = max((run.succeeded_at for run in runs if run.succeeded_at is not None), default=None)
    read = f"the last was read at {last:%Y-%m-%d %H:%M:%S}" if last is not None else "none has been read yet"
    message = f"{len(declared)} declared, {len(failing)} failing; {read}."
    if last is None:
        yield warning("gauges", message, "The worker reads them: see what is said about it.")
    else:
        yield ok("gauges", message)
    for run in failing:
        yield warning(
            "gauges",
            f"{run.name} failed at {run.started_at:%Y-%m-%d %H:%M:%S}: {run.error}",
            f"The admin has its failures: search for kind:gauge name:{run.name}",
        )


def of_troubles() -> Iterator[Finding]:
    """Yield what was counted of each part of ours within a day."""
    found = health_queries.health()
    for trouble in found.troubles:
        errors, dropped = number(trouble.errors, "error"), number(trouble.dropped, "record")
        said = f"{trouble.part} on {trouble.host}: {errors}, {dropped} dropped"
        yield warning("inside", f"{said}, last at {trouble.at:%Y-%m-%d %H:%M}. {trouble.last_error}".rstrip())
    if not found.troubles:
        yield ok("inside", "Nothing was dropped and nothing went wrong inside us for a day.")


def _is_gone(holder: str) -> bool:
    """Whether a worker was a process of this machine, and there is none of its number now."""
    host, _, number_of_process = holder.rpartition(":")[0].rpartition(":")
    if host != process.host() or not number_of_process.isdecimal():
        return False
    try:
        os.kill(int(number_of_process), 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):
        # Somebody else's; or what no process can have for a number.
        return False
    return False


def _span(span: timedelta) -> str:
    return str(span).partition(".")[0]
