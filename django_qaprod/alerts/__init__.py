"""Alerts: what is watched, and who hears of it.

``alerts.Threshold(…)``, ``alerts.Dip(…)`` and the others are declared in the host's ``qaprod`` modules, at
each start; what judges them and tells of them is imported by the worker alone.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from .. import lazily
from ..conf import settings

if TYPE_CHECKING:
    from ..pipeline.drainer import Drainer
    from .beating import beat as beat
    from .declaration import Absence as Absence
    from .declaration import BurnRate as BurnRate
    from .declaration import Dip as Dip
    from .declaration import Heartbeat as Heartbeat
    from .declaration import OutOfSync as OutOfSync
    from .declaration import Ratio as Ratio
    from .declaration import Threshold as Threshold
    from .declaration import Trend as Trend
    from .hours import WorkingHours as WorkingHours
    from .measures import breaches as breaches
    from .measures import failures as failures
    from .measures import gauge as gauge
    from .measures import requests as requests
    from .measures import series as series
    from .routes import Route as Route

_EXPORTS = {
    "Absence": "declaration",
    "BurnRate": "declaration",
    "Dip": "declaration",
    "Heartbeat": "declaration",
    "OutOfSync": "declaration",
    "Ratio": "declaration",
    "Route": "routes",
    "Threshold": "declaration",
    "Trend": "declaration",
    "WorkingHours": "hours",
    "beat": "beating",
    "breaches": "measures",
    "failures": "measures",
    "gauge": "measures",
    "requests": "measures",
    "series": "measures",
}

__all__ = [
    "Absence",
    "BurnRate",
    "Dip",
    "Heartbeat",
    "OutOfSync",
    "Ratio",
    "Route",
    "Threshold",
    "Trend",
    "WorkingHours",
    "beat",
    "breaches",
    "failures",
    "gauge",
    "requests",
    "series",
]

__getattr__, __dir__ = lazily(__name__, _EXPORTS)


def install() -> None:
    """Have the worker judge rules and send what they tell, and the last resort watch. Imports nothing yet."""
    from ..worker import job_modules

    if (jobs := f"{__name__}.jobs") not in job_modules:
        job_modules.append(jobs)
    if settings().last_resort is not None:
        from ..pipeline import hooks

        if _watch not in hooks.watchers:
            hooks.watchers.append(_watch)


def _watch(drainer: Drainer, stop: threading.Event) -> None:
    from .last_resort import LastResort

    LastResort(drainer).run(stop)
