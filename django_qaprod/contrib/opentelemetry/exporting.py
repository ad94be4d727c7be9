"""Brings spans away without what nobody is to see, in the thread of the SDK's batch processor."""

from __future__ import annotations

import os
from collections.abc import Sequence

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from ...pipeline import guard, process
from ...sinks.opentelemetry import exporters
from . import privacy

_PART = "opentelemetry.spans"


class ScrubbingExporter(SpanExporter):
    """Hands scrubbed spans to the exporters that the ``OTEL_*`` variables ask for.

    Those are made at the first export, as they take their time to import. Spans that they do not take are
    lost, and counted.
    """

    def __init__(self) -> None:
        self._exporters: list[SpanExporter] = []
        self._pid = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Export spans. Never raises; what exporters log about it is no failure of the host's."""
        with guard.guard(_PART):
            ready = [privacy.scrubbed(span) for span in spans]
            results = [exporter.export(ready) for exporter in self._ready()]
            if all(result is SpanExportResult.SUCCESS for result in results):
                return SpanExportResult.SUCCESS
        guard.dropped(_PART, len(spans))
        return SpanExportResult.FAILURE

    def shutdown(self) -> None:
        """Let go of the connections."""
        for exporter in self._exporters:
            exporter.shutdown()

    def _ready(self) -> list[SpanExporter]:
        if self._pid != os.getpid():
            # After a fork, too: the parent's connections are the parent's.
            with process.importing:
                found = exporters.installed("traces")
                self._exporters = [exporters.made(point, "traces").exporter for point in found]
            self._pid = os.getpid()
        return self._exporters
