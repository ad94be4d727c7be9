from __future__ import annotations

import time
from typing import Any

import pytest
import time_machine
from django.db.models import Sum
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pytest_django import Settings

from django_qaprod import histogram
from django_qaprod.models import Bucket, Series
from django_qaprod.store import numbers, rollups

from .make import cell, minute

pytestmark = pytest.mark.django_db(databases="__all__")

HOUR = int(time.time()) // 3600 * 3600


def everything(resolution: int) -> int:
    """The sum at a resolution as pages read it: its rows, and the unrolled ones of all finer resolutions."""
    rows = Bucket.objects.filter(resolution=resolution) | Bucket.objects.filter(
        resolution__lt=resolution, rolled=False
    )
    return rows.aggregate(count=Sum("count"))["count"] or 0


def counts() -> dict[int, int]:
    return dict(Bucket.objects.order_by().values_list("resolution").annotate(Sum("count")))


def test_closed_minutes_are_rolled_up_and_the_present_one_is_left() -> None:
    numbers.save([cell(start=minute(5)), cell(start=minute(5), label="b/"), cell(start=minute(-1))])
    numbers.save([cell(start=minute(5), count=4)])
    rollups.roll_up()
    rows = Bucket.objects.filter(resolution=60).order_by("series__label")
    assert [row.count for row in rows] == [5, 1]
    assert list(Bucket.objects.filter(resolution=0).values_list("count", flat=True)) == [1]


def test_hours_and_days_follow() -> None:
    # Not yesterday: its last hour may have ended this minute.
    day_before = int(time.time()) // 86400 * 86400 - 2 * 86400
    numbers.save([cell(start=day_before + 60 * i) for i in range(180)])
    rollups.roll_up()
    assert counts() == {60: 180, 3600: 180, 86400: 180}
    day = Bucket.objects.get(resolution=86400)
    assert (day.start.timestamp(), day.count, day.total) == (day_before, 180, 90.0)
    assert Bucket.objects.filter(resolution=3600).count() == 3


def test_a_second_run_changes_nothing() -> None:
    numbers.save([cell(start=minute(200 + i)) for i in range(100)])
    rollups.roll_up()
    before = list(Bucket.objects.order_by("pk").values())
    assert rollups.roll_up() == 0
    assert list(Bucket.objects.order_by("pk").values()) == before


def test_late_rows_are_added() -> None:
    numbers.save([cell(start=HOUR - 7200)])
    rollups.roll_up()
    numbers.save([cell(start=HOUR - 7200, count=2)])
    rollups.roll_up()
    assert everything(60) == everything(3600) == everything(86400) == 3


def test_histograms_are_merged() -> None:
    for value in (0.1, 0.2, 3.0):
        numbers.save([cell(start=HOUR - 7200, histogram=histogram.encode(histogram.of([value])))])
    rollups.roll_up()
    row = Bucket.objects.get(resolution=3600)
    assert histogram.decode(bytes(row.histogram)) == histogram.of([0.1, 0.2, 3.0])


def test_a_run_stops_at_its_deadline_and_the_next_goes_on() -> None:
    numbers.save([cell(start=minute(i + 5)) for i in range(20)])
    assert rollups.roll_up(seconds=0) == 0
    assert everything(60) == 20
    rollups.roll_up()
    assert counts()[60] == 20


def test_days_of_journeys_are_left_to_those_who_derive_them() -> None:
    series = Series.objects.create(digest="x", name="qaprod.journey.step", label="J")
    from django_qaprod.clock import moment

    Bucket.objects.create(series=series, resolution=3600, start=moment(HOUR - 200_000), count=3)
    rollups.roll_up()
    assert counts() == {3600: 3}


minutes_ago = st.integers(0, 60 * 30)
arrivals = st.lists(
    st.lists(st.tuples(minutes_ago, st.sampled_from("abc"), st.integers(1, 9)), max_size=12), max_size=5
)


@hypothesis_settings(max_examples=25, deadline=None)
@given(arrivals=arrivals)
def test_counts_are_exact_at_every_resolution_at_every_time(
    arrivals: list[list[tuple[int, str, int]]],
) -> None:
    Bucket.objects.all().delete()
    total = 0
    for arrived in arrivals:
        cells: list[Any] = [
            cell(label=label, start=minute(ago), count=count) for ago, label, count in arrived
        ]
        numbers.save(cells)
        total += sum(count for _, _, count in arrived)
        assert [everything(of) for of in (0, 60, 3600, 86400)][1:] == [total] * 3
        rollups.roll_up()
        assert [everything(of) for of in (60, 3600, 86400)] == [total] * 3


def test_the_hour_that_comes_twice_does_not_stop_roll_ups(settings: Settings) -> None:
    """Without ``USE_TZ`` rows hold local time, and 02:30 of that night is two moments."""
    settings.USE_TZ = False
    settings.TIME_ZONE = "Europe/Amsterdam"
    # 01:00 UTC is the second two o'clock.
    evening = 1_792_879_200
    for since in range(0, 6 * 3600, 600):
        numbers.save([cell(start=evening + since)])
        with time_machine.travel(evening + since + 90.0):
            rollups.roll_up()
    with time_machine.travel(evening + 3 * 86400.0):
        rollups.roll_up()
    assert not Bucket.objects.filter(resolution__lt=86400, rolled=False).exists()
    assert counts() == {60: 36, 3600: 36, 86400: 36}
