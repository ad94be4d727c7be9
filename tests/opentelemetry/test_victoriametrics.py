"""PromQL over what was exported gives the admin's numbers."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from datetime import timedelta

import pytest
from pytest_django import Settings

from django_qaprod.histogram import RELATIVE_ERROR
from django_qaprod.pipeline import numbers
from django_qaprod.queries import requests
from django_qaprod.queries.window import Window
from django_qaprod.records import NumbersRecord, new_id
from django_qaprod.sinks.database import DatabaseSink
from django_qaprod.sinks.opentelemetry import OpenTelemetrySink
from django_qaprod.sinks.opentelemetry.points import BOUNDS
from tests.servers import wait_until
from tests.store.make import batch

from . import victoriametrics
from .victoriametrics import VictoriaMetrics

pytestmark = [pytest.mark.django_db(databases="__all__"), pytest.mark.servers]

DURATION = "http_server_request_duration_seconds"
QUANTILES = ((0.5, "p50"), (0.95, "p95"), (0.99, "p99"))


@pytest.fixture(scope="module")
def server() -> Iterator[VictoriaMetrics]:
    missing = victoriametrics.missing()
    if missing and os.environ.get("CI"):
        pytest.fail(f"missing: {missing}", pytrace=False)
    elif missing:
        pytest.skip(f"missing: {missing}")
    with victoriametrics.run() as running:
        yield running


@pytest.fixture
def admin(
    server: VictoriaMetrics,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> dict[str, requests.RouteRow]:
    """The same numbers of a few processes, given to both: what the admin makes of them, by route."""
    settings.QAPROD = {"OPENTELEMETRY": {}}
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", server.endpoint)
    monkeypatch.setenv("OTEL_SERVICE_NAME", request.param)
    name = "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION"
    monkeypatch.setenv(name, f"{request.param}_bucket_histogram")
    chance = random.Random(7)
    database, opentelemetry = DatabaseSink(), OpenTelemetrySink()
    for process in range(5):
        numbers.take()
        for route, middle in (("apply/", -3.0), ("search/", -1.5)):
            for _ in range(300):
                answer = (500, "server_error") if chance.random() < 0.1 else (200, "ok")
                numbers.request((route, "GET", *answer, "Firefox"), chance.lognormvariate(middle, 0.7))
        record = NumbersRecord(id=new_id(), at=0.0, cells=numbers.take())
        for sink in (database, opentelemetry):
            sink.write(batch(record, segment=str(process)))
        opentelemetry.flush()
    opentelemetry.close()
    return {row.route: row for row in requests.routes(Window.last(timedelta(hours=1)))}


def has_counts(server: VictoriaMetrics, service: str, wanted: dict[str, int], more: str = "") -> None:
    """Wait until it says so: it asks itself about whole seconds that have passed."""
    selected = f'{DURATION}_count{{service_name="{service}"{more}}}'
    for expression in (f"sum({selected})", f"sum(increase({selected}[5m]))"):
        asked = f"{expression} by (http_route)"
        wait_until(lambda asked=asked: server.query(asked) == wanted, what=f"{asked} is {wanted}")  # type: ignore[misc]


def quantiles(server: VictoriaMetrics, service: str, by: str, quantile: float) -> dict[str, float]:
    selected = f'{DURATION}_bucket{{service_name="{service}"}}'
    return server.query(f"histogram_quantile({quantile}, sum({selected}) by (http_route, {by}))")


@pytest.mark.parametrize("admin", ["base2_exponential"], indirect=True)
def test_of_exponential_histograms_counts_are_the_same_and_quantiles_within_the_error(
    server: VictoriaMetrics, admin: dict[str, requests.RouteRow]
) -> None:
    service = "base2_exponential"
    has_counts(server, service, {route: row.count for route, row in admin.items()})
    for quantile, field in QUANTILES:
        found = quantiles(server, service, "vmrange", quantile)
        for route, row in admin.items():
            # Each is off by that much at most, from the same observation or its neighbour.
            assert found[route] == pytest.approx(getattr(row, field), rel=2.5 * RELATIVE_ERROR)


@pytest.mark.parametrize("admin", ["explicit"], indirect=True)
def test_of_explicit_histograms_counts_are_the_same_and_quantiles_in_the_same_bucket(
    server: VictoriaMetrics, admin: dict[str, requests.RouteRow]
) -> None:
    has_counts(server, "explicit", {route: row.count for route, row in admin.items()})
    errors = {route: row.errors for route, row in admin.items()}
    has_counts(server, "explicit", errors, ', error_type!=""')
    for quantile, field in QUANTILES:
        found = quantiles(server, "explicit", "le", quantile)
        for route, row in admin.items():
            above = next(bound for bound in BOUNDS if getattr(row, field) <= bound)
            below = max((bound for bound in BOUNDS if bound < above), default=0.0)
            assert below <= found[route] <= above
