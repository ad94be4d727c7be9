"""What the worker sees: the present less what is on its way, read once, and waited for where it is late."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
import time_machine

from django_qaprod import clock
from django_qaprod.alerts.sight import CATCH_UP, GAP, SETTLE, LiveSight, Memory
from django_qaprod.models import Alert, Cursor, Deploy, Event
from django_qaprod.records import new_id
from django_qaprod.specs import Measure
from tests.counting import Counted
from tests.queries.conftest import NOW

pytestmark = pytest.mark.django_db(databases="__all__")

AT = NOW.timestamp()
HOUR = 3600
STATES = ("resolved", "firing")
SUBMITTED = Measure(kind="step", journey="application", name="submitted")


@pytest.fixture(autouse=True)
def _frozen() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


def take(*at: float, **fields: Any) -> None:
    Event.objects.bulk_create(
        Event(
            id=new_id(), journey="application", step="submitted", subject="7", at=clock.moment(one), **fields
        )
        for one in at
    )


def test_the_present_is_what_has_settled() -> None:
    """What may still be on its way is looked at by the next pass."""
    sight = LiveSight()
    assert (sight.taken_at, sight.now) == (AT, AT - SETTLE)
    take(AT - 5, AT - SETTLE - 1)
    assert sight.counts(SUBMITTED, sight.now - 60, sight.now) == {"": [1.0]}


def test_what_two_rules_ask_for_is_read_once() -> None:
    """Within one pass; the next one reads anew."""
    take(AT - 60)
    sight = LiveSight()
    with Counted() as counted:
        for _ in range(3):
            sight.counts(SUBMITTED, AT - 600, AT)
            sight.last(SUBMITTED, AT - 600)
            sight.deploys(AT - 600, AT)
            sight.incidents("r", AT - 600, AT)
    assert len(counted) == 4
    take(AT - 50)
    assert LiveSight().counts(SUBMITTED, AT - 600, AT) == {"": [2.0]}


def test_hours_that_have_passed_are_read_once_the_latest_again() -> None:
    """Transactions commit late, but not for hours."""
    memory, hour = Memory(), int(AT) // HOUR * HOUR
    starts = [hour - HOUR, hour - 2 * HOUR, hour - 3 * HOUR, hour - 7 * 24 * HOUR]
    take(*(start + 5 for start in starts), variant="long")
    expected = dict.fromkeys(starts, 1.0)
    assert LiveSight(memory=memory).hours(SUBMITTED, starts) == {"": expected}
    assert LiveSight(memory=memory).hours(SUBMITTED, starts, by="variant") == {"long": expected}
    take(*(start + 9 for start in starts), variant="short")
    later = LiveSight(memory=memory)
    assert later.hours(SUBMITTED, starts) == {"": {**expected, hour - HOUR: 2.0, hour - 2 * HOUR: 2.0}}
    assert later.hours(SUBMITTED, starts, by="variant")["short"] == {hour - HOUR: 1.0, hour - 2 * HOUR: 1.0}
    with Counted() as counted:
        fresh = LiveSight(memory=memory)
        assert fresh.hours(SUBMITTED, [hour - 9 * 24 * HOUR, starts[3]])[""] == {starts[3]: 1.0}
        LiveSight(memory=memory).hours(SUBMITTED, [hour - 9 * 24 * HOUR, starts[3]])
    assert len(counted) == 2
    with time_machine.travel(NOW + timedelta(days=1, minutes=1), tick=False):
        assert LiveSight(memory=memory).hours(SUBMITTED, starts)[""][starts[3]] == 2.0


def test_the_first_time_is_remembered_once_there_is_one() -> None:
    """Before that, it may come at any moment."""
    memory = Memory()
    assert LiveSight(memory=memory).first(SUBMITTED) is None
    take(AT - 60)
    assert LiveSight(memory=memory).first(SUBMITTED) == AT - 60
    with Counted() as counted:
        assert LiveSight(memory=memory).first(SUBMITTED) == AT - 60
    assert len(counted) == 0


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was not asked for the longest goes."""
    monkeypatch.setattr("django_qaprod.alerts.sight._MOST_HOURS", 5)
    memory, hour = Memory(), int(AT) // HOUR * HOUR - 90 * HOUR
    starts = [hour - place * HOUR for place in range(4)]
    one, other = SUBMITTED, SUBMITTED._replace(name="started")
    for measure in (one, other):
        LiveSight(memory=memory).hours(measure, starts)
    assert len(memory.hours(other, "", AT)) == 4
    assert len(memory.hours(one, "", AT)) == 0


def test_deploys_and_incidents_are_known() -> None:
    """What people called useless was no incident; what still fires goes on until now. A flag is no deploy."""
    for place, ago in enumerate((7200, 300)):
        Deploy.objects.create(release=f"v{place}", at=clock.moment(AT - ago))
    Deploy.objects.create(release="short form", at=clock.moment(AT - 60), flag=True)

    def alert(began: float, ended: float | None, **fields: Any) -> None:
        Alert.objects.create(
            rule=fields.pop("rule", "r"), kind="dip", severity="error", state=STATES[ended is None],
            began_at=clock.moment(AT - began), wrong_at=clock.moment(AT - began),
            fired_at=clock.moment(AT - began), resolved_at=ended and clock.moment(AT - ended), **fields,
        )  # fmt: skip

    alert(9000, 8000)
    alert(7000, 6000, useful=True)
    alert(5000, 4000, useful=False)
    alert(3000, 2000, rule="other")
    alert(100, None)
    sight = LiveSight()
    assert sight.deploys(AT - 3600, AT) == [AT - 300]
    assert sight.incidents("r", AT - 7500, AT) == [(AT - 7000, AT - 6000), (AT - 100, sight.now)]


def test_after_a_gap_what_drainers_kept_is_waited_for() -> None:
    """For a while, whatever the passes in between."""
    memory = Memory()
    assert LiveSight(memory=memory).incomplete() == ""
    assert LiveSight(memory=memory, previous=AT - GAP).incomplete() == ""
    assert "7 min" in LiveSight(memory=memory, previous=AT - 420).incomplete()
    for after, waits in ((30, True), (CATCH_UP - 1, True), (CATCH_UP, False)):
        with time_machine.travel(NOW + timedelta(seconds=after), tick=False):
            sight = LiveSight(memory=memory, previous=AT + after - 30)
            assert bool(sight.incomplete()) is waits


@pytest.mark.parametrize(("ago", "waits"), [(80, False), (95, True), (600, True), (901, False)])
def test_where_nothing_is_stored_it_is_waited_for_but_not_for_ever(ago: float, waits: bool) -> None:
    """A site whose servers are all dead stores nothing either."""
    Cursor.objects.create(segment="web-1-7-1", position=9, updated_at=clock.moment(AT - ago))
    Cursor.objects.create(segment="events/application", position=9, updated_at=clock.now())
    Cursor.objects.create(segment="expectation:reaches:seen", position=9, updated_at=clock.now())
    assert bool(LiveSight().incomplete()) is waits


def test_where_no_process_tells_how_it_is_nothing_stored_says_nothing(settings: Any) -> None:
    """A quiet site has nothing to store."""
    settings.QAPROD = {"RESOURCE_GAUGES": False}
    Cursor.objects.create(segment="web-1-7-1", position=9, updated_at=clock.moment(AT - 300))
    assert LiveSight().incomplete() == ""


def test_the_moment_can_be_given() -> None:
    """For those who look at what was."""
    at = datetime(2026, 3, 1, tzinfo=NOW.tzinfo).timestamp()
    assert LiveSight(at=at).now == at - SETTLE
