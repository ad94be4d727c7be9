"""The hour of the week by the clock on the wall."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from django_qaprod.alerts.statistics.slots import slots


@pytest.mark.parametrize("zone", ["UTC", "Europe/London", "America/New_York", "Asia/Tokyo"])
def test_it_is_what_the_clock_shows(zone: str) -> None:
    """Through both changes of a year."""
    start = datetime(2025, 1, 1, tzinfo=UTC)
    found = slots(int(start.timestamp()), 366 * 24, ZoneInfo(zone))
    for at in range(0, len(found), 7):
        local = (start + timedelta(hours=at)).astimezone(ZoneInfo(zone))
        assert found[at] == (local.weekday() - 3) % 7 * 24 + local.hour


def test_half_an_hour_from_utc_the_hours_of_utc_are_told_apart() -> None:
    """Each of a week is another, though none begins with the clock's."""
    assert sorted(slots(1_741_176_000, 168, ZoneInfo("Asia/Kolkata"))) == list(range(168))
