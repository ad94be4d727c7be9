"""Gauges in the admin: what was read, when, and what went wrong with it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connections
from django.test import Client
from django.test.utils import CaptureQueriesContext

from django_qaprod import clock, metrics, registry
from django_qaprod.conf import telemetry_alias
from django_qaprod.models import Deploy, Health
from django_qaprod.registry import GaugeSpec
from tests.admin import rows

pytestmark = pytest.mark.django_db(databases="__all__")

LIST = "/admin/qaprod/gaugepage/"
GAUGE = f"{LIST}gauge/?name="


@pytest.fixture(autouse=True)
def _isolated() -> Iterator[None]:
    with registry.isolated():
        registry._gauges.clear()
        yield


def declare(name: str, *, every: float = 60, **options: Any) -> None:
    registry.register_gauge(
        GaugeSpec(name=name, read=lambda: 1, place=name, every=every, timeout=10, **options)
    )


def shown(client: Client, address: str = LIST) -> Any:
    return client.get(address).context["page"]


def body(client: Client, address: str = LIST) -> str:
    return client.get(address).content.decode()


def test_what_was_read_is_written_with_its_unit(client_of_boss: Client) -> None:
    declare("disk.free", description="Room for uploads.", unit="By")
    rows.gauge("disk.free", 3 * 2.0**30, unit="By")
    rows.reading("disk.free")
    rows.gauge("queue.length", 5.0, label="high", unit="{message}")
    rows.gauge("queue.length", 7.0, label="low", unit="{message}")
    assert [(one.name, one.label, one.now, one.unit.noun) for one in shown(client_of_boss).declared] == [
        ("disk.free", "", "3 GiB", ""),
        ("queue.length", "high", "5", "message"),
        ("queue.length", "low", "7", "message"),
    ]
    text = body(client_of_boss)
    assert "Room for uploads." in text
    assert text.count(">unit: message<") == 2, "beside the gauge, and right for any number"
    assert not re.search(r"\bmessages?\b", re.sub("unit: message", "", text))
    page = shown(client_of_boss, f"{GAUGE}queue.length")
    assert page.chart.title == "Readings (message)"
    assert "unit: message" in body(client_of_boss, f"{GAUGE}queue.length")
    assert "stale" not in text
    assert text.count('<svg class="qaprod-spark"') == 3
    assert "?name=queue.length&amp;label=high" in text


def test_those_of_processes_are_their_mean_and_at_most(client_of_boss: Client) -> None:
    for label, value in (("web-1 gunicorn", 100.0), ("web-2 gunicorn", 300.0)):
        rows.gauge(metrics.MEMORY, value * 2**20, label=label, unit="By")
    (one,) = shown(client_of_boss).ours
    assert (one.now, one.most, one.low, one.high) == ("200 MiB", "300 MiB", "100 MiB", "300 MiB")
    page = shown(client_of_boss, GAUGE + metrics.MEMORY)
    assert [(part.label, part.mean) for part in page.parts] == [
        ("web-1 gunicorn", "100 MiB"),
        ("web-2 gunicorn", "300 MiB"),
    ]
    assert [line.label for line in page.chart.lines] == ["mean", "highest", "lowest"]
    assert page.chart.band == (1, 2)
    page = shown(client_of_boss, f"{GAUGE}{metrics.MEMORY}&label=web-2%20gunicorn")
    assert (page.mean, [part.chosen for part in page.parts]) == ("300 MiB", [False, True])


def test_what_is_stale_says_so(client_of_boss: Client) -> None:
    declare("rare", every=3600)
    declare("frequent")
    for name in ("rare", "frequent"):
        rows.gauge(name, 1.0, minutes_ago=30)
        rows.reading(name, minutes_ago=30)
    assert [(one.name, one.stale) for one in shown(client_of_boss).declared] == [
        ("frequent", True),
        ("rare", False),
    ]
    assert body(client_of_boss).count(">stale<") == 1


def test_what_fails_says_so_and_leads_to_its_failure(client_of_boss: Client) -> None:
    declare("queue.length")
    rows.reading("queue.length", error="ConnectionError: refused")
    failure = rows.failure(kind="gauge", name="queue.length", message="refused")
    resolved = rows.failure(2, kind="gauge", name="queue.length", state="resolved")
    rows.failure(3, kind="gauge", name="another")
    text = body(client_of_boss)
    assert ">failing<" in text
    assert "ConnectionError: refused" in text
    text = body(client_of_boss, f"{GAUGE}queue.length")
    assert f"/failure/{failure.pk}/change/" in text
    assert f"/failure/{resolved.pk}/change/" not in text
    link = re.search(r'href="([^"]*/failure/\?[^"]*name:queue[^"]*)"', text)
    assert link is not None
    found = client_of_boss.get(link[1].replace("&amp;", "&")).context["cl"].result_list
    assert {one.pk for one in found} == {failure.pk, resolved.pk}


def test_its_failure_says_of_which_gauge_wherever_it_is_shown(client_of_boss: Client) -> None:
    failure = rows.failure(kind="gauge", name="queue.length", message="refused")
    for address in ("/admin/qaprod/failure/", f"/admin/qaprod/failure/{failure.pk}/change/"):
        assert ">queue.length<" in body(client_of_boss, address)
    rows.alive()
    Health.objects.create(host="web-1", part="gauge.queue.length.labels", dropped=20, at=clock.now())
    assert "gauge.queue.length.labels" in body(client_of_boss, "/admin/qaprod/health/")


def test_declared_and_not_read_yet(client_of_boss: Client) -> None:
    declare("queue.length")
    (one,) = shown(client_of_boss).declared
    assert (one.now, one.row, one.stale, one.read_at) == ("\N{EN DASH}", None, False, None)
    assert "No gauges are declared yet." not in body(client_of_boss)
    assert "No readings in this window." in body(client_of_boss, f"{GAUGE}queue.length")


def test_one_that_is_no_longer_declared_is_shown_while_it_has_readings(client_of_boss: Client) -> None:
    rows.gauge("gone", 3.0)
    rows.reading("gone", error="an error of long ago")
    (one,) = shown(client_of_boss).declared
    assert (one.name, one.now, one.error) == ("gone", "3", "")


def test_the_health_page_counts_them(client_of_boss: Client) -> None:
    rows.alive()
    rows.reading("gone", error="x")
    assert "failing" not in body(client_of_boss, "/admin/qaprod/health/")
    declare("a")
    declare("b")
    rows.reading("a")
    rows.reading("b", error="ConnectionError: refused")
    text = body(client_of_boss, "/admin/qaprod/health/")
    assert re.search(r"<b>2</b> gauges <span[^>]*>1 failing", text)
    assert "All is well" in text, "what is wrong is the host's, and a failure"
    assert "gauge:" not in text, "no jobs of the worker"


def test_the_limit_is_a_line(client_of_boss: Client) -> None:
    declare("queue.wait", limit=50, unit="ms")
    rows.gauge("queue.wait", 20.0, unit="ms")
    page = shown(client_of_boss, f"{GAUGE}queue.wait")
    assert [(line.label, line.dashed) for line in page.chart.lines] == [("value", False), ("limit", True)]
    assert set(page.chart.lines[1].values) == {0.05}
    assert page.used == 0.4
    assert "40% of the limit, 50 ms" in body(client_of_boss, f"{GAUGE}queue.wait")


def test_deploys_are_marked(client_of_boss: Client) -> None:
    rows.gauge("queue.length", 20.0)
    Deploy.objects.create(release="r1", at=clock.now())
    page = shown(client_of_boss, f"{GAUGE}queue.length")
    assert [mark.label for mark in page.chart.marks] == ["r1"]


def test_a_reading_of_zero_is_a_reading(client_of_boss: Client) -> None:
    rows.gauge("queue.length", 0.0)
    page = shown(client_of_boss, f"{GAUGE}queue.length")
    assert not page.chart.empty
    assert page.now == "0"
    assert [values for _, values in page.chart.rows] == [[0.0]]


def test_a_rate_has_its_time_behind_each_value(client_of_boss: Client) -> None:
    rows.gauge("traffic", 3 * 2.0**20, unit="By/s")
    page = shown(client_of_boss, f"{GAUGE}traffic")
    assert (page.now, page.unit.noun, page.chart.title) == ("3 MiB/s", "", "Readings (/s)")


@pytest.mark.parametrize(
    "query", ["", "%00", "b&label=%00", "x" * 9000, "a&label=nobody", "&label=", "a&window=28d&label=x"]
)
def test_a_gauge_that_nobody_knows_is_not_found(query: str, client_of_boss: Client) -> None:
    rows.gauge("a", 1.0)
    response = client_of_boss.get(GAUGE + query)
    assert response.status_code == 404
    assert "No gauge has this name and label." in response.content.decode()
    assert f'href="{LIST}"' in response.content.decode()


def test_one_that_was_not_read_in_the_window_is_known_all_the_same(client_of_boss: Client) -> None:
    rows.gauge("old", 1.0, label="x", minutes_ago=3 * 24 * 60)
    declare("new")
    for query in ("old", "old&label=x", "new", metrics.LAG):
        assert "No readings in this window." in body(client_of_boss, GAUGE + query)


def test_the_number_of_queries_is_the_same_for_many(client_of_boss: Client) -> None:
    def queries(address: str) -> int:
        with CaptureQueriesContext(connections[telemetry_alias()]) as found:
            assert client_of_boss.get(address).status_code == 200
        return sum("qaprod_" in query["sql"] for query in found)

    def read(first: int, last: int) -> None:
        for number in range(first, last):
            declare(f"gauge.{number}", limit=9)
            rows.gauge(f"gauge.{number}", 1.0)
            rows.gauge("gauge.0", 1.0, label=f"label {number}")
            rows.reading(f"gauge.{number}", error="x")
            rows.failure(number, kind="gauge", name=f"gauge.{number}")

    addresses = (LIST, f"{GAUGE}gauge.0&window=28d")
    read(0, 1)
    few = [queries(address) for address in addresses]
    read(1, 40)
    assert [queries(address) for address in addresses] == few
    # What was read, when, and what failed; and what the banner of each page of ours asks.
    assert few[0] <= 2 + 8
