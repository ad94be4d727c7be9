"""What the simulated weeks look at is what the worker would see, if it were stored."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from unittest import mock

import pytest

from django_qaprod import clock, registry
from django_qaprod.alerts.sight import LiveSight, Memory
from django_qaprod.models import Event
from django_qaprod.records import new_id
from django_qaprod.specs import Measure
from example_project.jobs.qaprod import JobApplication
from example_project.weeks import troubles, world
from example_project.weeks.numbers import EXPECTATION, GeneratedSight, Numbers
from example_project.weeks.troubles import TROUBLES, Trouble, at

pytestmark = pytest.mark.django_db(databases="__all__")

NOW = at(1, 1, 13, 20).timestamp()
HOUR = 3600
SUBMITTED = Measure(kind="step", journey=JobApplication.spec.name, name="submitted")


@pytest.fixture(scope="module")
def numbers() -> Numbers:
    """A day and a half, without the weeks before."""
    with mock.patch.object(world, "WEEKS_BEFORE", 0):
        return world.generate(world.Plan(a_day=300, end=NOW + HOUR, troubles=TROUBLES))


@pytest.fixture
def sights(numbers: Numbers) -> Iterator[tuple[GeneratedSight, LiveSight]]:
    """What is generated, and the same from the database."""
    for key, times in numbers.times["step"].items():
        given = dict(key)
        Event.objects.bulk_create(
            Event(
                id=new_id(), journey=given["journey"], step=given["step"], subject="1", at=clock.moment(one),
                variant=given["variant"], browser=given["browser"],
            )
            for one in times
            if one < NOW
        )  # fmt: skip
    with mock.patch.object(clock, "now", return_value=clock.moment(NOW)):
        yield (
            GeneratedSight(numbers, at=NOW, previous=None, memory=Memory()),
            LiveSight(at=NOW, memory=Memory()),
        )


@pytest.mark.parametrize("by", ["", "browser", "variant"])
def test_both_sights_see_the_same(sights: tuple[GeneratedSight, LiveSight], by: str) -> None:
    """Counts of a stretch and of its steps, hours, the last and the first one."""
    seen, stored = sights
    assert seen.now == stored.now
    start = seen.now - 7 * 600
    assert seen.counts(SUBMITTED, start, seen.now, by=by) == stored.counts(SUBMITTED, start, seen.now, by=by)
    steps = seen.counts(SUBMITTED, start, seen.now, step=600, by=by)
    assert steps == stored.counts(SUBMITTED, start, seen.now, step=600, by=by)
    assert sum(map(sum, steps.values())) > 10
    starts = [int(NOW // HOUR) * HOUR - back * HOUR for back in range(24, 0, -1)]
    assert seen.hours(SUBMITTED, starts, by=by) == stored.hours(SUBMITTED, starts, by=by)
    assert seen.first(SUBMITTED) == pytest.approx(stored.first(SUBMITTED), abs=1e-3)
    assert seen.last(SUBMITTED, start) == pytest.approx(stored.last(SUBMITTED, start), abs=1e-3)


def test_the_future_is_not_seen(numbers: Numbers) -> None:
    """Of what happens after its moment a sight knows nothing."""
    sight = GeneratedSight(numbers, at=NOW - 6 * HOUR, previous=None, memory=Memory())
    assert sight.counts(SUBMITTED, sight.now, NOW) == {"": [0.0]}
    assert sight.hours(SUBMITTED, [int(NOW // HOUR) * HOUR - HOUR]) == {"": {}}
    last = sight.last(SUBMITTED, 0.0)
    assert last is not None
    assert last < sight.now


def test_what_goes_wrong_is_in_the_numbers(numbers: Numbers) -> None:
    """While e-mail stops, what is submitted has no e-mail: each is a breach, until somebody repairs it."""
    lost = next(one for one in TROUBLES if one.kind == "lost-email")
    breaches = Measure(kind="breaches", where=(("state", "open"),))

    def open_at(moment: float) -> float:
        sight = GeneratedSight(numbers, at=moment, previous=None, memory=Memory())
        return sum(map(sum, sight.counts(breaches, moment - 86400, moment, by="expectation").values()))

    sight = GeneratedSight(numbers, at=lost.span[1], previous=None, memory=Memory())
    found = sight.counts(breaches, lost.span[0], lost.span[1], step=3600, by="expectation")
    assert found.keys() == {spec.name for spec in registry.expectations()}
    assert all(found[EXPECTATION])
    assert open_at(lost.span[0]) == 0
    assert open_at(lost.span[1]) > 5
    assert open_at(lost.span[1] + HOUR) == 0


def test_troubles_do_not_overlap_and_lie_in_the_weeks() -> None:
    """So that each alert has one explanation. The clocks go forward while nothing else happens."""
    ordered = sorted(TROUBLES, key=lambda one: one.begin)
    for one, following in pairwise(ordered):
        assert one.end + one.lasting < following.begin, (one.title, following.title)
    assert ordered[0].begin >= troubles.MONDAY
    assert ordered[-1].end <= troubles.MONDAY + timedelta(weeks=troubles.WEEKS)


def test_a_moment_is_that_of_the_sites_clock() -> None:
    """Behind the change to summer time, too."""
    trouble: Trouble = replace(TROUBLES[0], begin=at(3, 6, 12))
    assert trouble.begin.isoformat() == "2026-03-29T12:00:00+01:00"
