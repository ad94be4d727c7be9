"""Whom failures hit, of many alerts at once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connections
from django.test.utils import CaptureQueriesContext

from django_qaprod import clock
from django_qaprod.conf import telemetry_alias
from django_qaprod.queries import circumstances, people
from django_qaprod.queries.circumstances import Hit
from django_qaprod.queries.people import Asked
from django_qaprod.specs import Measure
from tests.admin import rows

pytestmark = pytest.mark.django_db(databases="__all__")

ORDERS = (Measure(kind="failures", journey=rows.JOURNEY.name),)
CRITICAL = (Measure(kind="failures", where=(("critical", "yes"),)),)
GAUGE = (Measure(kind="gauge", name="queue"),)


def asked(measures: tuple[Measure, ...] = ORDERS, *, minutes: int = 60) -> Asked:
    return Asked(measures, clock.now() - timedelta(minutes=minutes), clock.now() + timedelta(seconds=1))


def failure(number: int = 1, **fields: Any) -> Any:
    new = {"first_seen": clock.now() - timedelta(minutes=20), "journey": rows.JOURNEY.name}
    return rows.failure(number, **new | fields)


def test_of_each_it_says_what_is_said_of_one() -> None:
    """One query for all of them."""
    for number in range(3):
        made = failure(number, critical=number == 2)
        for key in ("a", str(number)):
            rows.affected(made, key, who="user")
        rows.affected(made, "s")
    rows.affected(
        failure(9, first_seen=clock.now() - timedelta(days=9), critical=True, journey=""), "b", who="user"
    )
    wanted = [asked(), asked(CRITICAL), asked(GAUGE), asked(minutes=1), asked((*ORDERS, *CRITICAL))]
    with CaptureQueriesContext(connections[telemetry_alias()]) as read:
        found = people.hits(wanted)
    assert len(read) == 1
    assert found == [circumstances.hit(one.measures, one.since, one.until) for one in wanted]
    assert found[0] == Hit(people=4, subjects=1)
    assert found[1] == Hit(people=3, subjects=1, at_least=True)
    assert found[2] is None


def test_nothing_is_asked_where_no_failure_can_belong() -> None:
    """Of gauges, or of no alert."""
    with CaptureQueriesContext(connections[telemetry_alias()]) as read:
        assert people.hits([]) == []
        assert people.hits([asked(GAUGE)]) == [None]
    assert not read.captured_queries


def test_where_not_all_is_read_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a flood so many meetings are read as a page can wait for."""
    made = failure()
    for number in range(5):
        rows.affected(made, str(number), who="user")
    assert people.hits([asked()]) == [Hit(people=5)]
    monkeypatch.setattr(people, "MOST", 3)
    assert people.hits([asked()]) == [Hit(people=3, at_least=True)]
