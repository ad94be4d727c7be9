"""Real servers and a real receiver: forks, event loops, visitors who go away, collectors that are dead."""

from __future__ import annotations

import socket
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from django_qaprod.contrib.opentelemetry import privacy
from tests.endpoints import Endpoint
from tests.live import host as hosts
from tests.live.load import visit
from tests.otlp import Received, attributes
from tests.servers import ApplicationServer, wait_until

pytestmark = [pytest.mark.servers, pytest.mark.slow]

# gunicorn kills who takes longer than ten minutes to end: nobody of whom we say that they end by themselves.
PATIENT = ("--graceful-timeout", "600")
# The last is the address that a proxy names as the visitor's.
CANARIES = (b"canary", b"hunter2", b"192.0.2.")


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> hosts.Host:
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "100")
    # What we default, a server of its own shows.
    monkeypatch.delenv("OTEL_SEMCONV_STABILITY_OPT_IN")
    given = {"SPOOL_DIR": str(tmp_path / "spool"), "OPENTELEMETRY": {}}
    return hosts.sqlite(tmp_path, ROOT_URLCONF="tests.opentelemetry.urls", QAPROD=given, ALLOWED_HOSTS=["*"])


def ask(server: ApplicationServer, path: str) -> bytes:
    """Ask as a proxy does for a visitor."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection:
        connection.sendall(
            f"GET {path} HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: 192.0.2.77\r\n"
            "Connection: close\r\n\r\n".encode()
        )
        answer = b""
        while more := connection.recv(65536):
            answer += more
    return answer


def leave(server: ApplicationServer, path: str, *, after: bytes = b"") -> None:
    """Ask, and go away before the answer is complete."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        seen = b""
        while after not in seen:
            seen += connection.recv(65536)
        if not after:
            # It has to have begun before it can be broken off.
            wait_until(lambda: "begun" in server.output())


def spans(received: Received) -> dict[str, Any]:
    return {span.name: span for span in received.spans()}


def told(span: Any) -> dict[str, Any]:
    return attributes(span.attributes)


def named(received: Received, name: str) -> list[Any]:
    return [span for span in received.spans() if span.name == name]


def workers(received: Received) -> set[str]:
    """Return the processes that have sent spans."""
    return {resource["service.instance.id"] for resource in received.resources("traces")}


def requests(received: Received) -> Counter[str]:
    """Return how many requests of each route the newest sums tell of, over all who send them."""
    newest: dict[tuple[Any, ...], tuple[str, int]] = {}
    for message in received.requests["/v1/metrics"]:
        for resource in message.resource_metrics:
            sender = attributes(resource.resource.attributes)["service.instance.id"]
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    for point in metric.histogram.data_points:
                        series = attributes(point.attributes)
                        newest[sender, *sorted(series.items())] = (series["http.route"], point.count)
    found: Counter[str] = Counter()
    for route, count in newest.values():
        found[route] += count
    return found


def test_workers_that_were_forked_from_one_are_told_apart_and_counted_together(
    host: hosts.Host, otlp: Received
) -> None:
    with host.serve("gunicorn-preload", workers=2, arguments=PATIENT) as server:
        asked = 0
        while asked < 200 or len(workers(otlp)) < 2:
            assert visit(server.port, ["/ok/"] * 100).statuses == {200: 100}
            asked += 100
            wait_until(lambda: len(named(otlp, "GET ok/")) >= asked, what="the spans arrive")  # noqa: B023
        for path in ("/broken/pathcanary/?q=querycanary", "/degraded/", "/step/7/", "/stream/", "/missing/"):
            ask(server, path)
        wait_until(lambda: requests(otlp)["ok/"] >= asked, what="the numbers arrive")
        wait_until(lambda: len(otlp.spans()) >= asked + 6, what="the spans arrive")
        server.stop(timeout=60)
    assert requests(otlp)["ok/"] == asked
    assert len(named(otlp, "GET ok/")) == asked
    assert len(workers(otlp)) == 2
    assert spans(otlp)["GET stream/ stream"].parent_span_id == spans(otlp)["GET stream/"].span_id
    assert not any(told(span).keys() & privacy.HIDDEN for span in otlp.spans())
    assert not any(canary in raw for raw in otlp.raw for canary in CANARIES)


def test_an_event_loop_is_traced_and_who_goes_away_is_no_error(host: hosts.Host, otlp: Received) -> None:
    with host.serve("uvicorn", workers=1) as server:
        for path in ("/ok/", "/aok/?q=querycanary", "/abroken/pathcanary/?q=querycanary", "/astream/"):
            ask(server, path)
        leave(server, "/waits/")
        leave(server, "/astream/?wait=60", after=b"one")
        wait_until(
            lambda: (
                {told(span).get("qaprod.outcome") for span in otlp.spans()} >= {"aborted"}
                and len(otlp.spans()) >= 8
            ),
            what="the spans arrive",
        )
        said = server.output()
    assert "Failed to detach context" not in said
    found = spans(otlp)
    assert told(found["GET waits/"])["qaprod.outcome"] == "aborted"
    streams = [told(span)["qaprod.outcome"] for span in otlp.spans() if span.name.endswith("stream")]
    assert sorted(streams) == ["aborted", "ok"]
    [event] = found["GET abroken/<str:word>/"].events
    assert attributes(event.attributes)["exception.message"].endswith("password=[scrubbed]")
    assert not any(told(span).keys() & privacy.HIDDEN for span in otlp.spans())
    assert not any(canary in raw for raw in otlp.raw for canary in CANARIES)


def test_a_process_does_not_stay_for_a_dead_collector(
    host: hosts.Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Endpoint() as endpoint:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{endpoint.port}")
        with host.serve("gunicorn-sync", workers=1, arguments=PATIENT) as server:
            visit(server.port, ["/ok/"])
            wait_until(lambda: endpoint.holds(b"/v1/traces"), what="spans arrive")
            endpoint.be("black hole")
            assert visit(server.port, ["/ok/"] * 20).statuses == {200: 20}
            server.stop(timeout=60)
