"""The exporters that the ``OTEL_*`` variables ask for, found where OpenTelemetry itself finds them.

https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/ and
https://opentelemetry.io/docs/specs/otel/protocol/exporter/ for the variables.
"""

from __future__ import annotations

import os
import socket
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any, Literal, NamedTuple
from uuid import uuid4

from opentelemetry.sdk.resources import Resource

from ...conf import settings
from ...pipeline import guard

if TYPE_CHECKING:
    from .session import BoundedSession

Signal = Literal["traces", "metrics"]

#: Seconds that an export may take, retries included: by default, and at most whatever the variables say. They
#: are seconds to the exporters for Python, while the specification has milliseconds.
TIMEOUT, LONGEST_TIMEOUT = 5.0, 10.0

#: Entry points of the exporters for OTLP, by protocol, and what to install for them.
OTLP_HTTP, OTLP_GRPC = "otlp_proto_http", "otlp_proto_grpc"
PROTOCOLS = {"http/protobuf": OTLP_HTTP, "grpc": OTLP_GRPC}
PACKAGES = {OTLP_HTTP: "django-qaprod[otlp]", OTLP_GRPC: "opentelemetry-exporter-otlp-proto-grpc"}


class Made(NamedTuple):
    """An exporter, and the session by which it sends, where that is one of ours."""

    exporter: Any
    session: BoundedSession | None


def disabled() -> bool:
    """Whether OpenTelemetry is switched off altogether."""
    return os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"


def variable(name: str, signal: Signal) -> tuple[str, str]:
    """Return what a variable of the exporters for OTLP is called that is set for a signal, and its value."""
    own, common = f"OTEL_EXPORTER_OTLP_{signal.upper()}_{name}", f"OTEL_EXPORTER_OTLP_{name}"
    value = os.environ.get(own, "").strip()
    return (own, value) if value else (common, os.environ.get(common, "").strip())


def names(signal: Signal) -> list[str]:
    """Return the names of the exporters that are asked for; the one for OTLP has its protocol in it."""
    if disabled():
        return []
    _, protocol = variable("PROTOCOL", signal)
    otlp = PROTOCOLS.get(protocol or "http/protobuf", protocol)
    asked = os.environ.get(f"OTEL_{signal.upper()}_EXPORTER", "").strip() or "otlp"
    given = [name.strip() for name in asked.split(",")]
    # Each once: an exporter that is named twice would count twice.
    return list(dict.fromkeys(otlp if name == "otlp" else name for name in given if name and name != "none"))


def entry_point(name: str, signal: Signal) -> EntryPoint | None:
    """Return where an exporter is to be had from, ``None`` when it is not installed."""
    return next(iter(entry_points(group=f"opentelemetry_{signal}_exporter", name=name)), None)


def installed(signal: Signal) -> list[EntryPoint]:
    """Return where those that are asked for are to be had from.

    One that is not installed is left out, as a system check says, and counted.
    """
    found = []
    for name in names(signal):
        point = entry_point(name, signal)
        if point is None:
            guard.caught("opentelemetry", ImportError(f"The exporter {name!r} is not installed."))
        else:
            found.append(point)
    return found


def made(point: EntryPoint, signal: Signal) -> Made:
    """Return a new exporter."""
    arguments = _arguments(point.name, signal)
    return Made(point.load()(**arguments), arguments.get("session"))


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
    if name == OTLP_HTTP and not any("CREDENTIAL_PROVIDER" in key for key in os.environ):
        # Else it is for somebody who knows how to sign in. Not at every start: it imports ``requests``.
        from .session import BoundedSession

        arguments["session"] = BoundedSession()
    return arguments


def _timeout(signal: Signal) -> float:
    _, given = variable("TIMEOUT", signal)
    try:
        seconds = float(given or TIMEOUT)
    except ValueError:
        seconds = TIMEOUT
    # Nor does the exporter know what to do with "nan", or with none at all: some wait for ever.
    return min(seconds, LONGEST_TIMEOUT) if seconds > 0 else TIMEOUT
