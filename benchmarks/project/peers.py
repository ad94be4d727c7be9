"""What people assemble by hand: StatsD by a middleware, OpenTelemetry and Sentry as documented."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from time import perf_counter
from typing import Any

from asgiref.sync import iscoroutinefunction
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.decorators import sync_and_async_middleware


@sync_and_async_middleware
def statsd_by_hand(get_response: Callable[[HttpRequest], Any]) -> Callable[[HttpRequest], Any]:
    """Send a counter and a timer for every request, as one finds it in many projects."""
    from statsd import StatsClient

    client = StatsClient("127.0.0.1", settings.BENCH_UDP, prefix="site")

    def tell(request: HttpRequest, response: HttpResponse, seconds: float) -> None:
        match = request.resolver_match
        name = (match.view_name if match is not None else "unmatched").replace(":", ".")
        client.incr(f"requests.{name}.{response.status_code}")
        client.timing(f"requests.{name}", seconds * 1000)

    if iscoroutinefunction(get_response):

        async def amiddleware(request: HttpRequest) -> HttpResponse:
            started = perf_counter()
            response: HttpResponse = await get_response(request)
            tell(request, response, perf_counter() - started)
            return response

        return amiddleware

    def middleware(request: HttpRequest) -> HttpResponse:
        started = perf_counter()
        response: HttpResponse = get_response(request)
        tell(request, response, perf_counter() - started)
        return response

    return middleware


@cache
def opentelemetry(http: int) -> None:
    """Switch on traces and metrics, as OpenTelemetry's documentation has it."""
    from opentelemetry import metrics, trace
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.instrumentation.django import DjangoInstrumentor
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    where = f"http://127.0.0.1:{http}/v1"
    tracers = TracerProvider()
    tracers.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(f"{where}/traces")))
    trace.set_tracer_provider(tracers)
    reader = PeriodicExportingMetricReader(
        OTLPMetricExporter(f"{where}/metrics"), export_interval_millis=5000
    )
    metrics.set_meter_provider(MeterProvider(metric_readers=[reader]))
    DjangoInstrumentor().instrument()


@cache
def sentry(http: int) -> None:
    """Start Sentry for errors alone, as its documentation has it."""
    import sentry_sdk

    sentry_sdk.init(dsn=f"http://key@127.0.0.1:{http}/1")
