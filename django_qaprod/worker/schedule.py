"""What is periodic, and when it is due. Parts of the app register their jobs here: a cheap import."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..models import JobRun


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What a job is told: the present, when it last ended well, and whether to stop early."""

    now: datetime
    previous: datetime | None
    stop: threading.Event


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Due once in every stretch of ``every`` that begins ``offset`` after a round time (UTC).

    The grid keeps the pace whatever the runs take. Stretches that were missed are not made up for.
    """

    every: timedelta
    offset: timedelta = timedelta(0)

    def due(self, now: float, last: JobRun | None) -> bool:
        """Return whether it should run at ``now`` (seconds since the epoch)."""
        if last is None:
            return True
        started = last.started_at.timestamp()
        # A start that lies ahead was written by a clock that was wrong.
        return started > now + self.every.total_seconds() or self._stretch(started) < self._stretch(now)

    def wait(self, now: float) -> float:
        """Return the seconds until its next stretch begins."""
        every = self.every.total_seconds()
        return every - (now - self.offset.total_seconds()) % every

    def _stretch(self, at: float) -> float:
        return (at - self.offset.total_seconds()) // self.every.total_seconds()


@dataclass(frozen=True, slots=True, kw_only=True)
class Job(Pace):
    """Periodic work."""

    name: str
    run: Callable[[Run], object]


registry: dict[str, Job] = {}


def job(
    name: str, *, every: timedelta, offset: timedelta = timedelta(0)
) -> Callable[[Callable[[Run], object]], Callable[[Run], object]]:
    """Register a function as periodic work under a name. It must be harmless to run twice, or twice at once.

    A function of the same name is replaced.
    """

    def register(function: Callable[[Run], object]) -> Callable[[Run], object]:
        registry[name] = Job(name=name, run=function, every=every, offset=offset)
        return function

    return register
