from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from django_qaprod import histogram
from django_qaprod.conf import telemetry_alias
from django_qaprod.models import Bucket, Series
from django_qaprod.queries import series
from django_qaprod.queries.series import Window
from django_qaprod.records import Cell
from django_qaprod.store import numbers, rollups
from tests.queries.conftest import NOW

pytestmark = [pytest.mark.django_db(databases="__all__"), pytest.mark.usefixtures("frozen")]

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def store(at: datetime, *values: float, label: str = "/", name: str = "t", **attributes: str) -> None:
    numbers.save(
        [
            Cell(
                name=name,
                label=label,
                attributes=tuple(attributes.items()),
                start=int(at.timestamp()) // 60 * 60,
                count=len(values),
                total=sum(values),
                minimum=min(values),
                maximum=max(values),
                histogram=histogram.encode(histogram.of(values)),
            )
        ]
    )


def test_points_are_filled_with_zeros() -> None:
    store(NOW - 5 * MINUTE, 1.5, 3.0)
    store(NOW - 3 * MINUTE, 2.0)
    points = series.points("t", window=Window.last(6 * MINUTE), step=60)
    assert [point.count for point in points] == [0, 2, 0, 1, 0, 0, 0]
    assert points[0].start == datetime(2026, 3, 20, 12, 24, tzinfo=UTC)
    assert (points[1].total, points[1].minimum, points[1].maximum, points[1].mean) == (4.5, 1.5, 3.0, 2.25)
    assert points[1].quantile(0.5) == pytest.approx(1.5, rel=histogram.RELATIVE_ERROR)
    assert (points[0].mean, points[0].minimum, points[0].quantile(0.5)) == (None, None, None)


def test_series_are_chosen_by_label_and_attributes() -> None:
    store(NOW, 1.0, label="/a", method="GET", status="200")
    store(NOW, 1.0, label="/a", method="POST", status="500")
    store(NOW, 1.0, label="/b", method="GET", status="200")
    store(NOW, 1.0, label="/c", method="GET", name="other")
    window = Window.last(MINUTE)

    def count(**chosen: Any) -> int:
        return sum(point.count for point in series.points("t", window=window, step=60, **chosen))

    assert count() == 3
    assert count(label="/a") == 2
    assert count(labels=["/a", "/b", "/c"]) == 3
    assert count(attributes={"method": "GET"}) == 2
    assert count(label="/a", attributes={"method": "GET", "status": "500"}) == 0


def test_totals_by_attributes() -> None:
    store(NOW, 1.0, method="GET", status="200")
    store(NOW - HOUR, 5.0, method="GET", status="500")
    store(NOW, 2.0, 2.0, method="POST")
    window = Window.last(2 * HOUR)
    totals = series.totals("t", window=window, by=("method",))
    assert {key: (total.count, total.total) for key, total in totals.items()} == {
        ("GET",): (2, 6.0),
        ("POST",): (2, 4.0),
    }
    assert series.totals("t", window=window, by=("status",), histograms=False)["",].count == 2
    assert series.totals("t", window=window)[()].count == 4
    assert series.totals("t", window=window, label="/x") == {}


ages = st.one_of(
    st.integers(0, 200).map(lambda minutes: minutes * MINUTE),
    st.integers(0, 300).map(lambda quarters: quarters * 15 * MINUTE),
    st.integers(0, 100).map(lambda hours: hours * 7 * HOUR),
)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    runs=st.lists(st.lists(ages, max_size=15), min_size=1, max_size=3),
    start=ages,
    length=ages,
    step=st.sampled_from([60, 300, 600, 3600, 21600, 86400]),
)
def test_every_number_counts_once_however_much_is_rolled_up(
    runs: list[list[timedelta]], start: timedelta, length: timedelta, step: int
) -> None:
    for model in (Bucket, Series):
        model.objects.all().delete()
    window = Window(NOW - start, min(NOW - start + length, NOW))
    stored: list[datetime] = []
    for ago in runs:
        for age in ago:
            store(NOW - age, 1.0)
            stored.append(NOW - age)
        agree(window, stored, step)
        rollups.roll_up()
        agree(window, stored, step)


def agree(window: Window, stored: list[datetime], step: int) -> None:
    minutes = [at.replace(second=0) for at in stored]
    points = series.points("t", window=window, step=step)
    for point in points:
        end = point.start + timedelta(seconds=step)
        assert point.count == sum(point.start <= at < end for at in minutes)
        assert sum(point.histogram.values()) == point.count
    if NOW - window.start <= 2 * DAY and window.length <= DAY:
        start, end = (datetime.fromtimestamp(at, UTC) for at in window.epochs())
        wanted = sum(start <= at < end for at in minutes)
        assert sum(total.count for total in series.totals("t", window=window).values()) == wanted


@pytest.mark.parametrize("length", [90 * MINUTE, DAY, 7 * DAY, 90 * DAY])
def test_a_window_and_the_one_before_share_nothing_and_miss_nothing(length: timedelta) -> None:
    for minutes in range(0, 200 * 24 * 60, 1003):
        store(NOW - minutes * MINUTE, 1.0)
    window = Window.last(length)
    both = Window(window.before.start, window.end)

    def count(window: Window) -> int:
        return sum(total.count for total in series.totals("t", window=window, histograms=False).values())

    assert count(window) > 0
    assert abs(count(window) + count(window.before) - count(both)) <= 1


def test_the_edges_of_a_long_window_outlive_its_fine_rows() -> None:
    for days in range(100):
        store(NOW - days * DAY, 1.0)
    rollups.roll_up()
    Bucket.objects.filter(resolution=60, rolled=True, start__lt=NOW - 3 * DAY).delete()
    Bucket.objects.filter(resolution=3600, rolled=True, start__lt=NOW - 62 * DAY).delete()
    for days in (1, 2, 7, 30, 90):
        for window in (Window.last(days * DAY), Window.last(days * DAY, now=NOW - 5 * DAY)):
            (total,) = series.totals("t", window=window).values()
            assert total.count in (days, days + 1)
            points = series.points("t", window=window, step=window.step)
            assert sum(point.count for point in points) in (days, days + 1)


@pytest.mark.parametrize(
    ("length", "ago", "step"),
    [
        (HOUR, timedelta(), 60),
        (DAY, timedelta(), 600),
        (7 * DAY, timedelta(), 3600),
        (90 * DAY, timedelta(), 86400),
        (HOUR, 10 * DAY, 3600),
        (DAY, 100 * DAY, 86400),
    ],
)
def test_a_chart_has_as_many_points_as_one_can_see(length: timedelta, ago: timedelta, step: int) -> None:
    window = Window.last(length, now=NOW - ago)
    assert window.step == step
    assert length / timedelta(seconds=step) <= 400


def test_today_in_another_zone() -> None:
    with time_machine.travel(datetime(2026, 3, 20, 23, 30, tzinfo=UTC), tick=False):
        today = Window.today()
    assert (today.start, today.length) == (datetime(2026, 3, 20, 23, tzinfo=UTC), 30 * MINUTE)
    assert today.before.end == today.start
    assert today.week_before.start == today.start - 7 * DAY


def test_the_number_of_queries_is_constant(django_assert_num_queries: Any) -> None:
    for label in "abcdefgh":
        store(NOW, 1.0, label=label, method="GET")
    with django_assert_num_queries(1, using=telemetry_alias()):
        series.points("t", window=Window.last(DAY), step=3600)
    with django_assert_num_queries(2, using=telemetry_alias()):
        series.totals("t", window=Window.last(DAY), by=("method",))
