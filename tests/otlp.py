"""An OTLP/HTTP receiver: all three signals, gzip or not. It keeps what came, as bytes and as messages."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.endpoints import answering

_MESSAGES: dict[str, Any] = {
    "/v1/traces": ExportTraceServiceRequest,
    "/v1/metrics": ExportMetricsServiceRequest,
    "/v1/logs": ExportLogsServiceRequest,
}


@dataclass(slots=True)
class Received:
    """What came; ``status`` is what is answered."""

    port: int = 0
    status: int = 200
    raw: list[bytes] = field(default_factory=list)
    requests: dict[str, list[Any]] = field(default_factory=lambda: {path: [] for path in _MESSAGES})

    @property
    def endpoint(self) -> str:
        """The value of ``OTEL_EXPORTER_OTLP_ENDPOINT``."""
        return f"http://127.0.0.1:{self.port}"

    def take(self, line: str, headers: Message, body: bytes) -> int:
        """Keep a request, if it is well; return the status that is answered."""
        if self.status == 200:
            path = line.split()[1]
            self.raw.append(f"{line}\n{headers}".encode() + body)
            self.requests[path].append(_MESSAGES[path].FromString(body))
        return self.status

    def resources(self, signal: str) -> list[dict[str, Any]]:
        """Return the attributes of the resources that sent something."""
        return [attributes(found.resource.attributes) for found in self._of(signal)]

    def spans(self) -> list[Any]:
        """Return all spans."""
        return [span for found in self._of("traces") for scope in found.scope_spans for span in scope.spans]

    def logs(self) -> list[Any]:
        """Return all log records."""
        return [one for found in self._of("logs") for scope in found.scope_logs for one in scope.log_records]

    def metrics(self, name: str) -> list[Any]:
        """Return all metrics of a name, in the order in which they came."""
        return [
            metric
            for found in self._of("metrics")
            for scope in found.scope_metrics
            for metric in scope.metrics
            if metric.name == name
        ]

    def points(self, name: str) -> list[tuple[dict[str, Any], Any]]:
        """Return all data points of a metric with their attributes."""
        return [
            (attributes(point.attributes), point)
            for metric in self.metrics(name)
            for point in getattr(metric, metric.WhichOneof("data")).data_points
        ]

    def _of(self, signal: str) -> list[Any]:
        resources = {"traces": "resource_spans", "metrics": "resource_metrics", "logs": "resource_logs"}
        return [
            one for found in list(self.requests[f"/v1/{signal}"]) for one in getattr(found, resources[signal])
        ]


def attributes(pairs: Any) -> dict[str, Any]:
    """Return attributes as a dict of plain values."""
    return {pair.key: _value(pair.value) for pair in pairs}


@contextmanager
def receiver() -> Iterator[Received]:
    """Receive until the block ends."""
    received = Received()
    with answering(received.take) as received.port:
        yield received


def _value(value: Any) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_value(one) for one in value.array_value.values]
    return getattr(value, kind) if kind else None
