"""What an endpoint refuses is dropped and counted, what it cannot take now comes again, and nothing twice."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.metrics.export import MetricExporter, MetricExportResult, MetricsData
from pytest_django import Settings

from django_qaprod.exceptions import SinkUnavailableError
from django_qaprod.pipeline import drainer, feeding, guard, spool
from django_qaprod.records import Exemplar, NumbersRecord, Record, encode
from django_qaprod.sinks.opentelemetry import OpenTelemetrySink, exporters, outlet, sink
from tests.otlp import Received
from tests.store.make import batch, cell, failure, numbers, trouble

from .judging import Judge, judge
from .test_sink import give, requests

REFUSED, BROKEN = "sink.opentelemetry.refused", "sink.opentelemetry.broken"


@pytest.fixture(autouse=True)
def _on(settings: Settings) -> Iterator[None]:
    settings.QAPROD = {"OPENTELEMETRY": {}, "MAX_SERIES": 5_000}
    guard.take()
    yield
    guard.take()


@pytest.fixture
def judging(monkeypatch: pytest.MonkeyPatch) -> Iterator[Judge]:
    with judge() as made:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{made.port}")
        # No time to try again within an export.
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "0.5")
        yield made


@pytest.fixture
def delta(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "delta")


@pytest.fixture
def sending() -> Iterator[OpenTelemetrySink]:
    made = OpenTelemetrySink()
    yield made
    made.close()


def counted(*names: str) -> NumbersRecord:
    return numbers(*[cell("many", "x", attributes=(("n", name),), count=1, total=0.0) for name in names])


def tally() -> guard.Tally:
    found = guard.take()
    assert found is not None
    return found


class TestWhatIsRefused:
    @pytest.mark.parametrize("status", [400, 401, 403, 404])
    def test_it_is_dropped_and_counted_and_does_not_come_again(
        self, sending: OpenTelemetrySink, judging: Judge, status: int
    ) -> None:
        judging.verdict = lambda series: status
        give(sending, counted("a", "b"))
        found = tally()
        assert found.dropped == {REFUSED: 2}
        assert f"answers {status}" in found.words[REFUSED]
        give(sending, counted("c"), after=1)
        assert judging.asked == [{"a": 1, "b": 1}, {"c": 1}]
        found = tally()
        assert found.dropped == {REFUSED: 1}
        assert not found.errors, "told once as long as it lasts"

    def test_sums_hold_what_was_refused(self, sending: OpenTelemetrySink, judging: Judge) -> None:
        judging.verdict = lambda series: 401
        give(sending, counted("a"))
        judging.verdict = lambda series: 200
        give(sending, counted("a"), after=1)
        assert judging.taken == {"a": 2}
        judging.verdict = lambda series: 401
        guard.take()
        give(sending, counted("a"), after=2)
        assert tally().errors == {REFUSED: 1}, "it is told anew"

    def test_what_tells_of_it_is_not_counted_for_ever(
        self, sending: OpenTelemetrySink, judging: Judge
    ) -> None:
        judging.verdict = lambda series: 400
        give(sending, counted("a"))
        guard.take()
        give(sending, trouble(errors={REFUSED: 1}, dropped={REFUSED: 1}), after=1)
        assert len(judging.asked) == 2
        assert guard.take() is None

    @pytest.mark.parametrize("status", [307, 408, 429, 500, 502, 503, 504])
    def test_what_may_be_taken_later_comes_again(
        self, sending: OpenTelemetrySink, judging: Judge, delta: None, status: int
    ) -> None:
        judging.verdict = lambda series: status
        with pytest.raises(SinkUnavailableError, match=str(status)):
            give(sending, counted("a"))
        judging.verdict = lambda series: 200
        give(sending, counted("a"))
        assert judging.taken == {"a": 1}
        assert guard.take() is None

    def test_the_log_says_so_in_a_sentence(
        self, sending: OpenTelemetrySink, judging: Judge, caplog: pytest.LogCaptureFixture
    ) -> None:
        judging.verdict = lambda series: 400
        guard.reset_after_fork()
        with caplog.at_level(logging.WARNING, "django_qaprod"):
            give(sending, counted("a"))
        assert "what it was sent is dropped; the host was left alone." in caplog.text


class TestSize:
    def test_requests_have_a_sane_size(self, sending: OpenTelemetrySink, judging: Judge) -> None:
        names = [str(number) for number in range(2 * outlet.MOST_POINTS + 1)]
        give(sending, counted(*names))
        assert [len(series) for series in judging.asked] == [outlet.MOST_POINTS, outlet.MOST_POINTS, 1]
        assert judging.taken == Counter(names)

    def test_one_that_is_too_large_is_split(
        self, sending: OpenTelemetrySink, judging: Judge, delta: None
    ) -> None:
        judging.verdict = lambda series: 413 if len(series) > 3 else 200
        names = [str(number) for number in range(20)]
        give(sending, counted(*names))
        assert judging.taken == Counter(names)
        assert guard.take() is None

    def test_one_series_that_is_too_large_alone_is_dropped_alone(
        self, sending: OpenTelemetrySink, judging: Judge, delta: None
    ) -> None:
        judging.verdict = lambda series: 413 if "7" in series else 200
        names = [str(number) for number in range(20)]
        give(sending, counted(*names))
        assert judging.taken == Counter(names) - Counter("7")
        assert tally().dropped == {REFUSED: 1}

    def test_what_was_taken_does_not_come_again_when_the_rest_does(
        self, sending: OpenTelemetrySink, judging: Judge, delta: None
    ) -> None:
        names = [str(number) for number in range(2 * outlet.MOST_POINTS)]
        judging.verdict = lambda series: 200 if len(judging.asked) == 1 else 503
        with pytest.raises(SinkUnavailableError):
            give(sending, counted(*names))
        judging.verdict = lambda series: 200
        give(sending, counted(*names))
        assert judging.taken == Counter(names)

    def test_no_request_is_begun_when_the_time_is_up(
        self, sending: OpenTelemetrySink, judging: Judge, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sink, "FLUSH_WITHIN", 0.0)
        with pytest.raises(SinkUnavailableError):
            give(sending, counted("a"))
        monkeypatch.setattr(sink, "FLUSH_WITHIN", 5.0)
        give(sending, counted("a"))
        assert judging.taken == {"a": 1}


class TestASlowEndpoint:
    """It takes in one flush less than there is."""

    NAMES = [str(number) for number in range(3 * outlet.MOST_POINTS)]

    @pytest.fixture(autouse=True)
    def _slow(self, judging: Judge, monkeypatch: pytest.MonkeyPatch) -> None:
        now = 0.0

        def verdict(series: Counter[str]) -> int:
            nonlocal now
            now += 0.2
            return 200

        judging.verdict = verdict
        for module in (outlet, sink):
            monkeypatch.setattr(module, "monotonic", lambda: now)
        monkeypatch.setattr(sink, "FLUSH_WITHIN", 0.1)

    def flush(self, sending: OpenTelemetrySink) -> None:
        with pytest.raises(SinkUnavailableError, match="slower"):
            sending.flush()

    def test_gets_all_of_it_bit_by_bit(self, sending: OpenTelemetrySink, judging: Judge) -> None:
        sending.write(batch(counted(*self.NAMES)))
        self.flush(sending)
        self.flush(sending)
        sending.flush()
        assert judging.taken == Counter(self.NAMES)

    def test_what_changes_all_the_time_keeps_nothing_from_it(
        self, sending: OpenTelemetrySink, judging: Judge
    ) -> None:
        for after in range(3):
            sending.write(batch(counted(*self.NAMES), after=after))
            self.flush(sending)
        assert set(judging.taken) == set(self.NAMES)

    def test_a_limit_of_its_size_starves_nothing(
        self, sending: OpenTelemetrySink, judging: Judge, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        judging.verdict = lambda series: 413 if len(series) > 200 else 200
        clock = iter(range(10_000))
        monkeypatch.setattr(outlet, "monotonic", lambda: float(next(clock)))
        monkeypatch.setattr(sink, "monotonic", lambda: float(next(clock)))
        monkeypatch.setattr(sink, "FLUSH_WITHIN", 7.0)
        sending.write(batch(counted(*self.NAMES)))
        for _ in range(10):
            with suppress(SinkUnavailableError):
                sending.flush()
        assert set(judging.taken) == set(self.NAMES)


def unencodable() -> Record:
    return numbers(cell("many", "x", attributes=(("n", "huge"),), count=2**70, total=0.0))


def unmakeable() -> Record:
    [of_requests] = requests(0.1).cells
    exemplar = Exemplar(attributes=of_requests.attributes, at=1.5, value=0.1, trace_id="none", span_id="none")
    record = numbers(of_requests)
    return NumbersRecord(id=record.id, at=record.at, cells=record.cells, exemplars=(exemplar,))


@pytest.mark.parametrize("broken", [unencodable, unmakeable])
def test_a_broken_series_is_dropped_alone(
    sending: OpenTelemetrySink, judging: Judge, delta: None, broken: Any
) -> None:
    names = [str(number) for number in range(20)]
    give(sending, counted(*names), broken())
    assert judging.taken == Counter(names)
    found = tally()
    assert (found.dropped, found.errors) == ({BROKEN: 1}, {BROKEN: 1})
    give(sending, counted(*names), after=2)
    assert judging.taken == Counter(names * 2)
    assert guard.take() is None


class UnavailableError(Exception):
    """What a library of an exporter's has for an outage, as gRPC has its ``RpcError``."""


class Witness(MetricExporter):
    """An exporter of another make."""

    fails: Exception | None = None
    seen: Counter[str] = Counter()

    def export(
        self, metrics_data: MetricsData, timeout_millis: float = 0, **kwargs: Any
    ) -> MetricExportResult:
        if self.fails is not None:
            raise self.fails
        for resource in metrics_data.resource_metrics:
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    for point in metric.data.data_points:
                        assert point.attributes is not None
                        self.seen[str(point.attributes["n"])] += point.value  # type: ignore[union-attr]
        return MetricExportResult.SUCCESS

    def force_flush(self, timeout_millis: float = 0) -> bool:
        return True

    def shutdown(self, timeout_millis: float = 0, **kwargs: Any) -> None:
        pass


class TestSeveralExporters:
    @pytest.fixture(autouse=True, params=["otlp,witness", "witness,otlp,witness"])
    def _both(self, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest, delta: None) -> None:
        theirs = EntryPoint("witness", f"{__name__}:Witness", "opentelemetry_metrics_exporter")
        known = exporters.entry_point
        monkeypatch.setattr(
            exporters,
            "entry_point",
            lambda name, signal: theirs if name == "witness" else known(name, signal),
        )
        monkeypatch.setenv("OTEL_METRICS_EXPORTER", request.param)
        monkeypatch.setattr(Witness, "seen", Counter())

    def test_each_has_everything_once_when_one_fails(
        self, sending: OpenTelemetrySink, judging: Judge
    ) -> None:
        judging.verdict = lambda series: 503
        for _ in range(2):
            with pytest.raises(SinkUnavailableError):
                give(sending, counted("a"))
        with pytest.raises(SinkUnavailableError):
            give(sending, counted("a"), counted("b"))
        assert Witness.seen == {"a": 1, "b": 1}
        judging.verdict = lambda series: 200
        give(sending, counted("a"), counted("b"))
        assert judging.taken == Witness.seen == {"a": 1, "b": 1}

    def test_it_is_the_same_when_the_other_does(
        self, sending: OpenTelemetrySink, judging: Judge, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for problem in (ConnectionError(), UnavailableError()):
            monkeypatch.setattr(Witness, "fails", problem)
            with pytest.raises(SinkUnavailableError, match=type(problem).__name__):
                give(sending, counted("a"))
        assert judging.taken == {"a": 1}
        assert guard.take() is None
        monkeypatch.setattr(Witness, "fails", None)
        give(sending, counted("a"))
        assert judging.taken == Witness.seen == {"a": 1}

    def test_one_that_cannot_be_made_now_gets_it_later(
        self, sending: OpenTelemetrySink, judging: Judge, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(self: Witness) -> None:
            raise RuntimeError("no credentials")

        with monkeypatch.context() as patch:
            patch.setattr(Witness, "__init__", refuse)
            with pytest.raises(SinkUnavailableError, match="'witness' cannot be made"):
                give(sending, counted("a"))
        assert "no credentials" in tally().last_error
        give(sending, counted("a"))
        assert judging.taken == Witness.seen == {"a": 1}


def test_a_sum_that_begins_anew_says_when(otlp: Received, sending: OpenTelemetrySink) -> None:
    """Else it would have fallen without a reason."""
    give(sending, unmakeable(), counted("a"))
    give(sending, requests(0.1), after=2)
    [(_, anew)] = otlp.points("http.server.request.duration")
    [(_, other)] = otlp.points("many")
    assert anew.count == 1
    assert anew.start_time_unix_nano == other.time_unix_nano > other.start_time_unix_nano


@pytest.mark.parametrize("restarted", [False, True])
def test_what_the_spool_makes_room_of_is_counted_and_arrives_if_the_sums_live_on(
    judging: Judge,
    delta: None,
    restarted: bool,
    settings: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(feeding, "RETRY_FIRST", 0.0)
    monkeypatch.setattr(drainer.connections, "close_old", lambda: None)
    judging.verdict = lambda series: 503
    written = spool.FileSpool(tmp_path)
    draining = drainer.Drainer(tmp_path, sinks=("django_qaprod.sinks.opentelemetry.OpenTelemetrySink",))
    assert draining.acquire()
    names = [str(number) for number in range(5)]
    for name in names:
        written.append(encode(counted(name)))
        written.close()
        draining.drain()
    guard.take()
    settings.QAPROD = {"OPENTELEMETRY": {}, "SPOOL_MAX_BYTES": 2}
    draining.drain()
    assert not spool.file_segments(tmp_path)
    assert tally().dropped == {"sink.opentelemetry.behind": 5}
    judging.verdict = lambda series: 200
    if restarted:
        draining.release()
        assert draining.acquire()
    written.append(encode(counted("last")))
    draining.drain()
    draining.release()
    assert judging.taken == Counter(["last"] if restarted else [*names, "last"])


def test_a_failure_of_what_is_declared_has_its_name(otlp: Received, sending: OpenTelemetrySink) -> None:
    """And of nothing else: a name that was chosen as it happened may be any."""
    told = [failure(kind=kind, name="stock") for kind in ("gauge", "task", "command", "logged")]
    sending.write(batch(*told))
    sending.flush()
    names = {point["qaprod.kind"]: point.get("qaprod.name") for point, _ in otlp.points("qaprod.failures")}
    assert names == {"gauge": "stock", "task": "stock", "command": "stock", "logged": None}
