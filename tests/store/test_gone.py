"""Machines come and go; their series stay few, and their readings are not lost."""

from __future__ import annotations

from datetime import timedelta
from time import monotonic

import pytest

from django_qaprod import clock, metrics
from django_qaprod.conf import telemetry_alias
from django_qaprod.models import Bucket, Series
from django_qaprod.records import Cell
from django_qaprod.sinks.database import DatabaseSink
from django_qaprod.store import gone, numbers, retention
from tests.store import make

pytestmark = pytest.mark.django_db(databases="__all__")

DAYS = 86_400


def read(host: str, *, days_ago: float, name: str = metrics.MEMORY, value: float = 1.0) -> None:
    at = int(clock.epoch(clock.now()) - days_ago * DAYS) // 3600 * 3600
    cell = Cell(
        name=name,
        label=host,
        attributes=(("host.name", host),),
        start=at,
        count=1,
        total=value,
        minimum=value,
        maximum=value,
        gauge=True,
        unit="By",
    )
    numbers.save([cell])
    # As it is after a day.
    Bucket.objects.filter(series__label=host, start=clock.moment(at)).update(resolution=3600, rolled=True)


@pytest.fixture(autouse=True)
def _few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gone, "FEW", 3)


def fold() -> int:
    return gone.fold(deadline=monotonic() + 10)


def labels(name: str = metrics.MEMORY) -> list[str]:
    return list(Series.objects.filter(name=name).order_by("label").values_list("label", flat=True))


def test_many_that_are_gone_become_one_and_keep_their_readings() -> None:
    for number in range(5):
        read(f"pod-{number}", days_ago=20 - number, value=float(number))
    read("pod-live", days_ago=20)
    read("pod-live", days_ago=1)
    before = set(Bucket.objects.values_list("pk", "start", "total", "rolled"))
    assert fold() == 5
    assert set(Bucket.objects.values_list("pk", "start", "total", "rolled")) == before
    assert Bucket.objects.filter(series__label=numbers.OVERFLOW).count() == 5
    series = Series.objects.get(label=numbers.OVERFLOW)
    assert (series.attributes, series.gauge, series.unit) == ({"host.name": numbers.OVERFLOW}, True, "By")
    retention.prune()
    assert labels() == [numbers.OVERFLOW, "pod-live"]
    assert fold() == 0


def test_what_comes_later_is_one_with_them() -> None:
    for number in range(5):
        read(f"pod-{number}", days_ago=20)
    fold()
    retention.prune()
    for number in range(5, 10):
        read(f"pod-{number}", days_ago=8)
    fold()
    assert Bucket.objects.filter(series__label=numbers.OVERFLOW).count() == 10
    assert Series.objects.filter(label=numbers.OVERFLOW).count() == 1


def test_few_are_left_alone() -> None:
    for number in range(3):
        read(f"pod-{number}", days_ago=20)
    assert fold() == 0
    assert labels() == ["pod-0", "pod-1", "pod-2"]


def test_a_machine_that_was_read_lately_is_not_gone() -> None:
    for number in range(5):
        read(f"pod-{number}", days_ago=20)
        read(f"pod-{number}", days_ago=6.9)
    assert fold() == 0


def test_gauges_of_the_host_are_left_alone() -> None:
    for number in range(5):
        read(f"queue-{number}", days_ago=20, name="queue.length")
    assert fold() == 0


def test_it_stops_when_its_time_is_up_and_goes_on_the_next_time() -> None:
    for number in range(5):
        read(f"pod-{number}", days_ago=20)
    assert gone.fold(deadline=monotonic() - 1) == 0
    assert fold() == 5


@pytest.mark.django_db(databases="__all__", transaction=True)
def test_a_drainer_that_remembers_a_series_that_is_gone_makes_it_anew() -> None:
    def batch(segment: str) -> None:
        cell = make.cell(metrics.MEMORY, "pod-0", attributes=(("host.name", "pod-0"),), gauge=True)
        sink.write(make.batch(make.numbers(cell), segment=segment))

    sink = DatabaseSink()
    batch("a")
    then = clock.now() - timedelta(days=20)
    Bucket.objects.update(start=then)
    for number in range(1, 5):
        read(f"pod-{number}", days_ago=20)
    assert fold() == 5
    retention.prune()
    assert labels() == [numbers.OVERFLOW]
    batch("b")
    assert labels() == [numbers.OVERFLOW, "pod-0"]


def test_the_number_of_queries_for_few_is_one(django_assert_num_queries: object) -> None:
    read("pod-0", days_ago=20)
    with django_assert_num_queries(1, using=telemetry_alias()):  # type: ignore[operator]
        fold()
