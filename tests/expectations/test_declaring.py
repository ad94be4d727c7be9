"""A declaration that cannot work is refused where it stands, with what to change."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from pytest_django import Settings

from django_qaprod import Expectation, WorkingTime, registry
from django_qaprod.exceptions import DeclarationError
from django_qaprod.expectations import checks

LONDON = ZoneInfo("Europe/London")
Expect = Callable[..., Expectation]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"when": "submitted"}, "is a step of a journey"),
        ({"within": 30}, "is a timedelta above zero or a WorkingTime"),
        ({"within": timedelta(0)}, "is a timedelta above zero"),
        ({"repair": lambda breach: None}, "def repair\\(breach, \\*, dry_run\\)"),
        ({"by_itself": True}, "says what to do by repair"),
        ({"repairs_per_hour": 0}, "is a number from 1 on"),
    ],
)
def test_a_wrong_option_is_refused(expect: Expect, options: dict[str, Any], words: str) -> None:
    with pytest.raises(DeclarationError, match=words):
        expect(**options)
    assert registry.expectations() == ()


def test_a_step_does_not_follow_itself(expect: Expect, journey: Any) -> None:
    with pytest.raises(DeclarationError, match="not expected to follow itself"):
        expect(then=journey.submitted)


@pytest.mark.parametrize("name", ["", "x" * 151, 7])
def test_a_name_is_a_short_text(journey: Any, name: Any) -> None:
    within = timedelta(minutes=30)
    with pytest.raises(DeclarationError, match="a name of at most 150 characters"):
        Expectation(name, when=journey.submitted, then=journey.emailed, within=within)
    Expectation("x" * 150, when=journey.submitted, then=journey.emailed, within=within)


def test_a_name_is_taken_once(expect: Expect, journey: Any) -> None:
    expect()
    expect(within=timedelta(minutes=10))
    with pytest.raises(DeclarationError, match=r"already declared, of apply\.submitted"):
        expect(when=journey.emailed, then=journey.submitted)
    assert len(registry.expectations()) == 1


def at(*when: int) -> datetime:
    return datetime(*when, tzinfo=LONDON)  # type: ignore[misc]


@pytest.mark.parametrize(
    ("start", "due"),
    [
        (at(2025, 3, 5, 10), at(2025, 3, 5, 14)),
        (at(2025, 3, 5, 15), at(2025, 3, 6, 11)),
        (at(2025, 3, 5, 3), at(2025, 3, 5, 13)),
        (at(2025, 3, 5, 20), at(2025, 3, 6, 13)),
        (at(2025, 3, 7, 16), at(2025, 3, 10, 12)),
        (at(2025, 3, 8, 12), at(2025, 3, 10, 13)),
        (at(2025, 4, 17, 16), at(2025, 4, 22, 12)),
        (at(2025, 12, 24, 16), at(2025, 12, 29, 12)),
    ],
)
def test_working_time_passes_while_somebody_is_at_work(start: datetime, due: datetime) -> None:
    """Nights, weekends, Easter and Christmas in England."""
    working = WorkingTime(timedelta(hours=4), zone="Europe/London", holidays="GB-ENG")
    assert working.due(start) == due


def test_an_hour_that_the_clock_leaves_out_is_not_worked() -> None:
    working = WorkingTime(timedelta(hours=3), begin=time(0), end=time(6), days=range(7), zone="Europe/London")
    assert working.due(at(2025, 3, 30, 0)) == at(2025, 3, 30, 4)


def test_holidays_may_be_a_function() -> None:
    working = WorkingTime(
        timedelta(hours=4), zone="Europe/London", holidays=lambda day: day == date(2025, 3, 6)
    )
    assert working.due(at(2025, 3, 5, 16)) == at(2025, 3, 7, 12)


def test_a_calendar_that_never_opens_ends() -> None:
    working = WorkingTime(timedelta(hours=4), holidays=lambda day: True)
    assert working.due(at(2025, 3, 5, 16)) > at(2026, 3, 5, 16)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"days": ()}, "are weekdays"),
        ({"days": [7]}, "are weekdays"),
        ({"begin": time(18)}, "begins before it ends"),
        ({"zone": "Europe/Londn"}, "names a zone"),
    ],
)
def test_a_wrong_calendar_is_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(DeclarationError, match=words):
        WorkingTime(timedelta(hours=4), **options)


def test_a_country_that_nobody_knows_is_found_by_a_check(expect: Expect) -> None:
    expect(within=WorkingTime(timedelta(hours=4), holidays="GB-ENG"))
    assert list(checks.check()) == []
    expect(within=WorkingTime(timedelta(hours=4), holidays="XX"))
    (found,) = checks.check()
    assert found.id == "qaprod.E026"
    assert "reaches the school" in found.msg


@pytest.mark.parametrize(
    ("own", "zone"), [("America/New_York", "Europe/London"), ("UTC", "America/New_York")]
)
def test_without_zones_times_are_those_of_the_project(settings: Settings, own: str, zone: str) -> None:
    settings.USE_TZ, settings.TIME_ZONE = False, own
    working = WorkingTime(timedelta(hours=4), zone=zone)
    start = datetime(2025, 3, 5, 10, tzinfo=ZoneInfo(zone)).astimezone(ZoneInfo(own)).replace(tzinfo=None)
    assert working.due(start) - start == timedelta(hours=4)
