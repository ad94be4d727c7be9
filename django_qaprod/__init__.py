"""QA in production for Django: learn within minutes what breaks, and keep the customer meanwhile."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, dataclass_transform

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

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


@dataclass_transform(frozen_default=True, kw_only_default=True)
class Plain:
    """The base of data whose classes are made at each start of the host; frozen and keyword-only.

    Type checkers see it as a dataclass, and refuse a field that is unknown, missing or set later. At run time
    nothing is refused, since nothing is made: the class of a named tuple takes ten times as long, that of a
    dataclass a hundred times. It stands here for the reason that ``lazily`` has.
    """

    def __init__(self, **given: object) -> None:
        vars(self).update(given)


def lazily(
    package: str, exports: Mapping[str, str]
) -> tuple[Callable[[str], object], Callable[[], list[str]]]:
    """Return ``__getattr__`` and ``__dir__`` of a package that imports what it exports when asked (PEP 562).

    ``exports`` has by name the module in which it is. It stands here, as this module is there before any
    other: one of its own would be one more to load at each start.
    """
    namespace = vars(sys.modules[package])

    def get(name: str) -> object:
        if name not in exports:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        namespace[name] = value = getattr(import_module(f"{package}.{exports[name]}"), name)
        return value

    return get, lambda: sorted({*namespace, *exports})


__getattr__, __dir__ = lazily(__name__, _EXPORTS)
