"""The exporters that the ``OTEL_*`` variables ask for, found where OpenTelemetry itself finds them.

https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/ and
https://opentelemetry.io/docs/specs/otel/protocol/exporter/ for the variables.
"""

from __future__ import annotations

import os
import socket
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Literal
from uuid import uuid4

from opentelemetry.sdk.resources import Resource

from ...conf import settings
from ...pipeline import guard

Signal = Literal["traces", "metrics"]

#: Seconds that an export may take, retries included: by default, and at most whatever the variables say. They
#: are seconds to the exporters for Python, while the specification has milliseconds.
TIMEOUT, LONGEST_TIMEOUT = 5.0, 10.0

#: Entry points of the exporters for OTLP, by protocol, and what to install for them.
_BY_PROTOCOL = {"http/protobuf": "otlp_proto_http", "grpc": "otlp_proto_grpc"}
PACKAGES = {
    "otlp_proto_http": "django-qaprod[otlp]",
    "otlp_proto_grpc": "opentelemetry-exporter-otlp-proto-grpc",
}


def disabled() -> bool:
    """Whether OpenTelemetry is switched off altogether."""
    return os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"


def names(signal: Signal) -> list[str]:
    """Return the names of the exporters that are asked for; the one for OTLP has its protocol in it."""
    if disabled():
        return []
    protocol = _variable("PROTOCOL", signal) or "http/protobuf"
    asked = os.environ.get(f"OTEL_{signal.upper()}_EXPORTER", "").strip() or "otlp"
    given = [name.strip() for name in asked.split(",")]
    return [
        _BY_PROTOCOL.get(protocol, protocol) if name == "otlp" else name
        for name in given
        if name and name != "none"
    ]


def entry_point(name: str, signal: Signal) -> EntryPoint | None:
    """Return where an exporter is to be had from, ``None`` when it is not installed."""
    return next(iter(entry_points(group=f"opentelemetry_{signal}_exporter", name=name)), None)


def make(signal: Signal) -> list[Any]:
    """Return new exporters. One that is not installed is left out, as a system check says, and counted."""
    made = []
    for name in names(signal):
        point = entry_point(name, signal)
        if point is None:
            guard.caught("opentelemetry", ImportError(f"The exporter {name!r} is not installed."))
        else:
            made.append(point.load()(**_arguments(name, signal)))
    return made


def resource() -> Resource:
    """Return what tells telemetry from that of others: what the variables say, and an id, each time anew."""
    known = {"host.name": socket.gethostname()}
    if settings().release:
        known["service.version"] = settings().release
    found = Resource(known).merge(Resource.create())
    if "service.instance.id=" in os.environ.get("OTEL_RESOURCE_ATTRIBUTES", ""):
        return found
    # The SDK may have one for the process; sums that begin anew in it need another.
    return found.merge(Resource({"service.instance.id": str(uuid4())}))


def _arguments(name: str, signal: Signal) -> dict[str, Any]:
    if name not in PACKAGES:
        return {}
    arguments: dict[str, Any] = {"timeout": _timeout(signal)}
    if name == "otlp_proto_http" and not any("CREDENTIAL_PROVIDER" in key for key in os.environ):
        # Else it is for somebody who knows how to sign in. Not at every start: it imports ``requests``.
        from .session import BoundedSession

        arguments["session"] = BoundedSession()
    return arguments


def _timeout(signal: Signal) -> float:
    given = _variable("TIMEOUT", signal)
    try:
        return min(float(given), LONGEST_TIMEOUT) if given else TIMEOUT
    except ValueError:
        return TIMEOUT


def _variable(name: str, signal: Signal) -> str:
    own = os.environ.get(f"OTEL_EXPORTER_OTLP_{signal.upper()}_{name}", "").strip()
    return own or os.environ.get(f"OTEL_EXPORTER_OTLP_{name}", "").strip()
