"""Cron expressions: read as Vixie's cron does, by the clock of a zone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import Settings

from django_qaprod.alerts.cron import Cron
from django_qaprod.exceptions import DeclarationError

LONDON = ZoneInfo("Europe/London")
LORD_HOWE = ZoneInfo("Australia/Lord_Howe")


def utc(*when: int) -> datetime:
    return datetime(*when, tzinfo=UTC)  # type: ignore[misc]


@pytest.mark.parametrize(
    ("text", "before", "after"),
    [
        ("30 2 * * mon-fri", utc(2025, 3, 4, 2, 30), utc(2025, 3, 5, 2, 30)),
        ("*/15 * * * *", utc(2025, 3, 4, 11, 45), utc(2025, 3, 4, 12, 15)),
        ("5/20 9-17 * * *", utc(2025, 3, 4, 11, 45), utc(2025, 3, 4, 12, 5)),
        ("0 0 1,15 * *", utc(2025, 3, 1), utc(2025, 3, 15)),
        ("0 6 * jan,jul *", utc(2025, 1, 31, 6), utc(2025, 7, 1, 6)),
        ("0 0 29 2 *", utc(2024, 2, 29), utc(2028, 2, 29)),
        ("0 8 * * 7", utc(2025, 3, 2, 8), utc(2025, 3, 9, 8)),
        ("0 8 * * sat-sun", utc(2025, 3, 2, 8), utc(2025, 3, 8, 8)),
        ("@daily", utc(2025, 3, 4), utc(2025, 3, 5)),
        ("@weekly", utc(2025, 3, 2), utc(2025, 3, 9)),
        ("@hourly", utc(2025, 3, 4, 11), utc(2025, 3, 4, 13)),
        ("@Yearly", utc(2025, 1, 1), utc(2026, 1, 1)),
    ],
)
def test_the_times_around_a_moment(text: str, before: datetime, after: datetime) -> None:
    """Noon of a Tuesday, which is itself neither before nor behind."""
    cron, noon = Cron(text, zone=UTC), utc(2025, 3, 4, 12)
    assert cron.previous(noon) == before
    assert cron.next(noon) == after


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("0 0 13 * fri", [3, 10, 13, 17, 24, 31]),
        ("0 0 */10 * fri", [31]),
        ("0 0 13 * *", [13]),
        ("0 0 * * fri", [3, 10, 17, 24, 31]),
    ],
)
def test_either_day_is_enough_when_both_are_restricted(text: str, days: list[int]) -> None:
    """As in crontab(5): the two narrow each other only where one of them begins with a star."""
    cron, at, found = Cron(text, zone=UTC), utc(2025, 1, 1, 12), []
    while (at := cron.next(at)).month == 1 and at.year == 2025:
        found.append(at.day)
    assert found == days


def times(text: str, zone: ZoneInfo, start: datetime, end: datetime) -> list[datetime]:
    cron, found = Cron(text, zone=zone), []
    while (start := cron.next(start)) < end:
        found.append(start.astimezone(UTC))
    return found


def test_what_falls_into_an_hour_that_is_left_out_runs_at_its_end() -> None:
    """On 30 March 2025 London's clock goes from 1:00 to 2:00."""
    found = times("30 1 * * *", LONDON, utc(2025, 3, 29, 12), utc(2025, 3, 31, 12))
    assert found == [utc(2025, 3, 30, 1), utc(2025, 3, 31, 0, 30)]


def test_what_has_a_fixed_hour_runs_once_in_an_hour_that_is_repeated() -> None:
    """On 26 October 2025 London's clock goes from 2:00 back to 1:00."""
    found = times("30 1 * * *", LONDON, utc(2025, 10, 25, 12), utc(2025, 10, 27, 12))
    assert found == [utc(2025, 10, 26, 0, 30), utc(2025, 10, 27, 1, 30)]


@pytest.mark.parametrize("zone", [LONDON, LORD_HOWE])
@pytest.mark.parametrize(
    "day", [utc(2025, 3, 30), utc(2025, 4, 5, 12), utc(2025, 10, 4, 12), utc(2025, 10, 26)]
)
def test_what_comes_every_so_often_is_not_moved_by_the_clock(zone: ZoneInfo, day: datetime) -> None:
    """Lord Howe's clock goes by half an hour."""
    found = times("*/10 * * * *", zone, day, day + timedelta(hours=6))
    assert found == [day + timedelta(minutes=10 * number) for number in range(1, 36)]


def test_without_zones_times_are_those_of_the_project(settings: Settings) -> None:
    settings.USE_TZ, settings.TIME_ZONE = False, "America/New_York"
    assert Cron("30 2 * * *").previous(datetime(2025, 3, 5, 2)) == datetime(2025, 3, 4, 2, 30)  # noqa: DTZ001
    assert Cron("30 2 * * *").next(utc(2025, 3, 5, 2)) == utc(2025, 3, 5, 7, 30)


def test_it_is_read_by_the_clock_of_the_project(settings: Settings) -> None:
    settings.TIME_ZONE = "Asia/Kolkata"
    found = Cron("0 0 * * *").next(utc(2025, 3, 5, 12))
    assert found == utc(2025, 3, 5, 18, 30)
    assert f"{found:%H:%M}" == "00:00"


FIELD = st.sampled_from(["*", "*/7", "3", "1-5", "2,4"])
TEXT = st.tuples(FIELD, FIELD, FIELD, FIELD, FIELD).map(" ".join)
MOMENT = st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


@given(text=TEXT, moment=MOMENT, zone=st.sampled_from([LONDON, LORD_HOWE]))
def test_what_comes_next_has_this_as_what_came_before(text: str, moment: datetime, zone: ZoneInfo) -> None:
    cron = Cron(text, zone=zone)
    after, before = cron.next(moment), cron.previous(moment)
    assert before < moment < after
    assert cron.previous(after) <= moment
    assert cron.next(before) >= moment
    assert cron.previous(cron.next(before)) == before


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("30 2 * *", "has five fields"),
        ("", "has five fields"),
        ("@reboot", "has five fields"),
        ("60 2 * * *", "the minute goes from 0 to 59"),
        ("0 24 * * *", "the hour goes from 0 to 23"),
        ("0 0 0 * *", "the day of the month goes from 1 to 31"),
        ("0 0 * 13 *", "the month goes from 1 to 12, by number or by name"),
        ("0 0 * * mo", r"by name \(sun, mon, …\).*not 'mo'"),
        ("0 0 * * fri-mon", "not 'fri-mon'"),
        ("*/0 * * * *", r"not '\*/0'"),
        ("5, * * * *", "not '5,'"),
        ("² * * * *", "not '²'"),
        ("0 0 31 2,4 *", "a day that no month of it has"),
    ],
)
def test_what_is_no_cron_expression_is_refused(text: str, words: str) -> None:
    with pytest.raises(DeclarationError, match=words):
        Cron(text)
