from __future__ import annotations

import pytest
from django.db.models import Sum

from django_qaprod import histogram
from django_qaprod.models import Bucket, Series
from django_qaprod.store import numbers
from django_qaprod.store.memory import Memory, Recent

from .make import cell, minute

pytestmark = pytest.mark.django_db(databases="__all__")


def test_cells_of_a_series_and_minute_are_one_row() -> None:
    numbers.save(
        [
            cell(
                count=2,
                total=3.0,
                minimum=1.0,
                maximum=2.0,
                histogram=histogram.encode(histogram.of([1.0, 2.0])),
            ),
            cell(
                count=1, total=0.1, minimum=0.1, maximum=0.1, histogram=histogram.encode(histogram.of([0.1]))
            ),
            cell(count=5, label="other/"),
            cell(count=7, start=minute(1)),
        ]
    )
    row = Bucket.objects.get(series__label="apply/", start__gte=Bucket.objects.latest("start").start)
    assert Bucket.objects.count() == 3
    assert (row.count, row.total, row.minimum, row.maximum) == (3, pytest.approx(3.1), 0.1, 2.0)
    assert histogram.decode(bytes(row.histogram)) == histogram.of([1.0, 2.0, 0.1])
    assert (row.resolution, row.rolled) == (0, False)


def test_a_series_is_the_same_in_whatever_order_its_attributes_come() -> None:
    numbers.save([cell(attributes=(("a", "1"), ("b", "2"))), cell(attributes=(("b", "2"), ("a", "1")))])
    numbers.save([cell(attributes=(("b", "2"), ("a", "1")))])
    assert Series.objects.get().attributes == {"a": "1", "b": "2"}


def test_what_a_process_remembers_saves_queries(django_assert_num_queries: object) -> None:
    memory = Memory()
    numbers.save([cell()], memory=memory)
    from django_qaprod.conf import telemetry_alias

    with django_assert_num_queries(1, using=telemetry_alias()):  # type: ignore[operator]
        numbers.save([cell(), cell(start=minute(1))], memory=memory)


def test_too_many_series_run_over_and_nothing_is_lost(settings: object) -> None:
    settings.QAPROD = {"MAX_SERIES": 3}  # type: ignore[attr-defined]
    numbers.save([cell(label=f"r{i}") for i in range(10)])
    numbers.save([cell(label=f"s{i}") for i in range(10)])
    assert Bucket.objects.aggregate(Sum("count"))["count__sum"] == 20
    over = Series.objects.get(label=numbers.OVERFLOW)
    assert over.attributes == {"http.route": numbers.OVERFLOW, "qaprod.outcome": "ok"}
    assert Series.objects.count() == 4
    assert over.buckets.aggregate(Sum("count"))["count__sum"] == 17


def test_one_name_that_runs_over_leaves_others_alone(settings: object) -> None:
    settings.QAPROD = {"MAX_SERIES": 2}  # type: ignore[attr-defined]
    numbers.save([cell(label=f"r{i}") for i in range(5)] + [cell("qaprod.requests.browser", "r1")])
    assert Series.objects.filter(name="qaprod.requests.browser", label="r1").exists()


class TestRecent:
    def test_the_one_used_longest_ago_makes_room(self) -> None:
        recent: Recent[str, int] = Recent(2)
        recent.put("a", 1)
        recent.put("b", 2)
        assert recent.get("a") == 1
        recent.put("c", 3)
        assert (recent.get("a"), recent.get("b"), recent.get("c")) == (1, None, 3)
        assert len(recent) == 2

    def test_nothing_is_believed_longer_than_its_lifetime(self) -> None:
        recent: Recent[str, int] = Recent(2, lifetime=-1)
        recent.put("a", 1)
        assert recent.get("a") is None
        assert len(recent) == 0
