"""What the worker does and how often. Jobs are idempotent and delegate to the store."""

from __future__ import annotations

from datetime import timedelta

from ..expectations import passes
from ..forms import queue
from ..store import event_rollups, occurrences, priority, retention, rollups, states
from . import awaited
from .schedule import Run, job

awaited.append(queue.wait)

# How far back a job looks that has never succeeded.
_AT_FIRST = timedelta(days=1)
_OVERLAP = timedelta(minutes=5)


# In the middle of the minute: when the last numbers of the one before have come in, and together with the
# others, for each time that the worker wakes costs more than most of its jobs.
@job("roll_up", every=timedelta(minutes=1), offset=timedelta(seconds=30))
def roll_up(run: Run) -> None:
    """Roll numbers up."""
    rollups.roll_up()


@job("priorities", every=timedelta(seconds=30))
def priorities(run: Run) -> None:
    """Keep what the list of failures sorts by, and end or resume silences."""
    priority.refresh(since=run.previous)
    states.review()


@job("thin_out", every=timedelta(minutes=1), offset=timedelta(seconds=30))
def thin_out(run: Run) -> None:
    """Keep as many occurrences as there may be."""
    since = run.now - _AT_FIRST if run.previous is None else run.previous
    occurrences.thin_out(since=since - _OVERLAP)


@job("expectations", every=timedelta(minutes=1), offset=timedelta(seconds=30))
def expectations(run: Run) -> None:
    """Find what was not followed as expected, and repair what may be repaired."""
    passes.look(run.stop)


@job("roll_up_events", every=timedelta(minutes=5), offset=timedelta(seconds=60))
def roll_up_events(run: Run) -> None:
    """Derive the hourly numbers of journeys."""
    event_rollups.roll_up()


@job("prune", every=timedelta(minutes=10), offset=timedelta(seconds=120))
def prune(run: Run) -> None:
    """Delete telemetry that is too old or too much."""
    retention.prune()


@job("prune_events", every=timedelta(days=1), offset=timedelta(hours=3, minutes=20))
def prune_events(run: Run) -> None:
    """Delete events that are too old."""
    retention.prune_events()


@job("prune_submissions", every=timedelta(hours=1), offset=timedelta(minutes=25))
def prune_submissions(run: Run) -> None:
    """Delete rescued submissions that are too old."""
    retention.prune_submissions()


@job("replays", every=timedelta(minutes=1), offset=timedelta(seconds=30))
def replays(run: Run) -> None:
    """Go on with the replays that were asked for, and heal after a deploy, in a thread of their own."""
    queue.look_after()
