"""The declared gauges: asked when they are due, which the database knows, so one reading per installation."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import NamedTuple

from .. import registry
from ..clock import moment
from ..gauges.asking import Asker
from ..models import JobRun
from ..pipeline import process
from ..registry import GaugeSpec
from ..store import jobruns
from .schedule import Pace

# Together with most of the jobs: each time that the worker wakes costs more than most of them.
_OFFSET = timedelta(seconds=30)


class Settled(NamedTuple):
    """How a reading went; ``seconds`` since it was asked for."""

    name: str
    seconds: float
    error: str


class Gauges:
    """The gauges as one worker asks them. Never waits for one, unless told to."""

    def __init__(self) -> None:
        self._asker = Asker()
        self._asked: dict[str, float] = {}

    def ask(self, runs: Mapping[str, JobRun]) -> None:
        """Ask those that are due by their last runs, unless they have not ended since."""
        if not process.recording():
            return
        now = time.time()
        for spec in registry.gauges():
            name = jobruns.GAUGE + spec.name
            if _pace(spec).due(now, runs.get(name)) and self._asker.ask(spec):
                self._asked[spec.name] = now
                jobruns.begin(name, moment(now))

    def settle(self, *, wait: bool = False) -> Iterator[Settled]:
        """Write down how those went that have ended; with ``wait`` all that were asked."""
        if wait:
            self.wait_for_answers()
        for answer in self._asker.answers():
            name = jobruns.GAUGE + answer.name
            jobruns.end(name, error=answer.error, at=moment(answer.at))
            seconds = answer.at - self._asked.get(answer.name, answer.at)
            yield Settled(name, seconds, answer.error)

    def wait_for_answers(self, within: float | None = None) -> None:
        """Wait until all that were asked have answered or run out of time."""
        self._asker.wait(within)

    def wait(self, now: float) -> float:
        """Return the seconds until the next one is due."""
        return min((_pace(spec).wait(now) for spec in registry.gauges()), default=float("inf"))


def _pace(spec: GaugeSpec) -> Pace:
    return Pace(every=timedelta(seconds=spec.every), offset=_OFFSET)
