"""What was counted arrives as OpenTelemetry's metrics, once, whatever the endpoint does meanwhile."""

from __future__ import annotations

from typing import Any

import pytest
from opentelemetry import metrics as api
from pytest_django import Settings

from django_qaprod import histogram
from django_qaprod.exceptions import SinkUnavailableError
from django_qaprod.pipeline import cells, guard
from django_qaprod.records import Cell, Exemplar, NumbersRecord, Record
from django_qaprod.sinks.opentelemetry import OpenTelemetrySink, outlet, sink
from django_qaprod.typing import Sink
from tests.otlp import Received, attributes
from tests.store.make import batch, cell, failure, numbers, trouble

DURATION = "http.server.request.duration"
CUMULATIVE, DELTA = 2, 1


@pytest.fixture(autouse=True)
def _on(settings: Settings) -> None:
    settings.QAPROD = {"OPENTELEMETRY": {}}


@pytest.fixture
def sending(otlp: Received) -> OpenTelemetrySink:
    return OpenTelemetrySink()


def requests(*seconds: float, route: str = "apply/", status: int = 200, outcome: str = "ok") -> NumbersRecord:
    taken = [((route, "GET", status, outcome, "Firefox"), list(seconds))]
    return numbers(*cells.of_requests(taken, 0)[:1])


def give(to: OpenTelemetrySink, *records: Record, segment: str = "a", after: int = 0) -> None:
    to.write(batch(*records, segment=segment, after=after))
    to.flush()


def count(name: str, n: int, *pairs: tuple[str, str], label: str = "x") -> Cell:
    return cell(name, label, attributes=pairs, count=n, total=0.0)


def last(received: Received, name: str, **wanted: Any) -> Any:
    """Return the newest data point of a metric with these attributes."""
    found = [point for told, point in received.points(name) if wanted.items() <= told.items()]
    return found[-1]


def test_it_is_a_sink() -> None:
    assert isinstance(OpenTelemetrySink(), Sink)


class TestMetrics:
    def test_durations_are_a_histogram_with_the_standard_attributes(
        self, sending: OpenTelemetrySink, otlp: Received
    ) -> None:
        give(sending, requests(0.003, 0.02, 0.02, 3.0), requests(0.5, status=503, outcome="server_error"))
        [metric] = otlp.metrics(DURATION)
        assert metric.unit == "s"
        assert metric.histogram.aggregation_temporality == CUMULATIVE
        point = last(otlp, DURATION, **{"http.response.status_code": 200})
        assert (point.count, point.sum, point.min, point.max) == (4, pytest.approx(3.043), 0.003, 3.0)
        assert list(point.explicit_bounds) == [
            0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10,
        ]  # fmt: skip
        assert list(point.bucket_counts) == [1, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0]
        assert attributes(point.attributes) == {
            "http.request.method": "GET",
            "http.route": "apply/",
            "http.response.status_code": 200,
            "qaprod.outcome": "ok",
        }
        failed = attributes(last(otlp, DURATION, **{"http.response.status_code": 503}).attributes)
        assert failed["error.type"] == "503"

    def test_a_request_without_an_answer_has_no_status(
        self, sending: OpenTelemetrySink, otlp: Received
    ) -> None:
        give(sending, requests(0.1, status=0, outcome="aborted"))
        [(told, _)] = otlp.points(DURATION)
        assert "http.response.status_code" not in told
        assert told["qaprod.outcome"] == "aborted"

    def test_exponential_histograms_are_ours_as_they_are(
        self, sending: OpenTelemetrySink, otlp: Received, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        name = "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION"
        monkeypatch.setenv(name, "base2_exponential_bucket_histogram")
        values = [0.01 * 1.3**power for power in range(20)]
        give(sending, requests(*values))
        [metric] = otlp.metrics(DURATION)
        [point] = metric.exponential_histogram.data_points
        found = {point.positive.offset + at: n for at, n in enumerate(point.positive.bucket_counts) if n}
        assert point.scale == histogram.SCALE
        assert found == histogram.of(values)
        assert point.count == 20

    def test_failures_and_degradations_are_counted_apart(
        self, sending: OpenTelemetrySink, otlp: Received
    ) -> None:
        degraded = failure(kind="degraded", name="prefill", journey="apply", served=True)
        give(sending, failure(route="apply/"), failure(route="apply/"), degraded)
        failed = last(otlp, "qaprod.failures")
        assert failed.as_int == 2
        assert attributes(failed.attributes) == {
            "error.type": "ValueError",
            "qaprod.kind": "unhandled",
            "qaprod.severity": "error",
            "http.route": "apply/",
        }
        swallowed = last(otlp, "qaprod.degradations", **{"qaprod.name": "prefill", "qaprod.journey": "apply"})
        assert swallowed.as_int == 1
        [metric] = otlp.metrics("qaprod.failures")
        assert metric.sum.is_monotonic
        assert metric.unit == "{failure}"

    def test_steps_and_what_else_was_counted_are_sums(
        self, sending: OpenTelemetrySink, otlp: Received
    ) -> None:
        step = count("qaprod.steps", 3, ("qaprod.journey", "Apply"), ("qaprod.step", "submitted"))
        give(sending, numbers(step, count("qaprod.degraded.short_circuited", 2, label="school search")))
        assert last(otlp, "qaprod.steps", **{"qaprod.step": "submitted"}).as_int == 3
        assert last(otlp, "qaprod.degraded.short_circuited", **{"qaprod.name": "school search"}).as_int == 2

    def test_our_own_troubles_are_told(self, sending: OpenTelemetrySink, otlp: Received) -> None:
        give(sending, trouble(errors={"drainer": 2}, dropped={"spool.full": 5}))
        assert last(otlp, "qaprod.internal.errors", **{"qaprod.part": "drainer"}).as_int == 2
        assert last(otlp, "qaprod.internal.dropped", **{"qaprod.part": "spool.full"}).as_int == 5

    def test_gauges_are_the_mean_of_what_was_read(self, sending: OpenTelemetrySink, otlp: Received) -> None:
        def read(value: float) -> Cell:
            host = (("host.name", "web-1"),)
            return cell("process.memory.usage", attributes=host, total=value, gauge=True, unit="By")

        give(sending, numbers(read(10.0)), numbers(read(30.0)))
        assert last(otlp, "process.memory.usage").as_double == 20.0
        assert otlp.metrics("process.memory.usage")[0].unit == "By"
        give(sending, failure(), after=2)
        assert len(otlp.points("process.memory.usage")) == 1, "only when it was read"

    def test_series_are_bounded_and_say_so(
        self, sending: OpenTelemetrySink, otlp: Received, settings: Settings
    ) -> None:
        settings.QAPROD = {"OPENTELEMETRY": {}, "MAX_SERIES": 3}
        give(sending, numbers(*[count("many", 1, ("n", str(n))) for n in range(10)]))
        points = otlp.points("many")
        assert len(points) == 4
        assert last(otlp, "many", **{"otel.metric.overflow": True}).as_int == 7

    def test_exemplars_lead_to_traces_once(self, sending: OpenTelemetrySink, otlp: Received) -> None:
        record = requests(0.2, 3.0)
        exemplar = Exemplar(
            attributes=record.cells[0].attributes, at=1.5, value=3.0, trace_id="a" * 32, span_id="b" * 16
        )
        slow = numbers(*record.cells)
        slow = NumbersRecord(id=slow.id, at=slow.at, cells=slow.cells, exemplars=(exemplar,))
        give(sending, slow)
        [found] = last(otlp, DURATION).exemplars
        assert (found.trace_id.hex(), found.span_id.hex()) == ("a" * 32, "b" * 16)
        assert (found.as_double, found.time_unix_nano) == (3.0, 1_500_000_000)
        give(sending, requests(0.1), after=1)
        assert not last(otlp, DURATION).exemplars


class TestSums:
    def test_they_go_on_over_processes_and_closing(self, sending: OpenTelemetrySink, otlp: Received) -> None:
        give(sending, requests(0.1, 0.2), segment="a")
        sending.close()
        give(sending, requests(0.3), segment="b")
        assert [point.count for _, point in otlp.points(DURATION)] == [2, 3]
        first, second = (point for _, point in otlp.points(DURATION))
        assert first.start_time_unix_nano == second.start_time_unix_nano < second.time_unix_nano
        one, other = otlp.resources("metrics")
        assert one == other
        assert one["service.name"] == "shop"

    def test_a_sink_that_is_made_anew_is_somebody_else(self, otlp: Received) -> None:
        for segment in ("a", "b"):
            give(OpenTelemetrySink(), requests(0.1), segment=segment)
        assert [point.count for _, point in otlp.points(DURATION)] == [1, 1]
        one, other = otlp.resources("metrics")
        assert one["service.instance.id"] != other["service.instance.id"]

    def test_what_comes_again_after_an_outage_counts_once(
        self, sending: OpenTelemetrySink, otlp: Received
    ) -> None:
        records = (requests(0.1), failure())
        otlp.status = 500
        for _ in range(3):
            sending.write(batch(*records))
            with pytest.raises(SinkUnavailableError):
                sending.flush()
        otlp.status = 200
        sending.write(batch(*records))
        sending.write(batch(requests(0.1), segment="segment", after=2))
        sending.flush()
        assert last(otlp, DURATION).count == 2
        assert last(otlp, "qaprod.failures").as_int == 1

    @pytest.mark.parametrize("preference", ["delta", "DELTA", "lowmemory"])
    def test_deltas_begin_where_the_last_one_ended(
        self, sending: OpenTelemetrySink, otlp: Received, monkeypatch: pytest.MonkeyPatch, preference: str
    ) -> None:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", preference)
        give(sending, requests(0.1, 0.2))
        otlp.status = 503
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "0.1")
        sending.close()
        with pytest.raises(SinkUnavailableError):
            give(sending, requests(0.3), after=1)
        otlp.status = 200
        sending.close()
        give(sending, requests(0.3), after=1)
        first, second = (point for _, point in otlp.points(DURATION))
        assert (first.count, second.count) == (2, 1)
        assert second.start_time_unix_nano == first.time_unix_nano
        assert otlp.metrics(DURATION)[0].histogram.aggregation_temporality == DELTA

    def test_only_what_has_changed_goes_out_and_now_and_then_everything(
        self, sending: OpenTelemetrySink, otlp: Received, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        give(sending, requests(0.1, route="a/"), requests(0.1, route="b/"))
        give(sending, requests(0.1, route="a/"), after=2)
        assert [told["http.route"] for told, _ in otlp.points(DURATION)[2:]] == ["a/"]
        now = outlet.monotonic() + outlet.EVERYTHING_EVERY
        for module in (sink, outlet):
            monkeypatch.setattr(module, "monotonic", lambda: now)
        give(sending, requests(0.1, route="a/"), after=3)
        assert {told["http.route"]: point.count for told, point in otlp.points(DURATION)[3:]} == {
            "a/": 3,
            "b/": 1,
        }


class TestVariables:
    @pytest.mark.parametrize(
        ("name", "value"), [("OTEL_METRICS_EXPORTER", "none"), ("OTEL_SDK_DISABLED", "true")]
    )
    def test_none_means_none(
        self,
        sending: OpenTelemetrySink,
        otlp: Received,
        monkeypatch: pytest.MonkeyPatch,
        name: str,
        value: str,
    ) -> None:
        monkeypatch.setenv(name, value)
        give(sending, requests(0.1))
        assert otlp.raw == []

    def test_metrics_can_be_left_out(
        self, sending: OpenTelemetrySink, otlp: Received, settings: Settings
    ) -> None:
        settings.QAPROD = {"OPENTELEMETRY": {"METRICS": False}}
        give(sending, requests(0.1))
        assert otlp.raw == []

    def test_endpoint_headers_and_compression_are_theirs(
        self, sending: OpenTelemetrySink, otlp: Received, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", f"{otlp.endpoint}/v1/metrics")
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "api-key=1234")
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")
        give(sending, requests(0.1))
        [raw] = otlp.raw
        assert b"api-key: 1234" in raw
        assert b"Content-Encoding: gzip" in raw

    def test_an_exporter_that_is_not_there_is_counted_and_fails_nothing(
        self, sending: OpenTelemetrySink, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("OTEL_METRICS_EXPORTER", "carrier-pigeon")
        guard.take()
        give(sending, requests(0.1))
        tally = guard.take()
        assert tally is not None
        assert "carrier-pigeon" in tally.last_error


def test_a_meter_provider_of_the_hosts_is_left_alone(sending: OpenTelemetrySink) -> None:
    before = api.get_meter_provider()
    give(sending, requests(0.1))
    assert api.get_meter_provider() is before


def test_a_record_that_cannot_be_added_up_is_counted_and_the_others_arrive(
    sending: OpenTelemetrySink, otlp: Received
) -> None:
    broken = numbers(cell(DURATION, histogram=b"\x80"))
    guard.take()
    give(sending, requests(0.1), broken, requests(0.2))
    tally = guard.take()
    assert tally is not None
    assert tally.errors == {"sink.opentelemetry": 1}
    assert sum(point.count for told, point in otlp.points(DURATION) if "http.request.method" in told) == 2


def test_an_endpoint_that_leads_elsewhere_takes_nothing(sending: OpenTelemetrySink, otlp: Received) -> None:
    """An ingress that wants https: the exporter would take its answer for a success."""
    otlp.status = 307
    with pytest.raises(SinkUnavailableError):
        give(sending, requests(0.1))
