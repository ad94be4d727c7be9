"""System checks: what keeps telemetry from leaving, or from being understood."""

from __future__ import annotations

import os
from collections.abc import Iterator

from django.core.checks import CheckMessage, Error, Warning  # noqa: A004 - Django's names
from opentelemetry import trace

from ... import options
from . import exporters


def check() -> Iterator[CheckMessage]:
    """Yield what is wrong while ``QAPROD["OPENTELEMETRY"]`` is set."""
    signals = _signals()
    for signal in signals:
        for name in exporters.names(signal):
            if exporters.entry_point(name, signal) is None:
                yield _missing(name, signal)
    if signals and not _has_name():
        yield Warning(
            "The service has no name: its telemetry cannot be told from that of others.",
            hint="Set the environment variable OTEL_SERVICE_NAME.",
            id="qaprod.W018",
        )
    conventions = os.environ.get("OTEL_SEMCONV_STABILITY_OPT_IN", "http")
    if "traces" in signals and not {"http", "http/dup"} & set(conventions.replace(" ", "").split(",")):
        yield Warning(
            "OTEL_SEMCONV_STABILITY_OPT_IN leaves out 'http': spans of requests have the names of attributes "
            "that were in use before the conventions became stable.",
            hint=f"Set it to 'http,{conventions}', or do not set it.",
            id="qaprod.W019",
        )


def _signals() -> list[exporters.Signal]:
    """Return what we export; spans go where the host's provider sends them, if there is one."""
    chosen = options.of(options.OpenTelemetry)
    signals: list[exporters.Signal] = []
    if chosen is None or exporters.disabled():
        return signals
    if chosen.metrics:
        signals.append("metrics")
    if chosen.traces and isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
        signals.append("traces")
    return signals


def _missing(name: str, signal: exporters.Signal) -> Error:
    package = exporters.PACKAGES.get(name)
    if package is not None:
        return Error(
            f"The exporter for OTLP is not installed: no {signal} leave.",
            hint=f'pip install "{package}"',
            id="qaprod.E018",
        )
    return Error(
        f"There is no exporter {name!r}: no {signal} leave.",
        hint=f"Correct OTEL_{signal.upper()}_EXPORTER or OTEL_EXPORTER_OTLP_PROTOCOL, or install it.",
        id="qaprod.E019",
    )


def _has_name() -> bool:
    named = os.environ.get("OTEL_SERVICE_NAME") or "service.name=" in os.environ.get(
        "OTEL_RESOURCE_ATTRIBUTES", ""
    )
    return bool(named)
