"""A receiver, and this process traced as a server's is, until the test ends."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.util._once import Once
from pytest_django import Settings

from django_qaprod.contrib import opentelemetry
from django_qaprod.contrib.opentelemetry import providing
from tests.otlp import Received, receiver


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the developer exports."""
    for name in list(os.environ):
        if name.startswith("OTEL_"):
            monkeypatch.delenv(name)
    # Read once in a process, by whoever instruments first; that we see to it, servers of their own show.
    monkeypatch.setenv("OTEL_SEMCONV_STABILITY_OPT_IN", "http")


@pytest.fixture
def otlp(monkeypatch: pytest.MonkeyPatch) -> Iterator[Received]:
    """A receiver to which the variables lead."""
    with receiver() as received:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", received.endpoint)
        monkeypatch.setenv("OTEL_SERVICE_NAME", "shop")
        yield received


@pytest.fixture
def no_provider(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a new process: OpenTelemetry's provider is set once for ever."""
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", None)
    monkeypatch.setattr(trace, "_TRACER_PROVIDER_SET_ONCE", Once())
    monkeypatch.setattr(providing, "_ours", None)


@pytest.fixture
def site(settings: Settings) -> Settings:
    """The settings of a host that asks for traces; its middleware is a list of its own."""
    settings.ROOT_URLCONF = "tests.opentelemetry.urls"
    settings.MIDDLEWARE = [*settings.MIDDLEWARE]
    settings.ALLOWED_HOSTS = ["*"]
    settings.QAPROD = {"OPENTELEMETRY": {}, "RERAISE": False}
    return settings


@pytest.fixture
def traced(
    site: Settings, no_provider: None, otlp: Received, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Received]:
    """The host, traced by us as in production; ``flushed`` brings the spans to the receiver."""
    monkeypatch.setattr(providing, "in_test_run", lambda: False)
    opentelemetry.install()
    try:
        yield otlp
    finally:
        opentelemetry.uninstall()
        found: Any = trace.get_tracer_provider()
        if hasattr(found, "shutdown"):
            found.shutdown()


def flushed(received: Received) -> list[Any]:
    """Return the spans, after those that have ended were exported."""
    found: Any = trace.get_tracer_provider()
    found.force_flush()
    return received.spans()
