"""The sink: gathers what the records of a machine tell, and brings it away together."""

from __future__ import annotations

import os
from time import monotonic, time_ns

from opentelemetry.sdk.resources import Resource

from ... import options
from ...exceptions import SinkUnavailableError
from ...pipeline import guard
from ...typing import Batch
from . import exporters, points
from .outlet import Outlet, Round

#: Seconds after which a flush begins no request. With the last one it takes less than the half minute after
#: which a sink is made anew.
FLUSH_WITHIN = 15.0


class OpenTelemetrySink:
    """Add up what all processes of the machine counted, and export it after each of the drainer's rounds.

    What is exported are sums since this sink was made, under a ``service.instance.id`` of its own. So an
    export of which the answer is lost is made good by the next one; with the temporality "delta" it counts
    twice. What a sink that was killed had taken and not exported comes again to the next one; what it had
    exported since all exporters took everything may do so, too.
    """

    name = "opentelemetry"

    def __init__(self) -> None:
        self._outlets: list[Outlet] | None = None
        # By segment, what is in their numbers already: it comes again when it was not all exported.
        self._added: dict[str, int] = {}
        self._resource: Resource | None = None

    def write(self, batch: Batch) -> None:
        """Add the batch up."""
        if self._outlets is None:
            self._outlets = _made_outlets()
        if not self._outlets:
            return
        added = self._added.get(batch.segment, 0)
        for entry in batch.entries:
            if entry.position > added:
                # First: what a record is to blame for is not to be added again in part.
                self._added[batch.segment] = entry.position
                for outlet in self._outlets:
                    with guard.guard(f"sink.{self.name}"):
                        outlet.numbers.add(entry.record)

    def flush(self) -> None:
        """Export what has changed.

        Raises ``SinkUnavailableError`` when one of the exporters has something left. Returns within some 25
        seconds, unless it takes longer to look up a name or to try its addresses.
        """
        if not self._added:
            return
        if self._resource is None:
            self._resource = _made_resource()
        now = Round(
            resource=self._resource, style=_style(), end=time_ns(), deadline=monotonic() + FLUSH_WITHIN
        )
        problems = []
        for outlet in self._outlets or ():
            try:
                outlet.flush(now)
            except SinkUnavailableError as error:
                # The others are to have what this one has to wait for.
                problems.append(error)
        if problems:
            raise problems[0]
        self._added.clear()

    def close(self) -> None:
        """Let go of the connections. What was counted stays."""
        for outlet in self._outlets or ():
            outlet.close()


def _made_outlets() -> list[Outlet]:
    chosen = options.of(options.OpenTelemetry)
    if chosen is None or not chosen.metrics:
        return []
    return [Outlet(point) for point in exporters.installed("metrics")]


def _made_resource() -> Resource:
    try:
        return exporters.resource()
    except RuntimeError as error:
        # The SDK's detectors run in threads, which a process that ends has none of: the next one exports.
        raise SinkUnavailableError("The process ends.", expected=True) from error


def _style() -> points.Style:
    preferred = os.environ.get("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "")
    aggregation = os.environ.get("OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION", "")
    return points.Style(
        # "Low memory" is delta for all that we have.
        cumulative=preferred.strip().lower() not in {"delta", "lowmemory"},
        exponential=aggregation.strip().lower() == "base2_exponential_bucket_histogram",
    )
