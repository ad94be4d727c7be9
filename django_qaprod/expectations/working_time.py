"""Time in which somebody is at work."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, time, timedelta, tzinfo

from django.utils import timezone

from ..exceptions import DeclarationError
from .calendars import Calendar, IsHoliday

#: Days after which a calendar that never opens is taken for a mistake.
_FURTHEST = 400


class WorkingTime(Calendar):
    """So much time within working hours, which a ``Calendar`` explains.

    Raises ``DeclarationError`` for what is no working time.
    """

    def __init__(
        self,
        length: timedelta,
        /,
        *,
        days: Iterable[int] = range(5),
        begin: time = time(9),
        end: time = time(17),
        zone: str = "",
        holidays: str | IsHoliday = "",
    ) -> None:
        _refuse(length)
        super().__init__(days=days, begin=begin, end=end, zone=zone, holidays=holidays)
        if not begin < end:
            raise DeclarationError("WorkingTime(begin=…, end=…): it begins before it ends, on the same day.")
        self.length = length

    def due(self, start: datetime) -> datetime:
        """Return when so much working time has passed since ``start``."""
        zone, local = self.zone, self.local(start)
        left, day = self.length, local.date()
        for _ in range(_FURTHEST):
            opens, closes = self._hours(day, zone)
            begins = max(opens, local)
            # Zones apart: an hour that the clock repeats or leaves out is not worked twice.
            there = closes.timestamp() - begins.timestamp()
            if self.is_worked(day) and there > 0:
                if left.total_seconds() <= there:
                    due = datetime.fromtimestamp(begins.timestamp() + left.total_seconds(), zone)
                    if start.tzinfo:
                        return due.astimezone(start.tzinfo)
                    return due.astimezone(timezone.get_default_timezone()).replace(tzinfo=None)
                left -= timedelta(seconds=there)
            day += timedelta(days=1)
        # Holidays without end are a mistake; somebody is to hear of it.
        return start + timedelta(days=_FURTHEST)

    def _hours(self, day: date, zone: tzinfo) -> tuple[datetime, datetime]:
        return datetime.combine(day, self.begin, zone), datetime.combine(day, self.end, zone)


def _refuse(length: object) -> None:
    if not isinstance(length, timedelta) or length <= timedelta(0):
        raise DeclarationError(f"WorkingTime(timedelta(hours=4)) is a length above zero, not {length!r}.")
