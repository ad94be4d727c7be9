"""The demo with everything a team has already: one failure is found everywhere, by one id."""

from __future__ import annotations

import json
import os
import re
import socket
import sqlite3
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from example_project.accounts import STAFF, STAFF_PASSWORD
from example_project.demo.exporters import SERVICE
from tests.servers import wait_until

from .demo import Person, running

pytestmark = [pytest.mark.servers, pytest.mark.slow]

FAULT = "broken-view"


def test_one_failure_is_found_everywhere_by_one_id(tmp_path: Path) -> None:
    """In the admin, on its span, in the log and in Sentry; the numbers in StatsD and by PromQL."""
    arguments = ("--exporters", "--traffic", "2", "--pace", "0.2", "--fault", FAULT)
    with running(tmp_path, *arguments) as demo:
        site = demo.url()
        require_all(demo.output())
        # Of a flood Sentry gets the first ones.
        failed = wait_until(lambda: span_of_failure(tmp_path), what="span and Sentry tell of it")
        [event] = [event for event in failed["events"] if event["name"] == "exception"]
        occurrence, trace = event["qaprod.occurrence.id"], failed["trace_id"]
        assert failed["qaprod.degraded"] is True

        logged = [line for line in log_lines(tmp_path) if line.get("trace_id") == trace]
        errors = [line for line in logged if line["severity_text"] == "ERROR"]
        assert [line["attributes"]["qaprod.occurrence.id"] for line in errors] == [occurrence]
        [canonical] = [line for line in logged if line["scope"]["name"] == "qaprod.request"]
        assert canonical["attributes"]["http.request.id"] == trace
        assert canonical["attributes"]["qaprod.outcome"] == "degraded"

        staff = Person(site)
        assert staff.log_in("/admin/login/?next=/admin/", STAFF, STAFF_PASSWORD).good
        page = wait_until(lambda: page_of(staff, occurrence), what="the admin has it")
        assert trace in page
        linked = re.search(rf"http://127\.0\.0\.1:\d+/issues/event/{UUID(occurrence)}/", page)
        assert linked
        # To the login at first; a route that there is not is not found.
        with urllib.request.urlopen(linked[0], timeout=60) as answer:
            assert answer.status == 200

        statsd = where(demo.output(), r"nc 127\.0\.0\.1 (\d+)")
        wait_until(lambda: re.search(rf"'{SERVICE}\.\S*degrad", counters(statsd)))
        metrics = where(demo.output(), r"http://127\.0\.0\.1:(\d+)/vmui/")
        query = 'sum(http_server_request_duration_seconds_count{http_route!=""})'
        wait_until(lambda: promql(metrics, query) > 0, what="PromQL counts requests")


def require_all(output: str) -> None:
    missing = re.findall(r"^.*left out.*$", output, re.MULTILINE)
    if missing and os.environ.get("CI"):
        pytest.fail("\n".join(missing), pytrace=False)
    elif missing:
        pytest.skip("; ".join(missing))


def where(output: str, pattern: str) -> int:
    """Return the port that the demo names."""
    found = re.search(pattern, output)
    assert found, output
    return int(found[1])


def span_of_failure(directory: Path) -> dict[str, Any] | None:
    """Return the span of a request that was degraded by the fault, and is an event in Sentry as well."""
    spans, events = directory / "spans.jsonl", events_of_sentry(directory)
    for line in whole_lines(spans) if spans.exists() else ():
        span: dict[str, Any] = json.loads(line)
        if any(event.get("qaprod.occurrence.id") in events for event in span["events"]):
            return span
    return None


def log_lines(directory: Path) -> list[dict[str, Any]]:
    """Return the lines of the site's log, each of which is an object."""
    lines = whole_lines(directory / "logs" / "server.log")
    return [json.loads(line) for line in lines if line.startswith("{")]


def whole_lines(path: Path) -> list[str]:
    """Return the lines of a file that somebody writes: the last one may be under way."""
    return path.read_text().rpartition("\n")[0].splitlines()


def events_of_sentry(directory: Path) -> set[str]:
    """Return the ids of the events that Sentry's peer has stored."""
    address = f"file:{directory / 'bugsink' / 'db.sqlite3'}?mode=ro"
    with sqlite3.connect(address, uri=True, timeout=60) as connection:
        rows = connection.execute("SELECT event_id FROM events_event").fetchall()
    return {str(row[0]).replace("-", "") for row in rows}


def page_of(staff: Person, occurrence: str) -> str:
    """Return the page of the failure that an occurrence is listed at, if there is one by now."""
    answer = staff.browser.get(f"/admin/qaprod/failure/?q=occurrence:{occurrence}")
    found = re.search(r"/admin/qaprod/failure/\d+/change/", answer.text)
    return staff.browser.get(f"{found[0]}?occurrence={occurrence}").text if found else ""


def counters(port: int) -> str:
    """Return what StatsD has counted."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        connection.sendall(b"counters\n")
        answer = b""
        while not answer.endswith(b"END\n\n"):
            answer += connection.recv(65536)
    return answer.decode()


def promql(port: int, query: str) -> float:
    """Return a number from VictoriaMetrics."""
    words = urllib.parse.urlencode({"query": query, "nocache": 1, "latency_offset": "1ms"})
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/query?{words}", timeout=60) as answer:
        found = json.load(answer)["data"]["result"]
    return float(found[0]["value"][1]) if found else 0.0
