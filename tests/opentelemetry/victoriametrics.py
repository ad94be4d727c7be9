"""VictoriaMetrics, as ``scripts/peers/victoriametrics`` installs it: takes OTLP, answers PromQL."""

from __future__ import annotations

import json
import subprocess
import tempfile
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.servers import free_port, wait_until

PROGRAM = Path(__file__).parents[2] / ".peers" / "victoriametrics" / "victoria-metrics"


@dataclass(frozen=True, slots=True, kw_only=True)
class VictoriaMetrics:
    """A running one."""

    port: int

    @property
    def endpoint(self) -> str:
        """The value of ``OTEL_EXPORTER_OTLP_METRICS_ENDPOINT``."""
        return f"http://127.0.0.1:{self.port}/opentelemetry/v1/metrics"

    def alive(self) -> bool:
        """Whether it answers."""
        try:
            return bool(self._get("/health"))
        except (OSError, urllib.error.URLError):
            return False

    def query(self, expression: str) -> dict[str, float]:
        """Return the values of a PromQL expression now, by their route, of all that came until now."""
        self._get("/internal/force_flush")
        asked = {"query": expression, "nocache": "1", "latency_offset": "1ms"}
        found = json.loads(self._get(f"/api/v1/query?{urllib.parse.urlencode(asked)}"))["data"]["result"]
        return {one["metric"].get("http_route", ""): float(one["value"][1]) for one in found}

    def _get(self, path: str) -> bytes:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=60) as answer:
            body: bytes = answer.read()
            return body


def missing() -> str:
    """Return what is missing for it to start, or nothing."""
    return "" if PROGRAM.exists() else "VictoriaMetrics (run scripts/peers/victoriametrics)"


@contextmanager
def run() -> Iterator[VictoriaMetrics]:
    """Run one until the block ends."""
    server = VictoriaMetrics(port=free_port())
    with tempfile.TemporaryDirectory(prefix="qaprod-victoriametrics-") as directory:
        arguments: dict[str, Any] = {
            "httpListenAddr": f"127.0.0.1:{server.port}",
            "storageDataPath": directory,
            "opentelemetry.usePrometheusNaming": "true",
            "loggerLevel": "ERROR",
        }
        process = subprocess.Popen(
            [PROGRAM, *(f"-{name}={value}" for name, value in arguments.items())], start_new_session=True
        )
        try:
            wait_until(server.alive, what="VictoriaMetrics answers")
            yield server
        finally:
            process.terminate()
            process.wait(timeout=60)
