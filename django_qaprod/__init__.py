"""QA in production for Django: learn within minutes what breaks, and keep the customer meanwhile."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .degradation import CircuitBreaker as CircuitBreaker
    from .degradation import critical as critical
    from .degradation import degrade as degrade
    from .exceptions import QAProdError as QAProdError
    from .expectations.declaration import Expectation as Expectation
    from .expectations.working_time import WorkingTime as WorkingTime
    from .forms.mixin import ServeFormMixin as ServeFormMixin
    from .forms.serving import serve_form as serve_form
    from .forms.signals import submission_replayed as submission_replayed
    from .forms.signals import submission_rescued as submission_rescued
    from .gauges.declaration import gauge as gauge
    from .journeys import Journey as Journey
    from .journeys import Step as Step
    from .logs.usage import log_usage as log_usage
    from .pipeline.failures import report as report

__version__ = "0.1.0"

# Lazily (PEP 562): an eager import would load models before the app registry is ready.
_EXPORTS = {
    "CircuitBreaker": "degradation",
    "Expectation": "expectations.declaration",
    "Journey": "journeys",
    "QAProdError": "exceptions",
    "ServeFormMixin": "forms.mixin",
    "Step": "journeys",
    "WorkingTime": "expectations.working_time",
    "critical": "degradation",
    "degrade": "degradation",
    "gauge": "gauges.declaration",
    "log_usage": "logs.usage",
    "report": "pipeline.failures",
    "serve_form": "forms.serving",
    "submission_replayed": "forms.signals",
    "submission_rescued": "forms.signals",
}

__all__ = [
    "CircuitBreaker",
    "Expectation",
    "Journey",
    "QAProdError",
    "ServeFormMixin",
    "Step",
    "WorkingTime",
    "critical",
    "degrade",
    "gauge",
    "log_usage",
    "report",
    "serve_form",
    "submission_replayed",
    "submission_rescued",
]


def __getattr__(name: str) -> object:
    if name in _EXPORTS:
        value = getattr(import_module(f"{__name__}.{_EXPORTS[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_EXPORTS})
