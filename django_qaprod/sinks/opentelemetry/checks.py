"""System checks: what keeps telemetry from leaving, or from being understood."""

from __future__ import annotations

import os
from collections.abc import Iterator
from urllib.parse import urlsplit

from django.core.checks import CheckMessage, Error, Warning  # noqa: A004 - Django's names
from opentelemetry import trace

from ... import options
from . import exporters

# https://github.com/grpc/grpc/blob/master/doc/naming.md, and the one that gRPC for Go has besides.
_RESOLVERS = frozenset(
    {"dns", "unix", "unix-abstract", "vsock", "ipv4", "ipv6", "xds", "google-c2p", "passthrough"}
)


def check() -> Iterator[CheckMessage]:
    """Yield what is wrong while ``QAPROD["OPENTELEMETRY"]`` is set."""
    signals = _signals()
    for signal in signals:
        for name in exporters.names(signal):
            if exporters.entry_point(name, signal) is None:
                yield _missing(name, signal)
    yield from _endpoints(signals)
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
    variable, protocol = exporters.variable("PROTOCOL", signal)
    if package is not None:
        return Error(
            f"The exporter for OTLP is not installed: no {signal} leave.",
            hint=f'pip install "{package}"',
            id="qaprod.E018",
        )
    if name == protocol and protocol not in exporters.PROTOCOLS:
        return Error(
            f"{variable} is {protocol!r}, which no exporter speaks: no {signal} leave.",
            hint="Set it to 'http/protobuf' or to 'grpc', or do not set it.",
            id="qaprod.E019",
        )
    return Error(
        f"There is no exporter {name!r}: no {signal} leave.",
        hint=f"Correct OTEL_{signal.upper()}_EXPORTER, or install it.",
        id="qaprod.E019",
    )


def _endpoints(signals: list[exporters.Signal]) -> Iterator[Error]:
    # Both signals may go by one variable.
    given = {
        exporters.variable("ENDPOINT", signal): name == exporters.OTLP_HTTP
        for signal in signals
        for name in exporters.names(signal)
        if name in exporters.PACKAGES
    }
    for (variable, endpoint), over_http in given.items():
        problem = _problem(endpoint, over_http=over_http) if endpoint else ""
        if problem:
            # Not the address itself: it may hold a password.
            yield Error(
                f"{variable} {problem}: nothing leaves by it.",
                hint=f"Write it like 'http://collector.example.org:{4318 if over_http else 4317}'.",
                id="qaprod.E025",
            )


def _problem(endpoint: str, *, over_http: bool) -> str:
    """Return what is wrong with an address; by gRPC there are others than those of HTTP, and bare ones."""
    if not over_http and endpoint.partition(":")[0].lower() in _RESOLVERS:
        return ""
    scheme = endpoint.partition("://")[0].lower() if "://" in endpoint else ""
    if scheme not in {"http", "https"} and (over_http or scheme):
        return "does not begin with 'http://' or 'https://'" if over_http else ""
    try:
        parts = urlsplit(endpoint if scheme else f"//{endpoint}")
        host, port = parts.hostname, parts.port
    except ValueError:
        return "has a host or a port that cannot be one"
    if port == 0:
        return "has a port that cannot be one"
    return "" if host and not set(host) & set(" \t") else "names no host"


def _has_name() -> bool:
    named = os.environ.get("OTEL_SERVICE_NAME") or "service.name=" in os.environ.get(
        "OTEL_RESOURCE_ATTRIBUTES", ""
    )
    return bool(named)
