"""Nothing bounds how long the system looks up a name: who waits for one delays nobody else."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pytest_django import Settings

from django_qaprod.pipeline import drainer, guard, spool
from django_qaprod.records import encode
from django_qaprod.typing import Batch
from tests.servers import wait_until
from tests.store.make import failure

HOST = "collector.example.org"
#: The settings that lead each sink to a place with a name.
SINKS: dict[str, dict[str, Any]] = {
    "statsd": {"STATSD": {"HOST": HOST}},
    "opentelemetry": {"OPENTELEMETRY": {"TRACES": False}},
    "sentry": {"SENTRY": {"DSN": f"http://key@{HOST}/1"}},
}


class Recorder:
    """Another sink."""

    name = "recorder"
    taken: list[str] = []

    def write(self, batch: Batch) -> None:
        self.taken.extend(record.id for record in batch.records)

    def close(self) -> None:
        pass


class Resolver:
    """The system's, that does not answer before it is ``released``."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.released = threading.Event()
        # Whether the test itself has waited for it.
        self.in_vain = False

    def __call__(self, host: str, *args: Any, **kwargs: Any) -> list[Any]:
        assert host == HOST
        self.asked.set()
        self.in_vain = not self.released.wait(30)
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Resolver]:
    made = Resolver()
    monkeypatch.setattr(socket, "getaddrinfo", made)
    monkeypatch.setattr(Recorder, "taken", [])
    # These tests have no database.
    monkeypatch.setattr(drainer.connections, "close_old", lambda: None)
    yield made
    made.released.set()
    wait_until(lambda: not any(thread.name == "qaprod-sink" for thread in threading.enumerate()))
    guard.take()


@pytest.mark.parametrize("name", SINKS)
def test_a_name_that_is_looked_up_without_end_delays_no_other_sink(
    name: str, resolver: Resolver, settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://{HOST}:4318")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "0.5")
    settings.QAPROD = {"SINKS": [f"{__name__}.Recorder"], **SINKS[name]}
    written, draining = spool.FileSpool(tmp_path), drainer.Drainer(tmp_path)
    first, second = failure(), failure()
    assert draining.acquire()
    try:
        written.append(encode(first))
        draining.drain(wait=False)
        assert resolver.asked.wait(30)
        written.append(encode(second))
        draining.drain(wait=False)
        wait_until(lambda: Recorder.taken == [first.id, second.id])
        assert not resolver.in_vain
    finally:
        resolver.released.set()
        draining.release()
