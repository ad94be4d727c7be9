"""What a trace tells of a request, and what it keeps to itself."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import suppress
from contextvars import ContextVar
from typing import Any

import pytest
from django.test import AsyncClient, Client
from opentelemetry import trace
from opentelemetry.instrumentation.django import DjangoInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from pytest_django import Settings

from django_qaprod import conf, context
from django_qaprod.contrib import opentelemetry
from django_qaprod.contrib.opentelemetry import instrumenting, privacy, providing, witnessing
from django_qaprod.pipeline import guard, hooks, numbers
from django_qaprod.records import Exemplar, NumbersRecord
from django_qaprod.testing import capture_records
from django_qaprod.testing.recording import Records
from tests.otlp import Received, attributes

from .conftest import flushed
from .urls import SECRET

# Django looks after connections at the end of each request.
pytestmark = pytest.mark.django_db(databases="__all__")

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = f"00-{TRACE}-00f067aa0ba902b7-01"


def get(path: str, **headers: str) -> Any:
    """Visit as a server does; answers of 500 are answers."""
    client = Client(raise_request_exception=False)
    response = client.get(path, headers=headers)
    if response.streaming:
        b"".join(response)
    response.close()
    return response


async def aget(path: str) -> Any:
    response = await AsyncClient(raise_request_exception=False).get(path)
    if response.streaming:
        async for _ in response:
            pass
    return response


def events(span: Any) -> list[tuple[str, dict[str, Any]]]:
    return [(event.name, attributes(event.attributes)) for event in span.events]


def exemplars(records: Records) -> list[Exemplar]:
    return [
        one for record in records.records if isinstance(record, NumbersRecord) for one in record.exemplars
    ]


class TestSwitchingOn:
    def test_their_middleware_stands_behind_ours(self, traced: Received) -> None:
        listed = list(conf.django_settings.MIDDLEWARE)
        assert listed[0] == conf.MIDDLEWARE
        assert "opentelemetry" in listed[1]

    def test_once_is_enough(self, traced: Received) -> None:
        before = list(conf.django_settings.MIDDLEWARE)
        opentelemetry.install()
        assert list(conf.django_settings.MIDDLEWARE) == before
        with capture_records():
            get("/ok/")
        assert len(flushed(traced)) == 1

    def test_afterwards_everything_is_as_it_was(self, site: Settings) -> None:
        before = list(site.MIDDLEWARE)
        opentelemetry.install()
        assert list(site.MIDDLEWARE) != before
        opentelemetry.uninstall()
        assert list(site.MIDDLEWARE) == before
        assert not DjangoInstrumentor().is_instrumented_by_opentelemetry
        assert not hooks.request_witnesses
        assert not instrumenting.middleware.methods
        assert context.span_ids is None

    def test_without_traces_nothing_is_instrumented(self, site: Settings) -> None:
        site.QAPROD = {"RERAISE": False, "OPENTELEMETRY": {"TRACES": False}}
        opentelemetry.install()
        assert not instrumenting.instrumented()
        assert context.span_ids is None

    def test_no_provider_is_made_before_the_first_request(self, traced: Received) -> None:
        assert isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)
        with capture_records():
            get("/ok/")
        assert isinstance(trace.get_tracer_provider(), TracerProvider)
        assert providing.is_ours()

    def test_the_exporter_s_thread_knows_nothing_of_the_request_that_began_it(
        self, traced: Received, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Sentry hands what is current on to each thread, and this one stays."""
        seen: dict[str, str] = {}
        served, start = ContextVar("served", default=""), threading.Thread.start

        def handing_on(thread: threading.Thread) -> None:
            seen[thread.name] = served.get()
            start(thread)

        monkeypatch.setattr(threading.Thread, "start", handing_on)
        token = served.set("a visitor's")
        try:
            with capture_records():
                get("/ok/")
        finally:
            served.reset(token)
        [name] = [name for name in seen if name.startswith("OtelBatchSpan")]
        assert seen[name] == ""

    def test_in_the_tests_of_a_host_nothing_is_made_and_nothing_leaves(
        self, traced: Received, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(providing, "in_test_run", lambda: True)
        get("/ok/")
        assert isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)
        with capture_records() as records:
            get("/broken/x/")
        assert flushed(traced) == []
        assert len(records.failures[0].trace_id) == 32, "who asks for records sees the ids"

    def test_the_resource_is_what_the_variables_say(
        self, traced: Received, site: Settings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        site.QAPROD = {"RERAISE": False, "OPENTELEMETRY": {}, "RELEASE": "2025.1"}
        monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test,host.name=web-1")
        with capture_records():
            get("/ok/")
        flushed(traced)
        [found] = traced.resources("traces")
        assert found["service.name"] == "shop"
        assert found["service.version"] == "2025.1"
        assert found["deployment.environment.name"] == "test"
        assert found["host.name"] == "web-1"
        assert len(found["service.instance.id"]) == 36

    @pytest.mark.parametrize(
        ("name", "value"), [("OTEL_TRACES_EXPORTER", "none"), ("OTEL_SDK_DISABLED", "true")]
    )
    def test_none_means_none(
        self, traced: Received, monkeypatch: pytest.MonkeyPatch, name: str, value: str
    ) -> None:
        monkeypatch.setenv(name, value)
        with capture_records() as records:
            assert get("/broken/x/").status_code == 500
        assert flushed(traced) == []
        assert len(records.failures) == 1

    def test_the_sampler_of_the_variables_decides(
        self, traced: Received, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("OTEL_TRACES_SAMPLER", "always_off")
        with capture_records() as records:
            get("/broken/x/")
        assert flushed(traced) == []
        [failure] = records.failures
        assert len(failure.trace_id) == 32, "an id that is not sampled is an id"
        assert not exemplars(records)


class TestFailures:
    def test_an_error_is_one_event_with_scrubbed_words(self, traced: Received) -> None:
        with capture_records() as records:
            get("/broken/pathcanary/")
        [failure] = records.failures
        [span] = flushed(traced)
        [(name, event)] = events(span)
        assert name == "exception"
        assert event["exception.type"] == "LookupError"
        assert event["exception.message"] == "no such thing at broken/<str:word>/: password=[scrubbed]"
        assert event["exception.stacktrace"].startswith("Traceback (most recent call last):\n")
        assert 'raise LookupError(f"no such thing' in event["exception.stacktrace"]
        assert event["exception.stacktrace"].endswith("password=[scrubbed]")
        assert event["qaprod.occurrence.id"] == failure.id
        assert event["qaprod.kind"] == "unhandled"
        assert span.status.code == 2
        assert attributes(span.attributes)["error.type"] == "500"

    async def test_an_error_is_one_event_async(self, traced: Received) -> None:
        with capture_records() as records:
            await aget("/abroken/pathcanary/")
        [failure] = records.failures
        [span] = flushed(traced)
        [(_, event)] = events(span)
        assert event["qaprod.occurrence.id"] == failure.id
        assert (failure.trace_id, failure.span_id) == (span.trace_id.hex(), span.span_id.hex())

    def test_the_record_the_trace_and_the_request_have_one_id(self, traced: Received) -> None:
        with capture_records() as records:
            get("/broken/x/")
        [failure] = records.failures
        [span] = flushed(traced)
        assert failure.trace_id == failure.request_id == span.trace_id.hex()
        assert failure.span_id == span.span_id.hex()

    def test_a_trace_that_came_with_the_request_goes_on(self, traced: Received) -> None:
        with capture_records() as records:
            get("/broken/x/", traceparent=PARENT)
        [failure] = records.failures
        [span] = flushed(traced)
        assert span.trace_id.hex() == failure.trace_id == failure.request_id == TRACE
        assert failure.span_id == span.span_id.hex() != PARENT[36:52]

    def test_a_request_with_an_id_keeps_it(self, traced: Received) -> None:
        with capture_records() as records:
            get("/broken/x/", x_request_id="from-the-proxy")
        [failure] = records.failures
        assert failure.request_id == "from-the-proxy"
        assert len(failure.trace_id) == 32

    def test_a_visitor_who_is_not_trusted_names_no_request(self, traced: Received, site: Settings) -> None:
        site.QAPROD = {"RERAISE": False, "OPENTELEMETRY": {}, "TRUST_REQUEST_ID": False}
        with capture_records() as records:
            get("/broken/x/", traceparent=PARENT)
        [failure] = records.failures
        assert failure.request_id != TRACE
        assert failure.trace_id == TRACE

    def test_an_error_within_a_span_of_the_hosts_is_on_that(self, traced: Received) -> None:
        with capture_records() as records:
            get("/within/")
        [failure] = records.failures
        inner, outer = flushed(traced)
        assert (inner.name, outer.name) == ("asking the shop", "GET within/")
        assert failure.span_id == inner.span_id.hex()
        assert [name for name, _ in events(inner)] == ["exception"]
        assert events(outer) == []
        assert attributes(outer.attributes)["qaprod.degraded"] is True

    def test_a_page_that_is_not_there_is_no_error(self, traced: Received) -> None:
        with capture_records():
            assert get("/missing/").status_code == 404
        [span] = flushed(traced)
        assert span.status.code == 0
        assert events(span) == []

    def test_an_error_that_was_only_logged_is_an_event(self, traced: Received) -> None:
        with capture_records() as records:
            get("/logs/")
        [failure] = records.failures
        [span] = flushed(traced)
        [(name, event)] = events(span)
        assert name == "qaprod.failure"
        assert event["qaprod.failure.message"] == "the stock is negative"
        assert event["qaprod.occurrence.id"] == failure.id

    def test_the_chain_is_told_as_python_tells_it(self, traced: Received) -> None:
        with capture_records():
            get("/chain/")
        [span] = flushed(traced)
        [(_, event)] = events(span)
        before, between, after = event["exception.stacktrace"].partition(
            "The above exception was the direct cause"
        )
        assert "ConnectionError: refused" in before
        assert between
        assert after.endswith("LookupError: no stock")

    def test_an_error_outside_of_any_request_has_the_ids_of_its_span(self, traced: Received) -> None:
        with capture_records():
            get("/ok/")
        with capture_records() as records, trace.get_tracer("host").start_as_current_span("x") as span:
            from django_qaprod import report

            report(LookupError("in a thread"))
        [failure] = records.failures
        assert failure.trace_id == trace.format_trace_id(span.get_span_context().trace_id)


class TestWhatElseBecomesOfARequest:
    def test_one_that_was_degraded_says_so(self, traced: Received) -> None:
        with capture_records() as records:
            assert get("/degraded/").status_code == 200
        [failure] = records.failures
        [span] = flushed(traced)
        told = attributes(span.attributes)
        assert told["qaprod.degraded"] is True
        assert told["qaprod.journey"] == "orders"
        [(name, event)] = events(span)
        assert name == "exception"
        assert event["qaprod.occurrence.id"] == failure.id
        assert event["qaprod.name"] == "school search"
        assert span.status.code == 0, "the visitor was served"

    def test_a_step_is_an_event_without_its_subject(self, traced: Received) -> None:
        with capture_records():
            get("/step/subject-7/")
        [span] = flushed(traced)
        assert events(span) == [("qaprod.step", {"qaprod.journey": "orders", "qaprod.step": "submitted"})]
        assert attributes(span.attributes)["qaprod.journey"] == "orders"
        assert not any(b"subject-7" in raw for raw in traced.raw)

    def test_the_root_has_the_route_that_numbers_have_for_it(self, traced: Received) -> None:
        with capture_records() as records:
            get("/")
        [span] = flushed(traced)
        assert span.name == "GET /"
        assert attributes(span.attributes)["http.route"] == "/"
        assert {dict(cell.attributes)["http.route"] for cell in records.requests} == {"/"}

    async def test_the_root_has_the_route_that_numbers_have_for_it_async(self, traced: Received) -> None:
        with capture_records():
            await aget("/")
        [span] = flushed(traced)
        assert (span.name, attributes(span.attributes)["http.route"]) == ("GET /", "/")

    def test_a_name_that_a_view_has_chosen_stays(self, traced: Received) -> None:
        with capture_records():
            get("/?named")
        [span] = flushed(traced)
        assert span.name == "the window"
        assert attributes(span.attributes)["http.route"] == "/"

    @pytest.mark.parametrize(
        ("path", "outcome", "status", "names"),
        [("/stream/", "ok", 0, []), ("/stream/?break=1", "server_error", 2, ["exception"])],
    )
    def test_a_stream_has_a_span_of_its_own(
        self, traced: Received, path: str, outcome: str, status: int, names: list[str]
    ) -> None:
        with capture_records() as records:
            try:
                get(path)
            except RuntimeError:
                assert "break" in path
        server, tail = flushed(traced)
        assert tail.parent_span_id == server.span_id
        assert tail.trace_id == server.trace_id
        assert tail.name == "GET stream/ stream"
        assert attributes(tail.attributes) == {"http.route": "stream/", "qaprod.outcome": outcome}
        assert tail.status.code == status
        assert [name for name, _ in events(tail)] == names
        assert server.end_time_unix_nano <= tail.start_time_unix_nano <= tail.end_time_unix_nano
        assert [failure.span_id for failure in records.failures] == [tail.span_id.hex()] * len(names)

    async def test_a_stream_has_a_span_of_its_own_async(self, traced: Received) -> None:
        with capture_records():
            await aget("/astream/")
        server, tail = flushed(traced)
        assert tail.parent_span_id == server.span_id
        assert attributes(tail.attributes)["qaprod.outcome"] == "ok"

    def test_a_stream_that_nobody_reads_to_its_end_was_aborted(self, traced: Received) -> None:
        with capture_records():
            response = Client().get("/stream/")
            next(iter(response))
            response.close()
        _, tail = flushed(traced)
        assert attributes(tail.attributes)["qaprod.outcome"] == "aborted"

    def test_a_request_that_is_broken_off_ends_and_leaves_nothing_behind(self, traced: Received) -> None:
        with capture_records():
            with pytest.raises(SystemExit):
                get("/ends/", traceparent=PARENT)
            assert not trace.get_current_span().get_span_context().is_valid
            get("/ok/")
        broken_off, next_one = flushed(traced)
        assert attributes(broken_off.attributes)["qaprod.outcome"] == "aborted"
        assert next_one.parent_span_id == b""


class TestPrivacy:
    @pytest.mark.parametrize(
        "path",
        [
            "/ok/?password=querycanary",
            "/broken/pathcanary/?q=querycanary",
            "/degraded/?q=querycanary",
            "/stream/?q=querycanary",
            "/nowhere/pathcanary/",
        ],
    )
    def test_neither_paths_nor_queries_nor_addresses_nor_secrets_leave(
        self, traced: Received, path: str
    ) -> None:
        with capture_records():
            client = Client(raise_request_exception=False, REMOTE_ADDR="192.0.2.77")
            b"".join(client.get(path, headers={"x-forwarded-for": "192.0.2.78"}))
        spans = flushed(traced)
        assert spans
        everything = b"".join(traced.raw)
        for canary in (b"canary", b"192.0.2.", b"hunter2", SECRET.encode()):
            assert canary not in everything

    async def test_nor_do_they_async(self, traced: Received) -> None:
        with capture_records():
            await aget("/abroken/pathcanary/?q=querycanary")
        [span] = flushed(traced)
        assert not attributes(span.attributes).keys() & privacy.HIDDEN
        for canary in (b"canary", b"hunter2"):
            assert not any(canary in raw for raw in traced.raw)

    def test_nor_do_they_by_spans_within(self, traced: Received) -> None:
        """One that the host or another instrumentation makes repeats the path of the request."""
        with capture_records():
            get("/within/?q=1")
        for span in flushed(traced):
            assert b"/within/" not in span.SerializeToString()
        tracer = trace.get_tracer("host")
        span = tracer.start_span("sender", attributes={"client.address": "192.0.2.77"})
        privacy.remember(span, "/reset/canary/")
        span.set_attribute("seen", "at /reset/canary/ now")
        span.end()
        *_, found = flushed(traced)
        assert attributes(found.attributes) == {"seen": "at [path] now"}

    def test_numbers_may_be_secrets(self) -> None:
        assert privacy.value_of("otp", 493021) == "[scrubbed]"
        assert privacy.value_of("number", 4111111111111111) == "[card]"
        assert privacy.value_of("count", 3) == 3

    def test_what_others_put_on_spans_is_scrubbed(self, traced: Received) -> None:
        with capture_records():
            get("/ok/")
        given = {
            "url.full": "https://user:canary@shop.example/stock?token=canary",
            "db.query.text": "SELECT * FROM users WHERE email = 'canary@example.org'",
            "http.request.header.authorization": ("Basic canary",),
            "count": 3,
            "ok": True,
        }
        tracer = trace.get_tracer("host")
        with suppress(ValueError), tracer.start_as_current_span("asking", attributes=given) as span:
            span.add_event("sent", {"password": "canary"})
            raise ValueError("password=canary")
        *_, found = flushed(traced)
        told = attributes(found.attributes)
        assert told["url.full"] == "https://[scrubbed]@shop.example/stock?[scrubbed]"
        assert told["http.request.header.authorization"] == "[scrubbed]"
        assert (told["count"], told["ok"]) == (3, True)
        assert [name for name, _ in events(found)] == ["sent", "exception"]
        assert found.status.message == "ValueError: password=[scrubbed]"
        assert not any(b"canary" in raw for raw in traced.raw)

    def test_where_the_host_exports_the_span_is_made_without_them(
        self, site: Settings, no_provider: None
    ) -> None:
        exported = InMemorySpanExporter()
        theirs = TracerProvider(shutdown_on_exit=False)
        theirs.add_span_processor(SimpleSpanProcessor(exported))
        trace.set_tracer_provider(theirs)
        opentelemetry.install()
        try:
            with capture_records():
                get("/broken/pathcanary/?password=querycanary")
        finally:
            opentelemetry.uninstall()
        [span] = exported.get_finished_spans()
        assert not providing.is_ours()
        assert "canary" not in span.to_json()
        assert "127.0.0.1" not in span.to_json()
        assert [event.name for event in span.events] == ["exception"]


class TestAHostThatInstrumentsItself:
    @pytest.fixture
    def exported(self, site: Settings, no_provider: None) -> Iterator[InMemorySpanExporter]:
        exported = InMemorySpanExporter()
        theirs = TracerProvider(shutdown_on_exit=False)
        theirs.add_span_processor(SimpleSpanProcessor(exported))
        DjangoInstrumentor().instrument(tracer_provider=theirs)
        trace.set_tracer_provider(theirs)
        opentelemetry.install()
        yield exported
        opentelemetry.uninstall()
        DjangoInstrumentor().uninstrument()

    def test_is_left_alone(self, exported: InMemorySpanExporter, site: Settings) -> None:
        listed = [entry for entry in site.MIDDLEWARE if "opentelemetry" in entry]
        assert len(listed) == 1
        opentelemetry.uninstall()
        assert [entry for entry in site.MIDDLEWARE if "opentelemetry" in entry] == listed

    def test_has_one_event_for_an_error_which_says_what_we_know(self, exported: InMemorySpanExporter) -> None:
        with capture_records() as records:
            get("/broken/x/")
        [failure] = records.failures
        [span] = exported.get_finished_spans()
        assert [event.name for event in span.events] == ["exception"]
        assert span.attributes is not None
        assert span.attributes["qaprod.occurrence.id"] == failure.id
        assert failure.trace_id == trace.format_trace_id(span.context.trace_id)

    def test_learns_of_degradations_and_streams(self, exported: InMemorySpanExporter) -> None:
        with capture_records():
            get("/degraded/")
            get("/stream/")
        degraded, server, tail = exported.get_finished_spans()
        assert degraded.attributes is not None
        assert degraded.attributes["qaprod.degraded"] is True
        assert tail.parent is not None
        assert tail.parent.span_id == server.context.span_id

    def test_learns_of_the_route_of_its_root(self, exported: InMemorySpanExporter) -> None:
        with capture_records():
            get("/")
        [span] = exported.get_finished_spans()
        assert span.attributes is not None
        assert (span.name, span.attributes["http.route"]) == ("GET /", "/")

    async def test_learns_of_streams_async(self, exported: InMemorySpanExporter) -> None:
        with capture_records():
            await aget("/astream/")
        server, tail = exported.get_finished_spans()
        assert tail.parent is not None
        assert tail.parent.span_id == server.context.span_id


class Nameless(trace.NonRecordingSpan):
    """A span of a provider of another make: it records, and has what the instrumentation itself asks for."""

    kind = trace.SpanKind.SERVER
    ended = False

    def is_recording(self) -> bool:
        return not self.ended

    def end(self, end_time: int | None = None) -> None:
        assert not self.ended
        self.ended = True


class OfAnotherMake(trace.TracerProvider, trace.NoOpTracer):
    def __init__(self) -> None:
        self.begun: list[Nameless] = []

    def get_tracer(self, *args: Any, **kwargs: Any) -> trace.Tracer:
        return self

    def start_span(self, *args: Any, **kwargs: Any) -> trace.Span:
        self.begun.append(Nameless(trace.SpanContext(1, 1, is_remote=False)))
        return self.begun[-1]


def test_spans_of_another_make_need_tell_nothing_of_themselves(site: Settings, no_provider: None) -> None:
    theirs = OfAnotherMake()
    trace.set_tracer_provider(theirs)
    opentelemetry.install()
    guard.take()
    try:
        with capture_records():
            assert get("/").status_code == 200
            assert get("/stream/").status_code == 200
    finally:
        opentelemetry.uninstall()
    assert guard.take() is None
    assert [span.ended for span in theirs.begun] == [True] * 3


def test_a_host_that_instruments_itself_and_sets_no_provider_gets_ours(
    site: Settings, no_provider: None, otlp: Received, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(providing, "in_test_run", lambda: False)
    DjangoInstrumentor().instrument()
    opentelemetry.install()
    try:
        with capture_records() as records:
            get("/ok/")
            get("/broken/pathcanary/")
        [span] = flushed(otlp)
    finally:
        opentelemetry.uninstall()
        DjangoInstrumentor().uninstrument()
    [(name, event)] = events(span)
    assert name == "exception"
    assert event["exception.message"] == "no such thing at broken/<str:word>/: password=[scrubbed]"
    assert event["qaprod.occurrence.id"] == records.failures[0].id
    assert not any(b"canary" in raw for raw in otlp.raw)


class TestExemplars:
    def test_the_slowest_and_the_failed_of_a_series_lead_to_their_traces(self, traced: Received) -> None:
        with capture_records() as records:
            for _ in range(3):
                get("/ok/")
            get("/broken/x/")
        found = {dict(one.attributes)["http.route"]: one for one in exemplars(records)}
        spans = {span.span_id.hex(): span for span in flushed(traced)}
        assert found.keys() == {"ok/", "broken/<str:word>/"}
        for one in found.values():
            assert spans[one.span_id].trace_id.hex() == one.trace_id
            assert one.value > 0

    @pytest.mark.parametrize("options", [{"EXEMPLARS": False}, {"METRICS": False}])
    def test_nobody_who_does_not_want_them_has_them(
        self, traced: Received, site: Settings, options: dict[str, bool]
    ) -> None:
        site.QAPROD = {"RERAISE": False, "OPENTELEMETRY": options}
        with capture_records() as records:
            get("/ok/")
        assert not exemplars(records)

    def test_there_is_room_for_those_that_failed(self) -> None:
        numbers.take_exemplars()
        for number in range(100):
            for status, outcome in ((200, "ok"), (500, "server_error")):
                key = (f"{number}/", "GET", status, outcome, "Firefox")
                if numbers.wants_exemplar(key, 0.1):
                    numbers.exemplar(key, 0.1, trace_id=TRACE, span_id="1" * 16)
        taken = numbers.take_exemplars()
        assert len(taken) == numbers.MOST_EXEMPLARS
        failed = [one for one in taken if ("qaprod.outcome", "server_error") in one.attributes]
        assert len(failed) >= numbers.MOST_EXEMPLARS // 2
        assert numbers.take_exemplars() == ()

    def test_only_a_slower_one_takes_the_place(self) -> None:
        numbers.take_exemplars()
        key = ("a/", "GET", 200, "ok", "Firefox")
        numbers.exemplar(key, 0.2, trace_id=TRACE, span_id="1" * 16)
        assert not numbers.wants_exemplar(key, 0.1)
        assert numbers.wants_exemplar(key, 0.3)
        numbers.take_exemplars()


@pytest.mark.parametrize("stage", ["_on_failure", "_on_step", "_on_stream", "_on_end", "_ids"])
def test_no_request_notices_when_we_fail(
    stage: str, site: Settings, no_provider: None, otlp: Received, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: Any) -> None:
        raise RuntimeError("a bug of ours")

    monkeypatch.setattr(witnessing, stage, fail)
    opentelemetry.install()
    guard.take()
    try:
        with capture_records():
            assert get("/broken/x/").status_code == 500
            assert get("/degraded/").status_code == 200
            assert get("/step/1/").status_code == 200
            assert get("/stream/").status_code == 200
    finally:
        opentelemetry.uninstall()
    assert guard.take() is not None


def test_no_request_notices_when_the_hooks_fail(traced: Received, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(context, "current", lambda: 1 / 0)
    assert get("/ok/").status_code == 200
