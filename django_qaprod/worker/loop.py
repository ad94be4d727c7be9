"""The worker's loop: one lease per installation, jobs when they are due, and nothing stops it."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from time import perf_counter

from ..clock import moment
from ..gauges import resources
from ..models import JobRun
from ..pipeline import guard, process
from ..store import connections, jobruns, leases
from ..text import one_line
from . import awaited, load_jobs
from .gauges import Gauges
from .schedule import Job, Run, registry

LEASE = "worker"
TTL = timedelta(seconds=60)
#: Seconds: the longest wait of the holder (well within the lease), and how often the others ask for it.
HOLDER_WAITS, OTHERS_WAIT = 30.0, 20.0
#: Seconds after which a turn that goes on prolongs the lease.
RENEW_AFTER = 15.0
#: Seconds before a database that failed is tried again: the first wait and the longest.
RETRY_FIRST, RETRY_MOST = 5.0, 60.0
#: Seconds that cron waits for what jobs have begun.
WAITED = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a job or the reading of a gauge went. ``error`` is empty when all was well.

    A gauge is the host's, and what goes wrong with it a failure that is recorded: no fault of the worker's.
    """

    name: str
    seconds: float
    error: str = ""
    gauge: bool = False


Watcher = Callable[[Outcome], None]


def _ignore(outcome: Outcome) -> None:
    """Nobody watches."""


class Worker:
    """Runs the jobs while it holds the lease; several may run, one works. ``watch`` hears of each job run."""

    def __init__(self, *, watch: Watcher = _ignore) -> None:
        self.holder = f"{process.host()}:{os.getpid()}:{os.urandom(3).hex()}"
        self._watch = watch
        load_jobs()
        self._stop = threading.Event()
        self._acquired_at = time.monotonic()
        self._gauges = Gauges()

    @connections.kept()
    def run(self, stop: threading.Event) -> None:
        """Work until ``stop`` is set; then let go of the lease."""
        self._stop = stop
        delay = 0.0
        while not stop.is_set():
            pause = None
            with guard.guard("worker"):
                pause = self.turn()
            delay = min(max(delay * 2, RETRY_FIRST), RETRY_MOST) if pause is None else 0.0
            stop.wait(delay if pause is None else pause)
        with guard.guard("worker"):
            leases.release(LEASE, self.holder)

    def acquire(self) -> bool:
        """Take or keep the lease; return whether it is ours."""
        # From before the question: the lease lasts longer than we believe, never shorter.
        self._acquired_at = time.monotonic()
        return leases.acquire(LEASE, self.holder, ttl=TTL)

    def turn(self) -> float:
        """Take or keep the lease and run what is due; return the seconds to wait.

        Raises when there is no database.
        """
        connections.close_old()
        # What gauges read is flushed by this process, which may have nothing else to flush.
        process.tick(perf_counter())
        if not self.acquire():
            return OTHERS_WAIT
        self.run_due()
        now = time.time()
        return min([HOLDER_WAITS, self._gauges.wait(now), *(job.wait(now) for job in registry.values())])

    def run_due(self) -> list[Outcome]:
        """Run the jobs that are due, whoever holds the lease, and return how they went.

        Gauges that are due are asked first, and answer while the jobs run, or later.
        """
        runs = jobruns.started()
        resources.read_lag(_lag(runs))
        self._gauges.ask(runs)
        outcomes = []
        for job in list(registry.values()):
            last = runs.get(job.name)
            if self._stop.is_set() or not job.due(time.time(), last):
                continue
            outcome = self._run(job, last)
            self._watch(outcome)
            outcomes.append(outcome)
            if time.monotonic() - self._acquired_at >= RENEW_AFTER:
                self.acquire()
        return outcomes + self.settle()

    def settle(self, *, wait: bool = False) -> list[Outcome]:
        """Write down how gauges answered; with ``wait`` those, too, that have not done so yet."""
        outcomes = [
            Outcome(name=name, seconds=seconds, error=error, gauge=True)
            for name, seconds, error in self._gauges.settle(wait=wait)
        ]
        for outcome in outcomes:
            self._watch(outcome)
        return outcomes

    def wait_for_gauges(self, within: float) -> None:
        """Wait until those that are being read have answered, or that many seconds. From any thread."""
        self._gauges.wait_for_answers(within)

    def _run(self, job: Job, last: JobRun | None) -> Outcome:
        began, at = time.monotonic(), moment(time.time())
        jobruns.begin(job.name, at)
        error = ""
        try:
            job.run(Run(now=at, previous=last.succeeded_at if last else None, stop=self._stop))
        except SystemExit as problem:
            # Of the host's, in a job that calls it: the thread would end, and nobody would work any more.
            error = one_line(f"SystemExit: {problem}", 500)
        except Exception as problem:  # noqa: BLE001 - one job must not stop the others
            guard.caught(f"job.{job.name}", problem)
            error = one_line(f"{type(problem).__name__}: {guard.words_of(problem)}", 500)
            connections.close_old()
        jobruns.end(job.name, error=error)
        return Outcome(name=job.name, seconds=time.monotonic() - began, error=error)


def run_due() -> list[Outcome] | None:
    """Run what is due once, for cron; ``None`` when another process holds the lease.

    What gauges answered is in the spool afterwards, and what jobs began in threads of their own has ended.
    """
    worker = Worker()
    if not worker.acquire():
        return None
    try:
        return worker.run_due() + worker.settle(wait=True)
    finally:
        leases.release(LEASE, worker.holder)
        process.flush()
        for wait in awaited:
            wait(WAITED)


def _lag(runs: Mapping[str, JobRun]) -> float:
    """Return by how many seconds the most overdue job is late: when it should have gone well again."""
    now = time.time()
    late = [
        now - run.succeeded_at.timestamp() - job.every.total_seconds()
        for name, job in registry.items()
        if (run := runs.get(name)) is not None and run.succeeded_at is not None
    ]
    return max([0.0, *late])
