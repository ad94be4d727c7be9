from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection, connections

from django_qaprod import registry
from django_qaprod.conf import events_alias, telemetry_alias
from django_qaprod.models import Bucket, Cursor, Event, Series
from django_qaprod.records import new_id
from django_qaprod.registry import JourneySpec, StepSpec
from django_qaprod.store import event_rollups

pytestmark = pytest.mark.django_db(databases="__all__")

NOW = datetime(2026, 3, 20, 12, 30, tzinfo=UTC)
SPEC = JourneySpec(
    name="signup",
    title="Signup",
    module=__name__,
    steps=tuple(StepSpec(name=name, title=name) for name in ("a", "b", "c")),
)


@pytest.fixture(autouse=True)
def _declared() -> Iterator[None]:
    with registry.isolated(), time_machine.travel(NOW, tick=False):
        registry.register(SPEC)
        yield


def event(step: str, subject: str, *, ago: timedelta, **values: Any) -> Event:
    return Event.objects.create(
        id=new_id(), journey="signup", step=step, subject=subject, at=NOW - ago, **values
    )


def counts(name: str = event_rollups.STEP, resolution: int = 3600) -> dict[tuple[str, datetime], int]:
    found: dict[tuple[str, datetime], int] = {}
    for row in Bucket.objects.filter(series__name=name, resolution=resolution).select_related("series"):
        attributes = row.series.attributes
        step = attributes.get("step") or f"{attributes['from']}→{attributes['to']}"
        found[step, row.start] = found.get((step, row.start), 0) + row.count
    return found


def hour(ago: int) -> datetime:
    return NOW.replace(minute=0) - timedelta(hours=ago)


H = timedelta(hours=1)


def test_closed_hours_are_rolled_up_once() -> None:
    event("a", "1", ago=2 * H, variant="long", browser="Firefox")
    event("a", "1", ago=2 * H)
    event("b", "1", ago=H)
    event("b", "1", ago=timedelta(minutes=5))
    first = event_rollups.roll_up()
    assert (first.hours, first.replaced) == (2, 0)
    assert counts() == {("a", hour(2)): 2, ("b", hour(1)): 1}
    assert counts(event_rollups.REACHED) == {("a", hour(2)): 1, ("b", hour(1)): 1}
    assert counts(event_rollups.DURATION) == {("a→b", hour(1)): 1}
    assert event_rollups.covered_until("signup") == int(NOW.replace(minute=0).timestamp())
    rows = list(Bucket.objects.order_by("pk").values())
    again = event_rollups.roll_up()
    assert (again.hours, again.replaced) == (0, 0)
    assert list(Bucket.objects.order_by("pk").values()) == rows


def test_an_hour_is_closed_some_minutes_after_its_end() -> None:
    event("a", "1", ago=timedelta(minutes=35))
    with time_machine.travel(NOW - timedelta(minutes=25), tick=False):
        event_rollups.roll_up()
    assert counts() == {}
    event_rollups.roll_up()
    assert counts() == {("a", hour(1)): 1}


def test_a_late_commit_replaces_its_hour_and_what_depends_on_it() -> None:
    event("a", "0", ago=9 * H)
    event("a", "1", ago=2 * H)
    event("b", "1", ago=H)
    event_rollups.roll_up()
    event("a", "1", ago=3 * H)
    report = event_rollups.roll_up()
    assert report.replaced == 3
    assert counts() == {("a", hour(9)): 1, ("a", hour(3)): 1, ("a", hour(2)): 1, ("b", hour(1)): 1}
    assert counts(event_rollups.REACHED)[("a", hour(3))] == 1
    assert ("a", hour(2)) not in counts(event_rollups.REACHED)
    (duration,) = Bucket.objects.filter(series__name=event_rollups.DURATION)
    assert duration.total == 2 * 3600


def test_the_daily_recount_reaches_seven_days_back() -> None:
    event("a", "0", ago=timedelta(days=8))
    event("a", "1", ago=2 * H)
    event_rollups.roll_up()
    event("a", "2", ago=timedelta(days=6))
    assert event_rollups.roll_up().replaced == 0
    with time_machine.travel(NOW + timedelta(hours=24), tick=False):
        assert event_rollups.roll_up().replaced == 1
    assert counts()[("a", hour(6 * 24))] == 1


def test_what_retention_takes_stays_in_the_numbers() -> None:
    event("a", "1", ago=5 * H)
    kept = event("a", "2", ago=5 * H - timedelta(minutes=5))
    event("a", "3", ago=4 * H)
    event_rollups.roll_up()
    Event.objects.exclude(pk=kept.pk).filter(subject="1").delete()
    event_rollups.roll_up()
    assert counts()[("a", hour(5))] == 2


def test_old_hours_become_days_once() -> None:
    for ago in (10, 11, 12):
        event("a", str(ago), ago=timedelta(days=ago))
        event("b", str(ago), ago=timedelta(days=ago) - H)
    for _ in range(2):
        event_rollups.roll_up()
    assert counts(resolution=86400) == {
        (step, (NOW - timedelta(days=ago)).replace(hour=0, minute=0)): 1
        for ago in (10, 11, 12)
        for step in ("a", "b")
    }
    assert not Bucket.objects.filter(resolution=3600, rolled=False).exists()
    durations = Bucket.objects.filter(series__name=event_rollups.DURATION, resolution=86400)
    assert [(row.count, row.total, row.minimum, row.maximum) for row in durations] == [
        (1, 3600, 3600, 3600)
    ] * 3


def test_a_long_history_takes_several_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    for ago in (40, 30, 20, 10):
        event("a", "1", ago=ago * H)
    runs = []
    for _ in range(3):
        ticks = itertools.count()
        monkeypatch.setattr(event_rollups, "monotonic", lambda ticks=ticks: next(ticks))
        runs.append(event_rollups.roll_up(seconds=2.5).hours)
    assert runs == [2, 2, 0]
    assert len(counts()) == 4


@pytest.mark.django_db(transaction=True, databases="__all__")
@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite lets one transaction write at a time")
def test_two_that_run_at_once_count_once() -> None:
    for ago in range(2, 300, 3):
        event("a", str(ago), ago=ago * H)
    threads = [threading.Thread(target=_roll_up_and_close) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert set(counts().values()) == {1}
    assert sum(counts().values()) == Event.objects.count()
    assert set(counts(resolution=86400).values()) <= set(range(9))
    assert sum(counts(resolution=86400).values()) == sum(
        row.count for row in Bucket.objects.filter(series__name=event_rollups.STEP, rolled=True)
    )


def _roll_up_and_close() -> None:
    try:
        event_rollups.roll_up()
    finally:
        connections.close_all()


def test_events_from_long_ago_are_counted_after_a_rebuild() -> None:
    event("a", "1", ago=2 * H)
    event_rollups.roll_up()
    event("a", "2", ago=timedelta(days=30))
    event("a", "2", ago=timedelta(days=3))
    event_rollups.rebuild("signup", NOW - timedelta(days=30))
    event_rollups.roll_up()
    assert sum(counts().values()) == 3
    assert sum(counts(event_rollups.REACHED).values()) == 2
    assert sum(counts(resolution=86400).values()) == 1


def test_a_variant_that_is_an_id_costs_a_bounded_number_of_series(settings: Any) -> None:
    settings.QAPROD = {"MAX_SERIES": 10}
    for number in range(30):
        event("a", str(number), ago=2 * H, variant=f"v{number}")
    event_rollups.roll_up()
    assert sum(counts().values()) == 30
    assert sum(counts(event_rollups.REACHED).values()) == 30
    assert Series.objects.count() <= 12


@pytest.mark.skipif(telemetry_alias() == events_alias(), reason="needs a second database, as on SQLite")
def test_nothing_is_written_to_the_events_database() -> None:
    def refuse(execute: Any, sql: str, *args: Any) -> Any:
        assert sql.startswith("SELECT"), sql
        return execute(sql, *args)

    for number in range(5):
        event("a", str(number), ago=number * H)
    with connections[events_alias()].execute_wrapper(refuse):
        event_rollups.roll_up()


def test_a_journey_without_events_costs_nothing_later() -> None:
    event_rollups.roll_up()
    assert not Bucket.objects.exists()
    assert event_rollups.covered_until("signup") == int(NOW.replace(minute=0).timestamp())
    assert Cursor.objects.count() == 2
