"""An endpoint that does not do what it should is left within seconds, and the process with it."""

from __future__ import annotations

import socket
import time
from typing import Any

import pytest
from pytest_django import Settings
from requests import adapters

from django_qaprod.exceptions import SinkUnavailableError
from django_qaprod.sinks.opentelemetry import OpenTelemetrySink, exporters
from django_qaprod.sinks.opentelemetry.session import BoundedSession
from tests.endpoints import MODES, Endpoint, Mode
from tests.store.make import batch, failure


@pytest.mark.parametrize("mode", MODES)
def test_a_sink_gives_up_within_its_timeout_and_tries_again(
    mode: Mode, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.QAPROD = {"OPENTELEMETRY": {}}
    # Longer than it takes to drip a byte.
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1.5" if mode == "dripping" else "0.5")
    with Endpoint() as endpoint:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{endpoint.port}")
        sink = OpenTelemetrySink()
        endpoint.be(mode)
        sink.write(batch(failure()))
        began = time.monotonic()
        with pytest.raises(SinkUnavailableError):
            sink.flush()
        assert time.monotonic() - began < 10
        endpoint.be("well")
        sink.write(batch(failure()))
        sink.flush()
        assert endpoint.holds(b"qaprod.failures")
        sink.close()


def test_an_exchange_takes_no_longer_than_its_timeout_however_it_drips() -> None:
    with Endpoint() as endpoint, BoundedSession() as session:
        endpoint.be("dripping")
        began = time.monotonic()
        with pytest.raises(OSError, match=r"."):
            session.post(f"http://127.0.0.1:{endpoint.port}/", data=b"{}", timeout=1.5)
        assert time.monotonic() - began < 10
        endpoint.be("well")
        assert session.post(f"http://127.0.0.1:{endpoint.port}/", data=b"{}", timeout=5).status_code == 200


def test_a_proxy_that_drips_is_left_in_time_too() -> None:
    with Endpoint() as proxy, BoundedSession() as session:
        proxy.be("dripping")
        began = time.monotonic()
        with pytest.raises(OSError, match=r"."):
            session.post(
                "https://collector.example.org/",
                data=b"{}",
                timeout=1.5,
                proxies={"https": f"http://127.0.0.1:{proxy.port}"},
            )
        assert time.monotonic() - began < 10
        assert session.answered == 0


def test_what_is_connected_when_the_time_is_up_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing bounds how long a name is looked up."""
    known = socket.getaddrinfo

    def slow(*args: Any, **kwargs: Any) -> Any:
        time.sleep(1.0)
        return known(*args, **kwargs)

    with Endpoint() as endpoint, BoundedSession() as session:
        endpoint.be("dripping")
        monkeypatch.setattr(socket, "getaddrinfo", slow)
        began = time.monotonic()
        with pytest.raises(OSError, match="time for this exchange is up"):
            session.post(f"http://127.0.0.1:{endpoint.port}/", data=b"{}", timeout=0.5)
        assert time.monotonic() - began < 10


def test_a_proxy_for_socks_has_its_own_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    class Manager:
        pool_classes_by_scheme = "its own"

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            pass

    monkeypatch.setattr(adapters, "SOCKSProxyManager", Manager)
    with BoundedSession() as session:
        adapter: Any = session.get_adapter("https://collector.example.org")
        assert adapter.proxy_manager_for("socks5://127.0.0.1:1").pool_classes_by_scheme == "its own"
        adapter.proxy_manager.clear()


@pytest.mark.parametrize(
    ("given", "used"),
    [
        *(("", 5.0), ("2", 2.0), ("10000", 10.0), ("inf", 10.0), ("soon", 5.0)),
        *(("0", 5.0), ("-1", 5.0), ("-inf", 5.0), ("nan", 5.0)),
    ],
    ids=["none", "2", "ms", "inf", "word", "0", "-1", "-inf", "nan"],
)
@pytest.mark.parametrize("variable", ["", "METRICS_", "TRACES_"])
def test_no_timeout_is_long(monkeypatch: pytest.MonkeyPatch, variable: str, given: str, used: float) -> None:
    """The specification has milliseconds, the exporters for Python seconds; of some they make no end."""
    monkeypatch.setenv(f"OTEL_EXPORTER_OTLP_{variable}TIMEOUT", given)
    signal: exporters.Signal = "traces" if variable == "TRACES_" else "metrics"
    assert exporters._timeout(signal) == used


@pytest.mark.parametrize("given", ["0", "-1", "nan"])
def test_what_is_no_time_does_not_leave_an_export_waiting(
    monkeypatch: pytest.MonkeyPatch, settings: Settings, given: str
) -> None:
    """The default is taken, here a short one."""
    settings.QAPROD = {"OPENTELEMETRY": {}}
    monkeypatch.setattr(exporters, "TIMEOUT", 0.3)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_METRICS_TIMEOUT", given)
    with Endpoint() as endpoint:
        endpoint.be("black hole")
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{endpoint.port}")
        sink = OpenTelemetrySink()
        sink.write(batch(failure()))
        with pytest.raises(SinkUnavailableError, match="does not take them"):
            sink.flush()
        sink.close()


def test_a_session_that_signs_in_is_left_to_who_provides_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "session" in exporters._arguments("otlp_proto_http", "traces")
    monkeypatch.setenv("OTEL_PYTHON_EXPORTER_OTLP_HTTP_CREDENTIAL_PROVIDER", "cloud")
    assert "session" not in exporters._arguments("otlp_proto_http", "traces")
