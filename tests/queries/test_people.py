"""Whom failures hit, of one alert and of many."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from django_qaprod import clock
from django_qaprod.models import Affected, Failure
from django_qaprod.queries import people
from django_qaprod.queries.people import Asked, Hit
from django_qaprod.specs import Measure
from tests.admin import rows
from tests.counting import Counted

pytestmark = pytest.mark.django_db(databases="__all__")

ORDERS = (Measure(kind="failures", journey=rows.JOURNEY.name),)
PAYMENTS = (Measure(kind="failures", journey="Payment"),)
CRITICAL = (Measure(kind="failures", where=(("critical", "yes"),)),)
GAUGE = (Measure(kind="gauge", name="queue"),)


def asked(measures: tuple[Measure, ...] = ORDERS, *, since: float = 60, until: float = 0) -> Asked:
    """Of a stretch between so many minutes ago."""
    return Asked(measures, ago(since), ago(until) + timedelta(seconds=1))


def ago(minutes: float) -> datetime:
    return clock.now() - timedelta(minutes=minutes)


def failure(number: int = 1, *users: str, **fields: Any) -> Failure:
    """A failure that began 20 minutes ago, and people who met it just now."""
    made = rows.failure(number, **{"first_seen": ago(20), "journey": rows.JOURNEY.name} | fields)
    for user in users:
        met(made, user)
    return made


def met(of: Failure, key: str, *, who: str = "user", minutes: float = 0) -> None:
    Affected.objects.create(failure=of, who=who, key=key, at=ago(minutes))


def test_of_each_it_says_what_is_said_of_one() -> None:
    """Two queries for all of them: whoever met two failures is one."""
    for number in range(3):
        met(failure(number, "a", str(number), critical=number == 2), "a", who="subject")
    failure(9, "b", first_seen=ago(9999), critical=True, journey="")
    wanted = [asked(), asked(CRITICAL), asked(GAUGE), asked(since=1), asked((*ORDERS, *CRITICAL)), asked()]
    with Counted() as read:
        found = people.hits(wanted)
    assert len(read) == 2
    assert found == [people.hit(one.measures, one.since, one.until) for one in wanted]
    assert found[0] == found[5] == Hit(people=4, subjects=1)
    assert found[1] == Hit(people=3, subjects=1, at_least=True)
    assert found[2] is None


@pytest.mark.parametrize("together", [True, False])
def test_only_those_count_who_met_them_in_its_stretch(together: bool) -> None:
    """Not whom the same failure hit before an alert began, nor after it was over."""
    made = failure(first_seen=ago(50), last_seen=ago(0))
    for minutes in (5, 15, 25, 35, 45):
        met(made, str(minutes), minutes=minutes)
    stretches = {(60, 0): 5, (30, 0): 3, (30, 10): 2, (40, 20): 2, (60, 30): 2, (12, 8): 0}
    wanted = [asked(since=since, until=until) for since, until in stretches]
    found = people.hits(wanted) if together else [people.hit(*one) for one in wanted]
    assert [one.people for one in found if one] == list(stretches.values())
    assert [one.at_least for one in found if one] == [since < 50 for since, _until in stretches]


def test_a_failure_that_happened_at_another_time_is_none_of_it() -> None:
    """That it was seen before, or of how many not all are kept, says nothing of who met others then."""
    met(failure(1), "a", minutes=10)
    failure(2, first_seen=ago(9999), last_seen=ago(9000))
    failure(3, first_seen=ago(1), last_seen=ago(0), people=1_000_000)
    assert people.hits([asked(until=5)]) == [Hit(people=1)]


def test_louder_failures_of_others_hide_nobody() -> None:
    """Of each the loudest are looked at, not of all that are asked together."""
    for number in range(people.MOST_FAILURES + 5):
        failure(number, "x", count=10_000, journey="Payment")
    failure(99, "a", "b", "c", count=3)
    found = people.hits([asked(PAYMENTS), asked()])
    assert found == [Hit(people=1, at_least=True), Hit(people=3)]


def test_of_many_failures_the_loudest_are_looked_at() -> None:
    """It says that there may be more."""
    for number in range(people.MOST_FAILURES):
        failure(number, "a", count=100)
    failure(99, "b", count=99)
    failure(100, "c", count=101)
    assert people.hits([asked()]) == [Hit(people=2, at_least=True)]


def test_where_not_all_are_kept_it_says_so(settings: Any) -> None:
    """Of a failure so many people and subjects are."""
    failure(1, "a", "b", people=2, subjects=1)
    settings.QAPROD = {"AFFECTED_PER_FAILURE": 4}
    assert people.hits([asked()]) == [Hit(people=2)]
    settings.QAPROD = {"AFFECTED_PER_FAILURE": 3}
    assert people.hits([asked()]) == [Hit(people=2, at_least=True)]


def test_nothing_is_asked_where_no_failure_can_belong() -> None:
    """Of gauges, or of no alert; and whom no failures hit is not asked."""
    with Counted() as read:
        assert people.hits([]) == []
        assert people.hits([asked(GAUGE)]) == [None]
    assert not read.statements
    with Counted() as read:
        assert people.hits([asked(), asked(GAUGE)]) == [Hit(), None]
    assert len(read) == 1


def test_a_page_of_alerts_of_different_failures_is_within_what_a_query_can_hold() -> None:
    """As many as the list shows when it is asked for all."""
    for number in range(20):
        failure(number, str(number), name=f"n{number}")
    wanted = [asked((Measure(kind="failures", name=f"n{at % 20}"),), since=60 + at) for at in range(200)]
    assert people.hits(wanted) == [Hit(people=1)] * 200
