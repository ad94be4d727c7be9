"""A host's log records by OTLP, through the official handler: under the ids of the trace, without secrets."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.instrumentation.logging.handler import LoggingHandler
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor

from django_qaprod.contrib.opentelemetry import privacy
from django_qaprod.contrib.opentelemetry.logs import ScrubbingProcessor
from django_qaprod.testing import capture_records
from tests.otlp import Received, attributes

from .conftest import flushed
from .test_traces import get

# Django looks after connections at the end of each request.
pytestmark = pytest.mark.django_db(databases="__all__")


@pytest.fixture
def provider(traced: Received) -> Iterator[LoggerProvider]:
    provider = LoggerProvider(shutdown_on_exit=False)
    provider.add_log_record_processor(ScrubbingProcessor())
    provider.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter()))
    handler = LoggingHandler(logger_provider=provider)
    logging.getLogger().addHandler(handler)
    yield provider
    logging.getLogger().removeHandler(handler)
    provider.shutdown()


def test_a_log_record_has_the_ids_of_the_failure_and_the_span(
    provider: LoggerProvider, traced: Received
) -> None:
    with capture_records() as records:
        get("/broken/pathcanary/?q=querycanary")
    provider.force_flush()
    [failure] = records.failures
    [span] = flushed(traced)
    [record] = traced.logs()
    assert record.trace_id == span.trace_id
    assert record.span_id == span.span_id
    assert record.trace_id.hex() == failure.trace_id == failure.request_id
    assert record.body.string_value == "Internal Server Error: broken/<str:word>/"
    told = attributes(record.attributes)
    assert told["exception.message"] == "no such thing at broken/<str:word>/: password=[scrubbed]"
    assert "request" not in told
    for canary in (b"canary", b"hunter2"):
        assert not any(canary in raw for raw in traced.raw)


def test_a_record_that_cannot_be_scrubbed_leaves_empty(
    provider: LoggerProvider, traced: Received, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(privacy, "value_of", lambda key, value: 1 / 0)
    logging.getLogger("shop").warning("password=canary", extra={"token": "canary"})
    provider.force_flush()
    [record] = traced.logs()
    assert record.body.string_value == "[scrubbed]"
    assert not record.attributes
