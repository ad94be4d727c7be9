"""What was read of gauges, at a glance and over time, at a price that the number of gauges does not raise."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from django_qaprod import metrics
from django_qaprod.conf import telemetry_alias
from django_qaprod.models import Bucket, Deploy, Failure, Series
from django_qaprod.queries import gauges
from django_qaprod.queries.series import Total
from django_qaprod.queries.window import Window
from django_qaprod.records import Cell
from django_qaprod.store import numbers, rollups
from tests.queries.conftest import NOW

pytestmark = [pytest.mark.django_db(databases="__all__"), pytest.mark.usefixtures("frozen")]

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def read(name: str, ago: timedelta, *values: float, label: str = "", unit: str = "") -> None:
    """Store readings that one process took in one minute."""
    numbers.save(
        [
            Cell(
                name=name,
                label=label,
                attributes=(("label", label),) if label else (),
                start=int((NOW - ago).timestamp()) // 60 * 60,
                count=len(values),
                total=sum(values),
                minimum=min(values),
                maximum=max(values),
                gauge=True,
                unit=unit,
            )
        ]
    )


def four(total: Total) -> tuple[int, float | None, float | None, float | None]:
    return total.count, total.mean, total.minimum, total.maximum


def test_the_last_reading_is_the_last_and_the_day_is_the_day() -> None:
    read("queue.length", 30 * HOUR, 99.0, unit="{message}")
    read("queue.length", 5 * HOUR, 9.0, unit="{message}")
    read("queue.length", 2 * MINUTE, 4.0, unit="{message}")
    read("queue.length", MINUTE, 3.0, unit="{message}")
    (row,) = gauges.overview()
    assert (row.name, row.label, row.unit) == ("queue.length", "", "{message}")
    assert row.read_at == datetime(2026, 3, 20, 12, 29, tzinfo=UTC)
    assert four(row.last) == (1, 3.0, 3.0, 3.0)
    assert four(row.day) == (3, 16 / 3, 3.0, 9.0)
    assert row.trend == [*[None] * 19, 9.0, *[None] * 4, 3.5]


def test_labels_are_apart_and_processes_together() -> None:
    for label, value in (("high", 3.0), ("low", 8.0)):
        read("queue.length", MINUTE, value, label=label)
    for host, value in (("web-1 gunicorn", 100.0), ("web-2 gunicorn", 300.0)):
        read(metrics.MEMORY, MINUTE, value, label=host, unit="By")
    # They do not all flush in the same minute.
    read(metrics.MEMORY, timedelta(), 200.0, label="web-1 gunicorn", unit="By")
    found = {(row.name, row.label): row for row in gauges.overview()}
    assert set(found) == {("queue.length", "high"), ("queue.length", "low"), (metrics.MEMORY, "")}
    assert four(found[metrics.MEMORY, ""].last) == (3, 200.0, 100.0, 300.0)
    assert four(found["queue.length", "high"].last) == (1, 3.0, 3.0, 3.0)


def test_what_is_counted_is_no_gauge() -> None:
    numbers.save([Cell(name="qaprod.x", label="", attributes=(), start=int(NOW.timestamp()), count=3)])
    assert gauges.overview() == []


def test_one_gauge_over_time() -> None:
    read("queue.length", 3 * HOUR, 10.0, label="high")
    read("queue.length", MINUTE, 1.0, 3.0, label="high")
    read("queue.length", MINUTE, 8.0, label="low")
    read("another", MINUTE, 99.0)
    found = gauges.detail("queue.length", None, Window.last(DAY))
    assert four(found.whole) == (4, 5.5, 1.0, 10.0)
    assert [(row.label, row.numbers.count) for row in found.series] == [("high", 3), ("low", 1)]
    read_at = [point for point in found.points if point.count]
    assert [four(point) for point in read_at] == [(1, 10.0, 10.0, 10.0), (3, 4.0, 1.0, 8.0)]
    assert found.step == 600

    high = gauges.detail("queue.length", "high", Window.last(DAY))
    assert four(high.whole) == (3, 14 / 3, 1.0, 10.0)
    assert [four(point) for point in high.points if point.count][-1] == (2, 2.0, 1.0, 3.0)
    assert len(high.series) == 2, "to choose from"

    nobody = gauges.detail("nobody", None, Window.last(DAY))
    assert (nobody.whole.count, nobody.series, nobody.unit) == (0, [], "")
    assert gauges.detail("queue.length", "nobody", Window.last(DAY)).whole.count == 0


@pytest.mark.parametrize(
    ("length", "every", "step"),
    [(DAY, 60, 600), (DAY, 3600, 3600), (DAY, 700, 3600), (HOUR, 90, 600), (7 * DAY, 86_400, 86_400)],
)
def test_steps_are_no_shorter_than_readings_are_apart(length: timedelta, every: int, step: int) -> None:
    assert gauges.detail("a", None, Window.last(length), every=every).step == step


def test_open_failures_and_deploys_are_beside_it() -> None:
    values: dict[str, Any] = {"error_type": "E", "first_seen": NOW, "last_seen": NOW, "severity": "error"}
    for number, (kind, name, state) in enumerate(
        [("gauge", "a", "open"), ("gauge", "b", "open"), ("gauge", "a", "resolved"), ("logged", "a", "open")]
    ):
        Failure.objects.create(fingerprint=f"{number}", kind=kind, name=name, state=state, **values)
    Deploy.objects.create(release="r1", at=NOW - HOUR)
    Deploy.objects.create(release="r0", at=NOW - 3 * DAY)
    found = gauges.detail("a", None, Window.last(DAY))
    assert [failure.fingerprint for failure in found.failures] == ["0"]
    assert [deploy.release for deploy in found.deploys] == ["r1"]


def test_readings_survive_every_roll_up_truthfully() -> None:
    """Minute to hour to day: the mean is that of all readings, the extremes are theirs."""
    values = [float(value) for value in (5, -2, 9, 9, 0.5, 3)]
    for days in range(30):
        for number, value in enumerate(values):
            # Two processes, in one minute and in others.
            read("a", days * DAY + number * 7 * MINUTE, value, value + 1)
            read("a", days * DAY + number * 7 * MINUTE, value)
    readings = [*values, *values, *(value + 1 for value in values)]
    truth = (18, pytest.approx(sum(readings) / 18), min(readings), max(readings))
    before = gauges.detail("a", None, Window.last(28 * DAY)).points
    rollups.roll_up()
    assert Bucket.objects.filter(resolution=86_400).exists()
    Bucket.objects.filter(resolution=60, rolled=True, start__lt=NOW - 3 * DAY).delete()
    for window in (Window.last(7 * DAY), Window.last(28 * DAY)):
        found = gauges.detail("a", None, window, every=86_400)
        assert [four(point) == truth for point in found.points[1:-1]] == [True] * len(found.points[1:-1])
    after = gauges.detail("a", None, Window.last(28 * DAY)).points
    assert [four(point) for point in after] == [four(point) for point in before]


ages = st.one_of(
    st.integers(0, 200).map(lambda minutes: minutes * MINUTE), st.integers(0, 27).map(lambda days: days * DAY)
)
values = st.floats(-1e9, 1e9)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(runs=st.lists(st.lists(st.tuples(ages, values, st.sampled_from("xy")), max_size=12), max_size=3))
def test_whatever_is_rolled_up_the_numbers_are_the_same(
    runs: list[list[tuple[timedelta, float, str]]],
) -> None:
    for model in (Bucket, Series):
        model.objects.all().delete()
    stored: list[tuple[timedelta, float, str]] = []
    for run in runs:
        for ago, value, label in run:
            read("a", ago, value, label=label)
        stored += run
        agree(stored)
        rollups.roll_up()
        agree(stored)


def agree(stored: list[tuple[timedelta, float, str]]) -> None:
    found = gauges.detail("a", None, Window.last(28 * DAY))
    inside = [value for ago, value, _ in stored if ago < 27 * DAY]
    assert sum(point.count for point in found.points) >= len(inside)
    for label in "xy":
        mine = [value for _, value, name in stored if name == label]
        numbers = next((row.numbers for row in found.series if row.label == label), Total())
        assert numbers.count == len(mine)
        if mine:
            assert (numbers.minimum, numbers.maximum) == (min(mine), max(mine))
            assert numbers.total == pytest.approx(sum(mine), abs=1e-3)


def test_the_number_of_queries_is_constant(django_assert_num_queries: Any) -> None:
    for number in range(30):
        read(f"gauge.{number}", MINUTE, 1.0)
        read("labelled", number * HOUR, 1.0, label=str(number))
    with django_assert_num_queries(1, using=telemetry_alias()):
        assert len(gauges.overview()) > 50
    with django_assert_num_queries(4, using=telemetry_alias()):
        gauges.detail("labelled", None, Window.last(7 * DAY))
