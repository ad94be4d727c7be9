"""What the original daemon makes of it."""

from __future__ import annotations

import random
import statistics
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from django_qaprod import histogram
from django_qaprod.pipeline import feeding, guard, numbers, process, spool
from django_qaprod.pipeline.drainer import Drainer
from django_qaprod.records import Record, encode
from django_qaprod.sinks.statsd import StatsDSink
from tests.live import host as hosts
from tests.live.load import visit
from tests.servers import wait_until
from tests.store.make import batch, cell, failure
from tests.store.make import numbers as record

from .daemon import Daemon

# A drainer closes connections that are too old: where another test has left some, that takes a look at them.
pytestmark = [pytest.mark.servers, pytest.mark.django_db(databases="__all__")]

SINK = ("django_qaprod.sinks.statsd.StatsDSink",)
KINDS = ["udp", "tcp", "unix"]


def options(daemon: Daemon, protocol: str, **more: Any) -> dict[str, Any]:
    place = {"PATH": str(daemon.path)} if protocol == "unix" else {"PORT": daemon.port}
    return {"PROTOCOL": protocol, **place, **more}


def send(settings: Settings, chosen: dict[str, Any], *records: Record) -> None:
    settings.QAPROD = {"STATSD": chosen}
    sink = StatsDSink()
    sink.write(batch(*records))
    sink.flush()
    sink.close()


def durations(seconds: list[float], route: str = "x/") -> Record:
    return record(
        cell(
            label=route,
            attributes=(("http.route", route), ("qaprod.outcome", "ok")),
            count=len(seconds),
            total=sum(seconds),
            minimum=min(seconds),
            maximum=max(seconds),
            histogram=histogram.encode(histogram.of(seconds)),
        )
    )


def in_one_flush(daemon: Daemon, settings: Settings, protocol: str, seconds: list[float]) -> str:
    """Send durations; return the name under which the daemon tells of all of them at once.

    A busy machine may be in the middle of it when the daemon begins anew: then once more.
    """
    for attempt in range(10):
        daemon.wait_for_a_flush()
        send(settings, options(daemon, protocol), durations(seconds, f"x{attempt}/"))
        name = f"stats.timers.http.server.request.duration.none.x{attempt}.none.ok"

        def counted(name: str = name) -> float:
            return sum(daemon.flushed(f"{name}.count"))

        with suppress(TimeoutError):
            wait_until(lambda: counted() > len(seconds) - 0.5, timeout=10)
        if len(daemon.flushed(f"{name}.count")) == 1 and counted() > len(seconds) - 0.5:
            return name
    raise AssertionError("the daemon has begun anew in the middle of each")


@pytest.mark.parametrize("protocol", KINDS)
def test_a_run_is_counted_to_the_last_request(
    statsd: Daemon, settings: Settings, client: Client, protocol: str
) -> None:
    prefix = f"run-{protocol}"
    settings.QAPROD = {"RERAISE": False, "STATSD": options(statsd, protocol, PREFIX=prefix)}
    client.raise_request_exception = False
    with process.in_memory(sinks=SINK) as drainer:
        for _ in range(3):
            for _ in range(30):
                client.get("/ok/")
            client.get("/orders/17/")
            client.get("/raising/")
            client.get("/nowhere/?secret=1")
            numbers.count(
                numbers.STEPS, "apply", (("qaprod.journey", "apply"), ("qaprod.step", "started")), 2
            )
            numbers.gauge("balance", "", value=-2.5)
            process.flush()
            drainer.drain()
    assert statsd.bad_lines() == 0
    counted = statsd.counters(prefix)
    browser = f"{prefix}.qaprod.requests.browser"
    assert counted == {
        f"{prefix}.qaprod.requests.GET.ok.200.ok": 90,
        f"{prefix}.qaprod.requests.GET.orders-str_number.200.ok": 3,
        f"{prefix}.qaprod.requests.GET.raising.500.server_error": 3,
        f"{prefix}.qaprod.requests.GET.__unmatched__.404.client_error": 3,
        f"{browser}.ok.Other.ok": 90,
        f"{browser}.orders-str_number.Other.ok": 3,
        f"{browser}.raising.Other.server_error": 3,
        f"{browser}.__unmatched__.Other.client_error": 3,
        f"{prefix}.qaprod.failures.unhandled.error.none.raising.none": 3,
        f"{prefix}.qaprod.steps.apply.started.none": 6,
    }
    timers = statsd.timers(prefix)
    assert len(timers[f"{prefix}.http.server.request.duration.GET.ok.200.ok"]) == 90
    assert statsd.gauges(prefix) == {f"{prefix}.balance": -2.5}


def test_quantiles_and_means_of_a_sample_are_right(flushing_statsd: Daemon, settings: Settings) -> None:
    chance = random.Random(4)
    seconds = sorted(chance.lognormvariate(-2, 1) for _ in range(5000))
    name = in_one_flush(flushing_statsd, settings, "udp", seconds)
    wait_until(lambda: flushing_statsd.flushed(f"{name}.upper_99"), what="the daemon has said all of it")

    def told(what: str) -> float:
        (found,) = flushing_statsd.flushed(f"{name}.{what}")
        return found / 1000

    assert told("count") * 1000 == pytest.approx(5000, rel=1e-7)
    assert told("mean") == pytest.approx(statistics.fmean(seconds), rel=histogram.RELATIVE_ERROR)
    for percent in (50, 90, 95, 99):
        lowest = seconds[max(int((percent - 2) / 100 * 5000) - 1, 0)]
        highest = seconds[min(int((percent + 2) / 100 * 5000), 4999)]
        error = histogram.RELATIVE_ERROR
        assert lowest * (1 - error) <= told(f"upper_{percent}") <= highest * (1 + error)


def test_when_each_request_is_sent_quantiles_have_the_error_of_the_histogram(
    flushing_statsd: Daemon, settings: Settings
) -> None:
    seconds = [0.01 * number for number in range(1, 51)]
    name = in_one_flush(flushing_statsd, settings, "tcp", seconds)
    wait_until(lambda: flushing_statsd.flushed(f"{name}.upper_90"), what="the daemon has said all of it")
    assert flushing_statsd.flushed(f"{name}.count") == [50]
    for percent in (50, 90):
        (found,) = flushing_statsd.flushed(f"{name}.upper_{percent}")
        assert found / 1000 == pytest.approx(0.01 * percent / 2, rel=histogram.RELATIVE_ERROR)


HOSTILE = "x:1|c\nevil:1|c\r\nevil2|g#admin:true|@0.001\x00;evil=1 ｅｖｉｌ\ud800"


@pytest.mark.parametrize("style", ["none", "datadog"])
def test_what_is_injected_makes_no_metric_of_its_own(statsd: Daemon, settings: Settings, style: str) -> None:
    prefix = f"hostile-{style}"
    chosen = options(statsd, "tcp", PREFIX=prefix, TAG_STYLE=style, TAGS={"env": "live:1|c"})
    before = statsd.counters("")
    bad = statsd.bad_lines()
    send(
        settings,
        chosen,
        failure(route=HOSTILE, journey=HOSTILE),
        durations([0.1], HOSTILE),
        record(cell("qaprod.steps", HOSTILE, attributes=(("qaprod.journey", HOSTILE),))),
        record(cell(f"{prefix}:1|c", HOSTILE, attributes=((HOSTILE, HOSTILE),))),
    )
    wait_until(lambda: len(statsd.counters(prefix)) == 4, what="all have arrived")
    ours = ("statsd.", prefix)
    new = {name for name in statsd.counters("").keys() - before.keys() if not name.startswith(ours)}
    assert new == set()
    assert set(statsd.counters(prefix).values()) == {1}
    assert len(statsd.timers(prefix)) == 1
    assert statsd.gauges("evil") == {}
    assert statsd.bad_lines() == bad


def test_tags_arrive_as_tags(statsd: Daemon, settings: Settings) -> None:
    chosen = options(statsd, "udp", PREFIX="tagged", TAG_STYLE="datadog", TAGS={"env": "live"})
    send(settings, chosen, failure(route="jobs/<int:pk>/"))
    wait_until(lambda: statsd.counters("tagged"), what="it arrives")
    # This daemon writes tags behind the name, and has its own ideas of "/".
    assert statsd.counters("tagged") == {
        "tagged.qaprod.failures;env=live;qaprod.kind=unhandled;qaprod.severity=error"
        ";http.route=jobs-int_pk": 1
    }


def test_a_burst_is_not_lost(statsd: Daemon, settings: Settings) -> None:
    """200 packets at once, twice of what a daemon's buffer holds; if this machine is too busy, once more."""

    def arrives(prefix: str) -> bool:
        cells = [cell("n", f"{number:080}", attributes=()) for number in range(3000)]
        send(settings, options(statsd, "udp", PREFIX=prefix), record(*cells))
        with suppress(TimeoutError):
            return wait_until(lambda: len(statsd.counters(prefix)) == 3000, timeout=5)
        return False

    assert any(arrives(f"burst-{attempt}") for attempt in range(4))


def test_what_a_daemon_missed_arrives_when_it_is_back(
    own_statsd: Daemon, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeding, "RETRY_FIRST", 0.0)
    settings.QAPROD = {"STATSD": options(own_statsd, "tcp", MAX_AGE=300)}
    written = spool.FileSpool(tmp_path)
    drainer = Drainer(tmp_path, sinks=SINK)
    assert drainer.acquire()
    guard.take()

    def append(label: str, age: float = 0) -> None:
        written.append(encode(record(cell("got", label, attributes=()), at=time.time() - age)))

    append("before")
    drainer.drain()
    wait_until(lambda: own_statsd.counters("got") == {"got.before": 1}, what="it arrives")
    own_statsd.kill()
    append("old", age=301)
    for number in range(5):
        append(f"away-{number}")
        assert drainer.drain().failing == ("statsd",)
    own_statsd.start()
    append("after")
    wait_until(lambda: not drainer.drain().failing, what="the daemon takes it")
    labels = ["after", *(f"away-{number}" for number in range(5))]
    wait_until(lambda: len(own_statsd.counters("got")) == 6, what="all have arrived")
    assert own_statsd.counters("got") == {f"got.{label}": 1 for label in labels}
    tally = guard.take()
    assert tally is not None
    assert tally.dropped == {"sink.statsd.too_old": 1}
    drainer.release()
    written.close()


@pytest.mark.slow
def test_a_site_of_several_processes_is_counted_exactly(statsd: Daemon, tmp_path: Path) -> None:
    prefix = "site"
    host = hosts.sqlite(tmp_path)
    host.changes["QAPROD"] = {
        "SPOOL_DIR": str(tmp_path / "spool"),
        "STATSD": options(statsd, "udp", PREFIX=prefix),
    }
    with host.serve("gunicorn-sync", workers=3) as server:
        seen = visit(server.port, ["/ok/" if number % 10 else "/raise/apples/" for number in range(600)])
        assert seen.statuses == {200: 540, 500: 60}
        requests = f"{prefix}.qaprod.requests"
        expected = {f"{requests}.GET.ok.200.ok": 540, f"{requests}.GET.raise-str_word.500.server_error": 60}
        wait_until(lambda: statsd.counters(requests + ".GET") == expected, what="all are counted")
        failures = f"{prefix}.qaprod.failures.unhandled.error.none.raise-str_word.none"
        assert statsd.counters(failures) == {failures: 60}
    assert statsd.bad_lines() == 0
