"""Whose second step is missing, late, one too many or alone is found, once, and by what is new alone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connections
from django.test.utils import CaptureQueriesContext

from django_qaprod import Expectation, WorkingTime, clock
from django_qaprod.models import Breach, Cursor
from django_qaprod.store import breaches, retention
from django_qaprod.store.breaches import look

from .conftest import Take

pytestmark = pytest.mark.django_db(databases="__all__")

Expect = Callable[..., Expectation]


def found(**which: Any) -> set[str]:
    return set(Breach.objects.filter(**which).values_list("subject", flat=True))


def test_a_step_that_was_not_followed_in_time_is_a_breach(expect: Expect, take: Take) -> None:
    spec = expect().spec
    take("submitted", "7", "8", "9", ago=40)
    take("emailed", "8", ago=39)
    take("submitted", "young", ago=20)
    assert look(spec) == breaches.Looked(found=2)
    assert found(state="open", kind="missing") == {"7", "9"}
    breach = Breach.objects.get(subject="7")
    assert breach.due_at - breach.at == timedelta(minutes=30)
    assert (breach.journey, breach.step, breach.request_id) == ("apply", "submitted", "r-7")


def test_it_is_found_once_however_often_it_is_looked_at(expect: Expect, take: Take) -> None:
    spec = expect().spec
    take("submitted", "7", ago=40)
    assert look(spec).found == 1
    assert look(spec).found == 0
    Cursor.objects.all().delete()
    assert look(spec).found == 0
    assert Breach.objects.count() == 1


def test_each_becomes_due_in_its_turn(expect: Expect, take: Take) -> None:
    spec, now = expect().spec, clock.now()
    take("submitted", "7", ago=40, now=now)
    take("submitted", "8", ago=20, now=now)
    assert look(spec, now=now).found == 1
    assert look(spec, now=now + timedelta(minutes=10, seconds=30)).found == 0, "it may come out late"
    assert look(spec, now=now + timedelta(minutes=11, seconds=30)).found == 1
    assert found() == {"7", "8"}


def test_what_comes_late_is_told_from_what_is_missing(expect: Expect, take: Take) -> None:
    spec, now = expect().spec, clock.now()
    take("submitted", "7", "8", ago=120, now=now)
    take("emailed", "7", ago=60, now=now)
    assert look(spec, now=now) == breaches.Looked(found=1)
    late = Breach.objects.get(subject="7")
    assert late.state == "came"
    assert late.closed_at is not None
    assert late.closed_at - late.due_at == timedelta(minutes=30)
    take("emailed", "8", ago=0, now=now)
    assert look(spec, now=now + timedelta(minutes=1)) == breaches.Looked(closed=1)
    assert found(state="open") == set()


def test_a_second_step_counts_for_those_before_it_alone(expect: Expect, take: Take) -> None:
    spec = expect().spec
    take("emailed", "7", ago=50)
    take("submitted", "7", ago=40)
    assert look(spec).found == 1


def test_clocks_of_machines_differ_a_little(expect: Expect, take: Take) -> None:
    spec = expect().spec
    take("submitted", "7", ago=40)
    take("emailed", "7", ago=40 + 3 / 60)
    assert look(spec).found == 0


def test_a_step_that_is_recorded_after_it_was_due_is_looked_at(expect: Expect, take: Take) -> None:
    spec, now = expect().spec, clock.now()
    take("submitted", "7", ago=40, now=now)
    look(spec, now=now)
    take("submitted", "imported", ago=300, recorded=-1, now=now)
    assert look(spec, now=now + timedelta(minutes=1, seconds=30)).found == 0, "what follows may come, too"
    assert look(spec, now=now + timedelta(minutes=3)).found == 1
    assert found() == {"7", "imported"}


def test_the_first_look_goes_back_a_day(expect: Expect, take: Take) -> None:
    spec = expect().spec
    take("submitted", "history", ago=60 * 25)
    take("submitted", "yesterday", ago=60 * 23)
    look(spec)
    assert found() == {"yesterday"}


@pytest.mark.parametrize("chunk", [1, 2, 500])
def test_many_at_the_very_same_time_are_all_looked_at(
    expect: Expect, take: Take, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(breaches, "_CHUNK", chunk)
    spec, now = expect().spec, clock.now()
    take("submitted", *"abcde", ago=40, now=now)
    take("submitted", *"fg", ago=39, now=now)
    take("emailed", "b", "f", ago=38, now=now)
    assert look(spec, now=now).found == 5
    assert found() == set("acdeg")


def test_what_there_is_no_time_for_is_looked_at_the_next_time(
    expect: Expect, take: Take, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = expect().spec
    take("submitted", "7", ago=40)
    assert look(spec, seconds=0) == breaches.Looked(whole=False)
    assert look(spec) == breaches.Looked(found=1)


def test_one_too_many_and_one_alone_are_told_when_that_is_asked_for(expect: Expect, take: Take) -> None:
    take("submitted", "7", "8", ago=40)
    take("emailed", "7", "8", ago=39)
    take("emailed", "7", "stranger", ago=38)
    look(expect().spec)
    assert found() == set()
    Cursor.objects.all().delete()
    look(expect(once=True, never_alone=True).spec)
    assert found(kind="twice") == {"7"}
    assert found(kind="alone") == {"stranger"}
    look(expect(once=True, never_alone=True).spec)
    assert Breach.objects.count() == 2


def test_who_takes_both_steps_twice_has_none_too_many(expect: Expect, take: Take) -> None:
    for ago in (50, 40):
        take("submitted", "7", ago=ago)
        take("emailed", "7", ago=ago - 1)
    look(expect(once=True, never_alone=True).spec)
    assert found() == set()


def test_a_first_step_that_is_committed_a_little_later_makes_nobody_alone(expect: Expect, take: Take) -> None:
    spec, now = expect(never_alone=True).spec, clock.now()
    take("emailed", "7", ago=0.5, now=now)
    look(spec, now=now)
    take("submitted", "7", ago=0.6, now=now)
    look(spec, now=now + timedelta(minutes=2))
    assert found(kind="alone") == set()


def test_a_person_dismisses_a_breach_and_says_why(expect: Expect, take: Take) -> None:
    spec = expect().spec
    take("submitted", "7", "8", ago=40)
    look(spec)
    ids = list(Breach.objects.filter(subject="7").values_list("pk", flat=True))
    assert breaches.dismiss(ids, who="ada", why="They phoned.") == 1
    assert breaches.dismiss(ids, who="ada", why="They phoned.") == 0
    look(spec)
    assert found(state="open") == {"8"}
    assert found(state="dismissed", who="ada", why="They phoned.") == {"7"}


def test_a_pass_reads_what_is_new(expect: Expect, take: Take) -> None:
    spec, now = expect().spec, clock.now()
    take("submitted", *map(str, range(300)), ago=600, now=now)
    take("emailed", *map(str, range(300)), ago=599, now=now)
    look(spec, now=now)
    take("submitted", "new", ago=-1, now=now)
    with CaptureQueriesContext(connections["default"]) as read:
        look(spec, now=now + timedelta(minutes=33))
    assert found() == {"new"}
    asked = [query for query in read if 'FROM "qaprod_event"' in query["sql"]]
    assert 1 < len(asked) <= 8
    with connections["default"].cursor() as cursor:
        for query in asked:
            if connections["default"].vendor == "sqlite":
                cursor.execute(f"EXPLAIN QUERY PLAN {query['sql']}")
                assert not [row[3] for row in cursor.fetchall() if row[3].startswith("SCAN")], query["sql"]


def test_the_longest_name_fits(journey: Any, take: Take) -> None:
    name = "x" * 150
    spec = Expectation(name, when=journey.submitted, then=journey.emailed, within=timedelta(minutes=30)).spec
    take("submitted", "7", ago=40)
    look(spec)
    assert found(expectation=name) == {"7"}


def test_how_far_it_has_looked_is_not_forgotten(expect: Expect, take: Take) -> None:
    spec = expect().spec
    take("submitted", "7", ago=40)
    look(spec)
    Cursor.objects.update(updated_at=clock.now() - timedelta(days=99))
    known = Cursor.objects.count()
    retention.prune()
    assert Cursor.objects.count() == known > 0


def test_old_breaches_are_deleted(expect: Expect, take: Take) -> None:
    take("submitted", "7", ago=40)
    look(expect().spec)
    Breach.objects.update(found_at=clock.now() - timedelta(days=91))
    assert retention.prune()["breaches"] == 1


@pytest.mark.parametrize("within", [timedelta(days=1), timedelta(days=3), WorkingTime(timedelta(hours=16))])
def test_what_takes_days_is_found_when_it_is_due(expect: Expect, take: Take, within: Any) -> None:
    spec, now = expect(within=within).spec, clock.now()
    look(spec, now=now)
    take("submitted", "7", ago=-1, now=now)
    for hours in range(1, 24 * 7):
        look(spec, now=now + timedelta(hours=hours))
    assert found() == {"7"}


def test_what_is_stored_long_after_it_was_recorded_is_met(expect: Expect, take: Take) -> None:
    spec, now = expect().spec, clock.now()
    take("submitted", "in time", ago=40, now=now)
    look(spec, now=now)
    look(spec, now=now + timedelta(minutes=20))
    take("emailed", "in time", ago=39, now=now)
    take("submitted", "cut off", ago=39, now=now)
    look(spec, now=now + timedelta(minutes=21))
    assert found(state="open") - {"cut off"} == set()
    look(spec, now=now + timedelta(minutes=90))
    assert found(state="open") == {"cut off"}


def test_one_that_is_alone_no_more_is_closed(expect: Expect, take: Take) -> None:
    spec, now = expect(never_alone=True).spec, clock.now()
    take("emailed", "7", ago=10, now=now)
    look(spec, now=now)
    assert found(kind="alone", state="open") == {"7"}
    take("submitted", "7", ago=11, recorded=0, now=now)
    look(spec, now=now + timedelta(minutes=1))
    assert found(state="open") == set()


def test_of_two_at_the_very_same_time_one_is_too_many(expect: Expect, take: Take) -> None:
    now = clock.now()
    take("submitted", "7", ago=40, now=now)
    for _ in range(2):
        take("emailed", "7", ago=39, now=now)
    look(expect(once=True).spec, now=now)
    assert Breach.objects.count() == 1


def test_every_open_breach_is_looked_at_again_in_its_turn(
    expect: Expect, take: Take, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(breaches, "AGAIN", 2)
    spec, now = expect().spec, clock.now()
    take("submitted", *"abcde", ago=400, now=now)
    look(spec, now=now)
    take("emailed", *"ae", ago=399, now=now)
    for minutes in range(1, 5):
        look(spec, now=now + timedelta(minutes=minutes))
    assert found(state="open") == set("bcd")
