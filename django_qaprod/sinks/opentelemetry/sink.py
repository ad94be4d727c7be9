"""The sink: gathers what the records of a machine tell, and brings it away together."""

from __future__ import annotations

import os
from time import monotonic, time_ns

from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.sdk.metrics.export import (
    Metric,
    MetricExporter,
    MetricExportResult,
    MetricsData,
    ResourceMetrics,
    ScopeMetrics,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from ... import __version__, options
from ...exceptions import SinkUnavailableError
from ...pipeline import guard
from ...typing import Batch
from . import exporters, points
from .series import Numbers

#: Seconds after which everything goes out, not only what has changed: a series of which a store has heard
#: nothing for five minutes ends there (Prometheus: staleness).
EVERYTHING_EVERY = 60.0


class OpenTelemetrySink:
    """Add up what all processes of the machine counted, and export it after each of the drainer's rounds.

    What is exported are sums since this sink was made, under a ``service.instance.id`` of its own. So an
    export that fails, or whose answer is lost, is made good by the next one; with the temporality "delta" it
    is repeated, and one whose answer was lost counts twice. What a sink that was killed had taken and not
    exported comes again to the next one; what it had exported within its last seconds may do so, too.
    """

    name = "opentelemetry"

    def __init__(self) -> None:
        self._numbers = Numbers()
        # By segment, what is in the numbers already: it comes again when they could not be exported.
        self._added: dict[str, int] = {}
        self._exporters: list[MetricExporter] | None = None
        self._resource: Resource | None = None
        self._began = time_ns()
        self._everything_at = 0.0

    def write(self, batch: Batch) -> None:
        """Add the batch up."""
        if not _is_on():
            return
        added = self._added.get(batch.segment, 0)
        for entry in batch.entries:
            if entry.position > added:
                # First: what a record is to blame for is not to be added again in part.
                self._added[batch.segment] = entry.position
                with guard.guard(f"sink.{self.name}"):
                    self._numbers.add(entry.record)

    def flush(self) -> None:
        """Export what has changed.

        Raises ``SinkUnavailableError`` when it was not taken. Returns within some ten seconds.
        """
        if not self._added:
            return
        style, end = _style(), time_ns()
        everything = style.cumulative and monotonic() >= self._everything_at
        window = points.Window(start=self._began, end=end)
        self._export(list(points.of(self._numbers, style, window, everything=everything)))
        if everything:
            self._everything_at = monotonic() + EVERYTHING_EVERY
        if not style.cumulative:
            self._began = end
        self._numbers.settle(cumulative=style.cumulative)
        self._added.clear()

    def close(self) -> None:
        """Let go of the connections. What was counted stays."""
        made, self._exporters = self._exporters, None
        for exporter in made or ():
            exporter.shutdown()

    def _export(self, metrics: list[Metric]) -> None:
        if self._exporters is None:
            self._exporters = exporters.make("metrics")
        if not metrics:
            return
        data = self._data(metrics)
        for exporter in self._exporters:
            if _exported(exporter, data) is not MetricExportResult.SUCCESS:
                raise SinkUnavailableError("The endpoint for metrics does not take them.")

    def _data(self, metrics: list[Metric]) -> MetricsData:
        if self._resource is None:
            self._resource = _made_resource()
        scope = ScopeMetrics(InstrumentationScope("django_qaprod", __version__), metrics, "")
        return MetricsData([ResourceMetrics(self._resource, [scope], self._resource.schema_url)])


def _made_resource() -> Resource:
    try:
        return exporters.resource()
    except RuntimeError as error:
        # The SDK's detectors run in threads, which a process that ends has none of: the next one exports.
        raise SinkUnavailableError("The process ends.", expected=True) from error


def _exported(exporter: MetricExporter, data: MetricsData) -> MetricExportResult:
    try:
        # The exchange is no request of the host's.
        with suppress_instrumentation():
            return exporter.export(data)
    except OSError as error:
        raise SinkUnavailableError(f"The endpoint for metrics: {type(error).__name__}.") from error


def _is_on() -> bool:
    chosen = options.of(options.OpenTelemetry)
    return chosen is not None and chosen.metrics and bool(exporters.names("metrics"))


def _style() -> points.Style:
    preferred = os.environ.get("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "")
    aggregation = os.environ.get("OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION", "")
    return points.Style(
        # "Low memory" is delta for all that we have.
        cumulative=preferred.strip().lower() not in {"delta", "lowmemory"},
        exponential=aggregation.strip().lower() == "base2_exponential_bucket_histogram",
    )
