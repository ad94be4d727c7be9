from __future__ import annotations

import time
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from django_qaprod.models import (
    Affected,
    Alert,
    Bucket,
    Cursor,
    Deploy,
    Event,
    Failure,
    Notification,
    Occurrence,
    Series,
    Silence,
    Stack,
    Transition,
)
from django_qaprod.records import new_id
from django_qaprod.store import failures, numbers, retention, states

from .make import cell, failure, minute

pytestmark = pytest.mark.django_db(databases="__all__")


def ago(days: float) -> datetime:
    return timezone.now() - timedelta(days=days)


def old(days: float, **fields: Any) -> None:
    failures.save([failure(at=time.time() - days * 86400, **fields)])


def bucket(resolution: int, days: float, *, rolled: bool) -> Bucket:
    series, _ = Series.objects.get_or_create(digest="d", defaults={"name": "n"})
    return Bucket.objects.create(
        series=series, resolution=resolution, start=ago(days), count=1, rolled=rolled
    )


def test_old_failures_go_with_all_that_hangs_on_them() -> None:
    old(100, user="1", stack="d")
    states.resolve(Failure.objects.values_list("pk", flat=True), who="ada")
    failures.save([failure("v1:new", user="2")])
    assert retention.prune()["failures"] == 1
    assert Failure.objects.get().fingerprint == "v1:new"
    assert [model.objects.count() for model in (Occurrence, Affected, Transition)] == [1, 1, 0]


def test_old_occurrences_go_and_their_failure_stays() -> None:
    old(40)
    assert retention.prune()["occurrences"] == 1
    assert Failure.objects.get().count == 1


def test_settings_say_how_long(settings: Any) -> None:
    old(5)
    assert "occurrences" not in retention.prune()
    settings.QAPROD = {"RETENTION_DAYS": {"occurrences": 4}}
    assert retention.prune()["occurrences"] == 1


def test_numbers_go_when_a_coarser_row_has_them() -> None:
    kept = [
        bucket(60, 10, rolled=False),
        bucket(60, 1, rolled=True),
        bucket(3600, 10, rolled=True),
        bucket(86400, 300, rolled=False),
    ]
    bucket(60, 10, rolled=True)
    bucket(3600, 100, rolled=True)
    bucket(86400, 900, rolled=False)
    assert retention.prune() == {"minutes": 1, "hours": 1, "days": 1}
    assert set(Bucket.objects.all()) == set(kept)


def test_too_many_rows_go_the_oldest_first(settings: Any) -> None:
    settings.QAPROD = {"MAX_ROWS": {"occurrences": 3, "failures": 2}}
    for part in range(5):
        failures.save([failure(f"v1:{part}", at=time.time() - 1000 + part)])
    gone = retention.prune()
    assert gone["failures"] == 3
    assert list(Failure.objects.order_by("first_seen").values_list("fingerprint", flat=True)) == [
        "v1:3",
        "v1:4",
    ]
    assert Occurrence.objects.count() == 2


def test_flags_that_are_changed_all_day_cost_no_release_its_mark(settings: Any) -> None:
    """Each kind has an age and a number of its own."""
    settings.QAPROD = {"MAX_ROWS": {"deploys": 2, "flags": 3}, "RETENTION_DAYS": {"flags": 1}}
    for days in (0.1, 0.2, 0.3, 0.4, 0.5, 2):
        Deploy.objects.create(release="short form", at=ago(days), flag=True)
    for days, release in enumerate(("r3", "r2", "r1")):
        Deploy.objects.create(release=release, at=ago(5 + days))
    assert retention.prune() == {"deploys": 1, "flags": 3}
    assert set(Deploy.objects.filter(flag=False).values_list("release", flat=True)) == {"r2", "r3"}
    assert Deploy.objects.filter(flag=True, at__gte=ago(0.35)).count() == 3


def test_series_without_numbers_go() -> None:
    numbers.save([cell(start=minute(5))])
    Series.objects.create(digest="e", name="empty")
    assert retention.prune()["series"] == 1


def test_stacks_and_segments_that_nobody_uses_go() -> None:
    Stack.objects.create(digest="old", frames="[]", last_used=ago(40))
    Stack.objects.create(digest="new", frames="[]", last_used=ago(29))
    Cursor.objects.create(segment="170000-1-ab", updated_at=ago(8))
    Cursor.objects.create(segment="180000-1-ab", updated_at=ago(1))
    Cursor.objects.create(segment="events:J", updated_at=ago(8))
    Deploy.objects.create(release="r0", at=ago(1000))
    retention.prune()
    assert Stack.objects.get().digest == "new"
    assert set(Cursor.objects.values_list("segment", flat=True)) == {"180000-1-ab", "events:J"}
    assert not Deploy.objects.exists()


def test_a_run_without_time_deletes_nothing() -> None:
    old(100)
    assert retention.prune(seconds=0) == {}
    assert Failure.objects.exists()


def test_old_events_go() -> None:
    for journey in ("J", "K", "L"):
        for days in (500, 10):
            Event.objects.create(id=new_id(), at=ago(days), journey=journey, step="s", subject="1")
    assert retention.prune_events() == 3
    assert {(event.journey, event.at > ago(20)) for event in Event.objects.all()} == {
        ("J", True),
        ("K", True),
        ("L", True),
    }


def test_the_events_that_were_recorded_last_are_kept(settings: Any) -> None:
    settings.QAPROD = {"MAX_ROWS": {"events": 2}}
    for number in range(5):
        at = ago(10 - number)
        Event.objects.create(
            id=new_id(at.timestamp()), at=at, journey=f"J{number % 2}", step="s", subject=str(number)
        )
    assert retention.prune_events() == 3
    assert set(Event.objects.values_list("subject", flat=True)) == {"3", "4"}


@pytest.mark.parametrize("key", [*retention.DAYS, *retention.ROWS])
def test_every_key_can_be_set(key: str, settings: Any) -> None:
    settings.QAPROD = {"RETENTION_DAYS": {key: 1}, "MAX_ROWS": {key: 7}}
    assert retention.most(key) == 7
    if key in retention.DAYS:
        assert retention.days(key) == 1


def test_alerts_that_are_over_go_with_their_notifications() -> None:
    """One that fires has no age."""
    at = ago(500)
    made = {"kind": "threshold", "severity": "error", "began_at": at, "wrong_at": at, "fired_at": at}
    over = Alert.objects.create(rule="r", state="resolved", resolved_at=at, **made)
    fires = Alert.objects.create(rule="r", state="firing", **made)
    young = Alert.objects.create(rule="r", state="resolved", resolved_at=ago(0), **made)
    for alert in (over, fires, young):
        Notification.objects.create(alert=alert, lane="mail", kind="firing", made_at=at, due_at=at)
    Silence.objects.create(everything=True, begins_at=at, until=at, made_at=at, who="ada", why="moving")
    gone = retention.prune()
    assert gone["silences"] == 1
    assert "alerts" in gone
    assert set(Alert.objects.values_list("pk", flat=True)) == {fires.pk, young.pk}
    assert Notification.objects.count() == 2
