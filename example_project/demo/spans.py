"""Stands in for a collector: writes down the spans that come by OTLP, one line of JSON each."""

from __future__ import annotations

import argparse
import gzip
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from .processes import LOOPBACK


class Receiver(BaseHTTPRequestHandler):
    """Takes what an exporter posts."""

    protocol_version = "HTTP/1.1"
    into: Path

    def do_POST(self) -> None:
        """Write the spans down, and answer that they were taken."""
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        with self.into.open("a") as file:
            file.writelines(f"{json.dumps(span)}\n" for span in _spans(body))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args: object) -> None:
        """Say nothing: the spans are the log."""


def _spans(body: bytes) -> Iterator[dict[str, Any]]:
    for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
        for scope in resource.scope_spans:
            for span in scope.spans:
                yield {
                    "trace_id": span.trace_id.hex(),
                    "span_id": span.span_id.hex(),
                    "name": span.name,
                    "milliseconds": (span.end_time_unix_nano - span.start_time_unix_nano) / 1e6,
                    **_attributes(span.attributes),
                    "events": [
                        {"name": event.name, **_attributes(event.attributes)} for event in span.events
                    ],
                }


def _attributes(pairs: Any) -> dict[str, Any]:
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value") or "string_value") for pair in pairs}


def main() -> None:
    """Listen until somebody ends us."""
    parser = argparse.ArgumentParser(prog="python -m example_project.demo.spans")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--into", type=Path, required=True)
    options = parser.parse_args()
    Receiver.into = options.into
    ThreadingHTTPServer((LOOPBACK, options.port), Receiver).serve_forever()


if __name__ == "__main__":
    main()
