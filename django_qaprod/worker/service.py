"""A process of its own that drains and works: what ``manage.py qaprod_worker`` runs."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

from ..forms import queue
from ..pipeline import guard, hooks, process, spool
from ..pipeline.drainer import EVERY, Drainer, DrainReport, drain_now
from ..store import connections
from .loop import Outcome, Worker, run_due

#: Seconds that a job or a batch may go on after the stop was asked for.
STOP_WITHIN = 10.0
#: Seconds of it that gauges may take which are being read.
READ_WITHIN = 2.0
#: Seconds between two lines about what was drained.
SAY_EVERY = 60.0

Say = Callable[[str], None]


class Service:
    """The machine's drainer, if nobody else is, and the installation's worker, if nobody else is."""

    def __init__(self, *, say: Say, verbose: bool = False) -> None:
        self._say = say
        self._verbose = verbose
        self._flushed = threading.Event()
        self._stored = 0
        self._said_at = time.monotonic()

    def run(self, stop: threading.Event) -> bool:
        """Work until ``stop`` is set; return whether both parts ran until then and ended in time."""
        worker = Worker(watch=self._watch)
        threads = [threading.Thread(target=worker.run, args=(stop,), name="qaprod-worker", daemon=True)]
        path = spool.directory()
        if path is None:
            self._say(f"No spool to drain: {spool.status().problem}")
        else:
            drain = threading.Thread(
                target=self._drain, args=(path, stop), name="qaprod-drainer", daemon=True
            )
            threads.append(drain)
        for thread in threads:
            thread.start()
        while not stop.wait(1.0) and all(thread.is_alive() for thread in threads):
            pass
        well = stop.is_set()
        stop.set()
        deadline = time.monotonic() + STOP_WITHIN
        worker.wait_for_gauges(READ_WITHIN)
        process.flush()
        self._flushed.set()
        for thread in threads:
            thread.join(max(deadline - time.monotonic(), 0))
        queue.end(max(deadline - time.monotonic(), 0))
        return well and not any(thread.is_alive() for thread in threads)

    def once(self) -> bool:
        """Drain and run what is due a single time; return whether all went well."""
        report = drain_now()
        self._say(f"Stored {report.delivered} records.")
        outcomes = run_due() or []
        for outcome in outcomes:
            self._watch(outcome)
        if any(outcome.gauge for outcome in outcomes):
            drain_now()
        return not report.failing and not any(outcome.error and not outcome.gauge for outcome in outcomes)

    @connections.kept()
    def _drain(self, path: Path, stop: threading.Event) -> None:
        drainer, said = Drainer(path), ""
        watched = stopped = False
        while not stopped:
            with guard.guard("drainer"):
                held = drainer.acquire()
                # There is no lock, and nobody to wait for, where nothing has been recorded yet.
                other = not held and path.exists()
                words = f"Another process drains {path}; waiting." if other else f"Draining {path}."
                if words != said:
                    self._say(words)
                    said = words
                if held and not watched:
                    # Before anything can be stuck.
                    hooks.watch(drainer, stop)
                    watched = True
                if held:
                    self._tell(drainer.drain(wait=False))
            stopped = stop.wait(EVERY)
        self._flushed.wait(2 * READ_WITHIN)
        with guard.guard("drainer"):
            if drainer.acquire():
                drainer.drain(deadline=time.monotonic() + STOP_WITHIN / 2)
            drainer.release()

    def _tell(self, report: DrainReport) -> None:
        self._stored += report.delivered
        if time.monotonic() - self._said_at < (EVERY if self._verbose else SAY_EVERY):
            return
        if self._stored or report.failing:
            failing = f"; not taking anything: {', '.join(report.failing)}" if report.failing else ""
            self._say(f"Stored {self._stored} records{failing}.")
        self._stored, self._said_at = 0, time.monotonic()

    def _watch(self, outcome: Outcome) -> None:
        if outcome.error:
            self._say(f"{outcome.name} failed: {outcome.error}")
        elif self._verbose:
            self._say(f"{outcome.name}: {outcome.seconds:.2f} s")
