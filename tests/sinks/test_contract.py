"""What every sink promises, ours and a stranger's: one suite for all of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import pytest
from django.utils.module_loading import import_string
from pytest_django import Settings

from django_qaprod import conf, context
from django_qaprod.exceptions import SinkUnavailableError
from django_qaprod.pipeline import guard, numbers
from django_qaprod.records import EventRecord, Exemplar, Record, new_id
from django_qaprod.text import clean
from django_qaprod.typing import Batch, Sink
from tests.endpoints import Endpoint
from tests.servers import wait_until
from tests.store.make import batch, cell, failure, trouble
from tests.store.make import numbers as numbers_of

pytestmark = pytest.mark.django_db(databases="__all__")

HOSTILE = "a\nb:1|c|#x,y\r\n\x00\ud800\u2028<script>=cmd|'\x1b[31m" + "é" * 5_000


# A sink of a stranger's, as the reference has it.
class FileSink:
    """Appends one line for each failure."""

    name = "file"
    lines: list[str] = []

    def write(self, batch: Batch) -> None:
        for record in batch.records:
            if hasattr(record, "fingerprint"):
                self.lines.append(f"{record.id} {record.route}")

    def close(self) -> None:
        pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A sink by its path, the settings that lead it to an endpoint, and whether it goes over a network."""

    path: str
    to: Callable[[int], dict[str, Any]] | None = None
    http: bool = True
    variables: Callable[[int], dict[str, str]] = lambda port: {}


KINDS = {
    "database": Kind(path="django_qaprod.sinks.database.DatabaseSink"),
    "log": Kind(path="django_qaprod.sinks.log.LogSink"),
    "stranger": Kind(path=f"{__name__}.FileSink"),
    "statsd": Kind(
        path="django_qaprod.sinks.statsd.StatsDSink",
        to=lambda port: {"STATSD": {"PROTOCOL": "tcp", "PORT": port}},
        http=False,
    ),
    "opentelemetry": Kind(
        path="django_qaprod.sinks.opentelemetry.OpenTelemetrySink",
        to=lambda port: {"OPENTELEMETRY": {"TRACES": False}},
        variables=lambda port: {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}"},
    ),
    "sentry": Kind(
        path="django_qaprod.sinks.sentry.SentrySink",
        to=lambda port: {"SENTRY": {"DSN": f"http://key@127.0.0.1:{port}/1"}},
    ),
}
REMOTE = [name for name, kind in KINDS.items() if kind.to is not None]


@dataclass(slots=True, kw_only=True)
class Place:
    """A sink that is set up, and where it sends to."""

    kind: Kind
    endpoint: Endpoint

    def make(self) -> Sink:
        sink: Sink = import_string(self.kind.path)()
        return sink


@pytest.fixture
def place(
    request: pytest.FixtureRequest, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Place]:
    kind = KINDS[request.param]
    with Endpoint(http=kind.http) as endpoint:
        if kind.to is not None:
            settings.QAPROD = kind.to(endpoint.port)
            assert conf.sink_paths()[-1] == kind.path
        for name, value in kind.variables(endpoint.port).items():
            monkeypatch.setenv(name, value)
        guard.take()
        yield Place(kind=kind, endpoint=endpoint)
        guard.take()


every = pytest.mark.parametrize("place", KINDS, indirect=True)
remote = pytest.mark.parametrize("place", REMOTE, indirect=True)


def give(sink: Sink, *records: Record, segment: str = "segment") -> None:
    """Hand records over as the drainer does."""
    sink.write(batch(*records, segment=segment))
    flush = getattr(sink, "flush", None)
    if flush is not None:
        flush()


def give_several_times(sink: Sink) -> None:
    """Hand over often enough: the first line to somebody who has hung up is taken by the kernel."""
    for _ in range(3):
        give(sink, *everything())


def everything() -> list[Record]:
    """Return a record of each kind, as of now."""
    now = int(time.time()) // 60 * 60
    requests = replace(
        numbers_of(
            cell(start=now, count=3, total=0.3, minimum=0.1, maximum=0.1),
            cell(numbers.STEPS, label="apply", attributes=(("qaprod.journey", "apply"),), start=now, count=2),
            replace(
                cell("process.memory.usage", label="", start=now, count=2, total=2e9), gauge=True, unit="By"
            ),
        ),
        at=time.time(),
        exemplars=(
            Exemplar(
                attributes=(("http.route", "apply/"),),
                at=time.time(),
                value=0.1,
                trace_id="1" * 32,
                span_id="2" * 16,
            ),
        ),
    )
    event = EventRecord(id=new_id(), at=time.time(), journey="apply", step="started", subject="7")
    return [
        requests,
        failure(at=time.time()),
        failure(at=time.time(), kind="degraded", served=True, name="school search"),
        event,
        trouble(dropped={"spool.full": 3}),
    ]


@every
def test_it_is_made_without_arguments_and_says_its_name(place: Place) -> None:
    sink = place.make()
    assert isinstance(sink, Sink)
    assert sink.name.isidentifier()
    sink.close()


@every
def test_it_takes_every_kind_of_record_and_none(place: Place) -> None:
    sink = place.make()
    give(sink)
    give(sink, *everything())
    sink.close()
    assert guard.take() is None


@every
def test_what_comes_again_after_a_crash_is_no_error(place: Place) -> None:
    sink, next_one, records = place.make(), place.make(), everything()
    give(sink, *records)
    give(next_one, *records)
    give(sink, *records)
    sink.close()
    next_one.close()
    assert guard.take() is None


@every
def test_it_can_be_closed_at_any_time_and_used_again(place: Place) -> None:
    sink = place.make()
    sink.close()
    sink.close()
    give(sink, *everything())
    sink.close()
    give(sink, *everything())
    sink.close()


@every
def test_hostile_words_are_no_error(place: Place) -> None:
    """What the sanitiser before the spool lets through."""
    hostile = clean(HOSTILE, 300)
    now = int(time.time()) // 60 * 60
    sink = place.make()
    give(
        sink,
        failure(message=hostile, route=hostile, name=hostile, journey=hostile, error_type=hostile),
        replace(
            numbers_of(
                cell(label=hostile, attributes=(("http.route", hostile),), start=now),
                cell(hostile, label=hostile, attributes=((hostile, hostile),), start=now),
            ),
            at=time.time(),
        ),
    )
    sink.close()
    tally = guard.take()
    assert tally is None or not tally.errors


@every
def test_what_it_does_is_recorded_by_nobody(place: Place) -> None:
    """It runs in a thread that serves nobody."""
    sink = place.make()
    give(sink, *everything())
    assert context.current() is None
    sink.close()


@remote
def test_where_it_sends_to_hears_of_it(place: Place) -> None:
    sink = place.make()
    give(sink, *everything())
    sink.close()
    assert wait_until(lambda: place.endpoint.received)


@remote
@pytest.mark.parametrize("mode", ["refusing", "busy", "broken"])
def test_where_nobody_takes_it_it_says_so_and_goes_on_later(place: Place, mode: Any) -> None:
    if mode != "refusing" and not place.kind.http:
        pytest.skip("StatsD's protocol has no answers")
    sink = place.make()
    place.endpoint.be(mode)
    with pytest.raises(SinkUnavailableError) as caught:
        give_several_times(sink)
    assert str(caught.value).isprintable()
    place.endpoint.be("well")
    place.endpoint.received.clear()

    def heard() -> bool:
        with suppress(SinkUnavailableError):
            give(sink, *everything())
        return bool(place.endpoint.received)

    wait_until(heard)
    sink.close()
