"""The process whose instructions are counted: so many requests, and nothing that goes by the clock.

``python -m benchmarks.count VIEW/INTERFACE/REQUESTS …``: our own thread is ended first, and what it would
have done about these requests (flush them, drain them into the sinks) is done afterwards, once.
A call of ``getppid()``, which nobody else needs, marks the stages for callgrind.
"""

from __future__ import annotations

import gc
import math
import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from . import driving

WARM_UP = 100
#: Seconds: valgrind takes its time.
ENDS_WITHIN = 300.0


def main(plan: list[str]) -> None:
    """Set up, and for each entry of the plan: warm up, mark, requests, mark, deferred work, mark."""
    import django

    django.setup()
    deferred = None
    for entry in plan:
        view, interface, requests = entry.split("/")
        drive = driving.driver(interface)
        path = drive.prefix + driving.PATHS.get(view, view)
        driving.checked(drive, path, driving.STATUSES.get(view, 200))
        drive.many(path, WARM_UP)
        deferred = deferred or _deferred_work()
        deferred()
        # Whether a full collection falls among these requests is chance, and weighs more than they do.
        gc.collect()
        gc.freeze()
        os.getppid()
        drive.many(path, int(requests))
        os.getppid()
        deferred()
        os.getppid()


def _deferred_work() -> Callable[[], object]:
    from django.apps import apps

    if not apps.is_installed("django_qaprod"):
        return lambda: None
    from django_qaprod.pipeline import drainer, process, spool

    process.shut_down(ENDS_WITHIN)
    # Under valgrind the requests take longer than that: one of them would flush in the thread's stead.
    process.OVERDUE_AFTER = math.inf
    directory = spool.directory()
    assert directory is not None
    drains = drainer.Drainer(directory)
    assert drains.acquire()

    # The drainer's connections belong to its thread; in ours, Django would look after them at each request.
    elsewhere = ThreadPoolExecutor(1)

    def flush_and_drain() -> None:
        process.flush()
        elsewhere.submit(drains.drain).result()

    return flush_and_drain


if __name__ == "__main__":
    main(sys.argv[1:])
