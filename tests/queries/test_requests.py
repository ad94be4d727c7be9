from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from django_qaprod import histogram
from django_qaprod.conf import telemetry_alias
from django_qaprod.queries import requests
from django_qaprod.queries.series import Window
from django_qaprod.records import Cell
from django_qaprod.store import numbers, rollups
from tests.queries.conftest import NOW

pytestmark = [pytest.mark.django_db(databases="__all__"), pytest.mark.usefixtures("frozen")]

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def serve(
    route: str,
    at: datetime,
    *seconds: float,
    outcome: str = "ok",
    status: int = 200,
    method: str = "GET",
    browser: str = "Firefox",
) -> None:
    start = int(at.timestamp()) // 60 * 60
    attributes = {
        "http.request.method": method,
        "http.route": route,
        "http.response.status_code": str(status),
        "qaprod.outcome": outcome,
    }
    browsers = {"http.route": route, "browser": browser, "qaprod.outcome": outcome}
    numbers.save(
        [
            Cell(
                name=requests.DURATION,
                label=route,
                attributes=tuple(attributes.items()),
                start=start,
                count=len(seconds),
                total=sum(seconds),
                minimum=min(seconds),
                maximum=max(seconds),
                histogram=histogram.encode(histogram.of(seconds)),
            ),
            Cell(
                name=requests.BROWSER,
                label=route,
                attributes=tuple(browsers.items()),
                start=start,
                count=len(seconds),
            ),
        ]
    )


@pytest.fixture(params=["as they came", "rolled up"])
def traffic(request: pytest.FixtureRequest) -> None:
    serve("jobs/", NOW - HOUR, *[0.1] * 95, *[1.5] * 5)
    serve("jobs/", NOW - 2 * HOUR, 0.2, outcome="server_error", status=500, browser="Safari")
    serve("jobs/", NOW - 2 * HOUR, 0.2, 0.2, outcome="degraded", method="POST")
    serve("jobs/", NOW - 3 * HOUR, 0.2, outcome="aborted", status=499)
    serve("apply/", NOW - HOUR, 0.3, outcome="client_error", status=404)
    serve("jobs/", NOW - 30 * HOUR, 0.2, 0.2, outcome="server_error", status=500)
    serve("old/", NOW - 30 * HOUR, 0.2)
    if request.param == "rolled up":
        rollups.roll_up()


@pytest.mark.usefixtures("traffic")
def test_routes_beside_the_window_before() -> None:
    jobs, apply = requests.routes(Window.last(DAY))
    assert (jobs.route, jobs.count, jobs.errors, jobs.degraded, jobs.aborted) == ("jobs/", 104, 1, 2, 1)
    assert (jobs.error_rate, jobs.degraded_rate) == (1 / 104, 2 / 104)
    assert jobs.p50 == pytest.approx(0.1, rel=histogram.RELATIVE_ERROR + 1e-9)
    assert jobs.p99 == pytest.approx(1.5, rel=histogram.RELATIVE_ERROR + 1e-9)
    assert (jobs.previous_count, jobs.previous_errors, jobs.previous_error_rate) == (2, 2, 1.0)
    assert (apply.route, apply.client_errors, apply.previous_count, apply.previous_error_rate) == (
        "apply/",
        1,
        0,
        0.0,
    )
    assert sum(jobs.trend) == 104
    assert jobs.trend[-2:] == [100, 0]
    assert len(jobs.trend) == len(apply.trend) == 25


@pytest.mark.usefixtures("traffic")
def test_a_route_in_detail() -> None:
    found = requests.route("jobs/", Window.last(DAY))
    assert found.now == requests.routes(Window.last(DAY))[0]
    assert [(share.value, share.count, share.errors) for share in found.by_status] == [
        ("200", 102, 0),
        ("499", 1, 0),
        ("500", 1, 1),
    ]
    assert [(share.value, share.count, share.degraded) for share in found.by_method] == [
        ("GET", 102, 0),
        ("POST", 2, 2),
    ]
    assert [(share.value, share.count, share.errors) for share in found.by_browser] == [
        ("Firefox", 103, 0),
        ("Safari", 1, 1),
    ]
    assert found.by_browser[0].p50 is None
    assert sum(point.count for point in found.points) == 104
    assert sum(point.errors for point in found.points) == 1
    (busiest,) = (point for point in found.points if point.count >= 100)
    assert busiest.p95 == pytest.approx(0.1, rel=histogram.RELATIVE_ERROR + 1e-9)


def test_a_route_that_nobody_asked_for_is_all_zeros() -> None:
    found = requests.route("jobs/", Window.last(HOUR))
    assert (found.now.count, found.now.error_rate, found.now.p95, found.by_status) == (0, 0.0, None, [])
    assert len(found.points) == 61
    assert requests.routes(Window.last(HOUR)) == []


@pytest.mark.usefixtures("traffic")
@pytest.mark.parametrize("length", [HOUR, DAY, 7 * DAY, 60 * DAY])
def test_the_number_of_queries_is_constant(django_assert_num_queries: Any, length: timedelta) -> None:
    with django_assert_num_queries(3, using=telemetry_alias()):
        requests.routes(Window.last(length))
    with django_assert_num_queries(6, using=telemetry_alias()):
        requests.route("jobs/", Window.last(length))
