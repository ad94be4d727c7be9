from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from django_qaprod.models import Failure
from django_qaprod.store import failures, numbers, priority

from .make import cell, failure, minute

pytestmark = pytest.mark.django_db(databases="__all__")


def made(fingerprint: str = "a", *, ago: timedelta = timedelta(0), **fields: object) -> Failure:
    at = timezone.now() - ago
    values = {"kind": "unhandled", "error_type": "E", "first_seen": at, "last_seen": at}
    return Failure.objects.create(fingerprint=fingerprint, **values | fields)


def score(**fields: object) -> float:
    found = made(str(Failure.objects.count()), **fields)  # type: ignore[arg-type]
    priority.refresh(since=None)
    found.refresh_from_db()
    assert found.priority == pytest.approx(sum(found.priority_parts.values()))
    return found.priority


def test_what_costs_more_comes_first() -> None:
    assert score() > score(kind="degraded") > score(kind="logged")
    assert score(kind="logged") > score(kind="replay", journey="J", people=1000, rate=1000)
    assert score(severity="critical") > score() > score(severity="warning")
    assert score(critical=True) > score(journey="J") > score()
    assert score(people=500) > score(subjects=20) > score(people=1) > score()
    assert (
        score() > score(ago=timedelta(hours=5)) > score(ago=timedelta(days=3)) > score(ago=timedelta(days=60))
    )


def test_something_small_of_today_comes_before_something_big_of_last_month() -> None:
    assert score(kind="logged") > score(critical=True, people=1000, ago=timedelta(days=31))


def test_the_rate_is_that_of_the_last_hour() -> None:
    failures.save([failure() for _ in range(3)])
    found = Failure.objects.get()
    numbers.save([cell("qaprod.failures", str(found.pk), start=minute(90), count=100)])
    numbers.save([cell("qaprod.failures", str(found.pk), start=minute(30), count=4)])
    priority.refresh(since=timezone.now())
    found.refresh_from_db()
    assert found.rate == 7


def test_only_what_moves_is_looked_at() -> None:
    now = timezone.now()
    made("quiet", ago=timedelta(days=3))
    assert priority.refresh(since=now) == 0
    calmed = made("calmed", ago=timedelta(hours=2), rate=50)
    assert priority.refresh(since=now) == 1
    calmed.refresh_from_db()
    assert calmed.rate == 0
    assert priority.refresh(since=now) == 0


def test_a_failure_sinks_when_a_day_has_passed_however_long_the_worker_was_away() -> None:
    made("a", ago=timedelta(days=2))
    assert priority.refresh(since=timezone.now() - timedelta(days=1, hours=12)) == 1
    assert Failure.objects.get().priority_parts["recency"] < 0
