"""OpenTelemetry: what was counted goes out by OTLP, as histograms, sums and gauges.

Nothing is recorded for it in a request. The numbers come from the spool, those of all processes of a machine,
and leave by the exporter that the ``OTEL_*`` variables ask for. A host's ``MeterProvider`` has no part in it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .checks import check
    from .sink import OpenTelemetrySink

__all__ = ["OpenTelemetrySink", "check"]

# Traces need the exporters alone, and the SDK's metrics take 30 ms to import.
_EXPORTS = {"OpenTelemetrySink": "sink", "check": "checks"}


def __getattr__(name: str) -> object:
    if name in _EXPORTS:
        return getattr(import_module(f"{__name__}.{_EXPORTS[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
