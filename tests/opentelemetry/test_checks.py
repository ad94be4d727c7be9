"""What keeps telemetry from leaving is said by the system checks."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from pytest_django import Settings

from django_qaprod.checks import check_always
from django_qaprod.sinks.opentelemetry import exporters

OURS = {"qaprod.E018", "qaprod.E019", "qaprod.E025", "qaprod.W018", "qaprod.W019"}


@pytest.fixture(autouse=True)
def _on(settings: Settings, no_provider: None, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.QAPROD = {"OPENTELEMETRY": {}}
    monkeypatch.setenv("OTEL_SERVICE_NAME", "shop")


def found() -> dict[str, str]:
    messages = [message for message in check_always() if message.id in OURS]
    return {str(message.id): f"{message.msg} {message.hint}" for message in messages}


def without(monkeypatch: pytest.MonkeyPatch, *missing: str) -> None:
    def entry_points(*, group: str, name: str) -> Iterable[object]:
        return [] if name in missing else [object()]

    monkeypatch.setattr(exporters, "entry_points", entry_points)


def test_all_is_well(monkeypatch: pytest.MonkeyPatch) -> None:
    assert found() == {}


def test_off_needs_nothing(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.QAPROD = {}
    monkeypatch.delenv("OTEL_SERVICE_NAME")
    without(monkeypatch, "otlp_proto_http")
    assert found() == {}


def test_a_missing_exporter_is_named_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    without(monkeypatch, "otlp_proto_http")
    assert 'pip install "django-qaprod[otlp]"' in found()["qaprod.E018"]


def test_so_is_that_for_grpc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
    without(monkeypatch, "otlp_proto_grpc")
    assert "opentelemetry-exporter-otlp-proto-grpc" in found()["qaprod.E018"]


@pytest.mark.parametrize("name", ["OTEL_TRACES_EXPORTER", "OTEL_METRICS_EXPORTER"])
def test_a_name_that_nobody_knows_is_an_error(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "carrier-pigeon")
    assert "carrier-pigeon" in found()["qaprod.E019"]


@pytest.mark.parametrize("name", ["OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL"])
def test_a_protocol_that_nobody_speaks_is_named_with_those_that_are(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "http/json")
    assert found()["qaprod.E019"].startswith(f"{name} is 'http/json'")
    assert "'http/protobuf'" in found()["qaprod.E019"]


def test_what_is_not_exported_needs_no_exporter(monkeypatch: pytest.MonkeyPatch) -> None:
    without(monkeypatch, "otlp_proto_http")
    monkeypatch.setenv("OTEL_METRICS_EXPORTER", "none")
    assert "traces" in found()["qaprod.E018"]
    trace.set_tracer_provider(TracerProvider(shutdown_on_exit=False))
    assert found() == {}, "the host exports its spans itself"


def test_a_service_wants_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OTEL_SERVICE_NAME")
    assert "OTEL_SERVICE_NAME" in found()["qaprod.W018"]
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "service.name=shop")
    assert found() == {}


def test_older_names_of_attributes_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SEMCONV_STABILITY_OPT_IN", "database")
    assert "http,database" in found()["qaprod.W019"]
    monkeypatch.setenv("OTEL_SEMCONV_STABILITY_OPT_IN", "database, http/dup")
    assert found() == {}


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318", "http://"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector.example.org", "http://"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "tcp://collector:4318", "http://"),
        ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "http:///v1/metrics", "no host"),
        ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "http://a collector:4318", "no host"),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://collector:99999", "port"),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://collector:0", "port"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://user:hunter2@[::1", "port"),
    ],
)
def test_an_endpoint_that_is_no_address_is_an_error(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, words: str
) -> None:
    monkeypatch.setenv(name, value)
    [message] = [one for one in check_always() if one.id == "qaprod.E025"]
    assert message.msg.startswith(name)
    assert words in message.msg
    assert "http://collector.example.org:4318" in str(message.hint)
    assert "hunter2" not in f"{message.msg} {message.hint}"


@pytest.mark.parametrize("value", ["https://collector.example.org", "http://[::1]:4318/otlp", "HTTP://c:1"])
def test_an_endpoint_that_is_an_address_is_none(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", value)
    assert found() == {}


@pytest.mark.parametrize(
    ("value", "well"),
    [
        ("collector:4317", True),
        ("unix:///run/otlp.sock", True),
        ("unix:run/otlp.sock", True),
        ("unix-abstract:otlp", True),
        ("dns:collector:4317", True),
        ("dns:///collector:4317", True),
        ("ipv4:10.0.0.1:4317,10.0.0.2:4317", True),
        ("passthrough:collector:4317", True),
        ("collector:grpc", False),
        ("http://collector:grpc", False),
    ],
)
def test_by_grpc_there_are_other_addresses(monkeypatch: pytest.MonkeyPatch, value: str, well: bool) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", value)
    without(monkeypatch)
    assert ("qaprod.E025" not in found()) is well


def test_an_endpoint_that_nothing_goes_to_may_be_anything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "nowhere")
    monkeypatch.setenv("OTEL_METRICS_EXPORTER", "console")
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "none")
    assert found() == {}
