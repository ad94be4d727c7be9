"""Where exporters send to is down, slow or a hole: no visitor notices, nothing else is lost, and it heals.

``QAPROD_LIVE_SECONDS=60`` keeps each fault for a minute; what it costs is logged (``--log-cli-level=info``).
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.endpoints import MODES, Endpoint, Mode
from tests.servers import ApplicationServer, wait_until

from . import host as hosts
from .load import Outcome, until, visit

pytestmark = [pytest.mark.servers, pytest.mark.slow]

logger = logging.getLogger(__name__)

SECONDS = float(os.environ.get("QAPROD_LIVE_SECONDS", "1"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where the three adapters send to."""

    statsd: Endpoint
    otlp: Endpoint
    sentry: Endpoint

    def be(self, mode: Mode) -> None:
        for one in (self.statsd, self.otlp, self.sentry):
            one.be(mode)

    def clear(self) -> None:
        for one in (self.statsd, self.otlp, self.sentry):
            one.received.clear()


@pytest.fixture
def places() -> Iterator[Places]:
    with ExitStack() as stack:
        yield Places(
            statsd=stack.enter_context(Endpoint(http=False)),
            otlp=stack.enter_context(Endpoint()),
            sentry=stack.enter_context(Endpoint()),
        )


def adapters(*, statsd: str, otlp: str, sentry: str) -> dict[str, Any]:
    name, _, port = statsd.rpartition(":")
    return {
        "STATSD": {"PROTOCOL": "tcp", "HOST": name, "PORT": int(port)},
        "OPENTELEMETRY": {},
        "SENTRY": {"DSN": f"http://key@{sentry}/1"},
    }


def exporting(directory: Path, **addresses: str) -> hosts.Host:
    host = hosts.sqlite(directory)
    host.changes["QAPROD"] = {
        "SPOOL_DIR": str(directory / "spool"),
        "RESCUE_KEYS": ["q" * 43 + "="],
        **adapters(**addresses),
    }
    return host


def variables(otlp: str) -> dict[str, str]:
    return {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{otlp}", "OTEL_SERVICE_NAME": "shop"}


def resident(server: ApplicationServer) -> int:
    """Return the resident memory of all workers, in bytes."""
    pages = [Path(f"/proc/{pid}/statm").read_text().split()[1] for pid in server.workers()]
    return sum(map(int, pages)) * os.sysconf("SC_PAGE_SIZE")


def load(server: ApplicationServer, seconds: float) -> Outcome:
    """Visit for some seconds; every tenth visitor meets a bug."""

    def path(number: int) -> str:
        return "/ok/" if number % 10 else "/raise/apples/"

    return visit(server.port, until(time.monotonic() + seconds, path))


def arrive(host: hosts.Host, requests: int) -> None:
    """Wait until the database has so many requests: it waits for nobody else."""
    wait_until(lambda: host.requests("ok/") >= requests, what="the database has all requests")


@pytest.mark.parametrize("kind", ["gunicorn-gthread", "uvicorn"])
def test_no_visitor_notices_and_it_heals(
    kind: str, tmp_path: Path, places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = {name: f"127.0.0.1:{getattr(places, name).port}" for name in ("statsd", "otlp", "sentry")}
    host = exporting(tmp_path, **address)
    for name, value in variables(address["otlp"]).items():
        monkeypatch.setenv(name, value)
    answered = 0
    with host.serve(kind, workers=2) as server:
        answered += _well(load(server, SECONDS), "well")
        for mode in MODES:
            places.be(mode)
            before = resident(server)
            answered += _well(load(server, SECONDS), mode)
            logger.info("%s: memory %+.1f MB", mode, (resident(server) - before) / 1e6)
        # What has nothing to do with these places goes on.
        arrive(host, answered)
        places.be("well")
        places.clear()
        _well(load(server, 1), "well again")
        wait_until(lambda: places.statsd.received, what="StatsD hears of it again")
        wait_until(lambda: places.otlp.received, what="OpenTelemetry hears of it again")
        wait_until(lambda: places.sentry.holds(b"apples"), what="Sentry hears of it again")
        places.be("black hole")
        _well(load(server, 1), "black hole")
        began = time.monotonic()
        server.stop(timeout=30)
        logger.info("the server ended within %.1f s", time.monotonic() - began)


def test_names_that_nobody_knows_delay_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nowhere = "nowhere.invalid:4318"
    host = exporting(tmp_path, statsd=nowhere, otlp=nowhere, sentry=nowhere)
    for name, value in variables(nowhere).items():
        monkeypatch.setenv(name, value)
    with host.serve("gunicorn-gthread", workers=2) as server:
        answered = _well(load(server, SECONDS), "no such name")
        arrive(host, answered)
        server.stop(timeout=30)
    told = host.manage("qaprod_doctor", check=False)
    for sink in ("statsd", "opentelemetry", "sentry"):
        assert sink in told


def _well(seen: Outcome, how: str) -> int:
    """Require that everybody was answered; return how many were answered well."""
    assert seen.unanswered == 0, how
    assert set(seen.statuses) == {200, 500}, how
    half, nearly_all, slowest = (1000 * seen.percentile(share) for share in (0.5, 0.99, 1))
    logger.info(
        "%s: %d requests, p50 %.0f, p99 %.0f, the slowest %.0f ms",
        *(how, len(seen.seconds), half, nearly_all, slowest),
    )
    return seen.statuses[200]
