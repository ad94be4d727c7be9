"""Time in which somebody is at work."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date, datetime, time, timedelta
from functools import cached_property
from importlib.util import find_spec
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.utils import timezone

from ..exceptions import DeclarationError

IsHoliday = Callable[[date], bool]

#: Days after which a calendar that never opens is taken for a mistake.
_FURTHEST = 400


class WorkingTime:
    """So much time within working hours.

    ``days`` are weekdays, of which Monday is 0; ``zone`` is Django's own if it is left out. ``holidays`` is
    a country's code, perhaps with a subdivision (``"GB-ENG"``), looked up in the library ``holidays``; or a
    function that is given a date.

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
        self.length, self.begin, self.end, self.holidays = length, begin, end, holidays
        self.days = frozenset(days)
        _refuse(self, length)
        try:
            self._zone = ZoneInfo(zone) if zone else None
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise DeclarationError(f'WorkingTime(zone="Europe/Paris") names a zone, not {zone!r}.') from error
        if isinstance(holidays, str) and holidays and find_spec("holidays") is None:
            raise DeclarationError(
                'WorkingTime(holidays="…") needs a library: pip install "django-qaprod[calendars]".'
            )

    def due(self, start: datetime) -> datetime:
        """Return when so much working time has passed since ``start``."""
        own = timezone.get_default_timezone()
        zone = self._zone or own
        # Where ``USE_TZ`` is off, times are Django's own zone's and do not say so.
        local = (start if start.tzinfo else start.replace(tzinfo=own)).astimezone(zone)
        left, day = self.length, local.date()
        for _ in range(_FURTHEST):
            opens, closes = self._hours(day, zone)
            begins = max(opens, local)
            # Zones apart: an hour that the clock repeats or leaves out is not worked twice.
            there = closes.timestamp() - begins.timestamp()
            if self._is_worked(day) and there > 0:
                if left.total_seconds() <= there:
                    due = datetime.fromtimestamp(begins.timestamp() + left.total_seconds(), zone)
                    return (
                        due.astimezone(start.tzinfo)
                        if start.tzinfo
                        else due.astimezone(own).replace(tzinfo=None)
                    )
                left -= timedelta(seconds=there)
            day += timedelta(days=1)
        # Holidays without end are a mistake; somebody is to hear of it.
        return start + timedelta(days=_FURTHEST)

    def _hours(self, day: date, zone: Any) -> tuple[datetime, datetime]:
        return datetime.combine(day, self.begin, zone), datetime.combine(day, self.end, zone)

    def _is_worked(self, day: date) -> bool:
        return day.weekday() in self.days and not self.is_holiday(day)

    @cached_property
    def is_holiday(self) -> IsHoliday:
        """Whether nobody is at work on a day, whatever weekday it is."""
        if callable(self.holidays):
            return self.holidays
        if not self.holidays:
            return lambda day: False
        # By the worker alone: it takes a tenth of a second.
        import holidays

        country, _, part = self.holidays.partition("-")
        known = holidays.country_holidays(country, subdiv=part or None)
        return lambda day: day in known


def _refuse(made: WorkingTime, length: object) -> None:
    if not isinstance(length, timedelta) or length <= timedelta(0):
        raise DeclarationError(f"WorkingTime(timedelta(hours=4)) is a length above zero, not {length!r}.")
    if not made.days or not made.days <= set(range(7)):
        raise DeclarationError("WorkingTime(days=…) are weekdays from 0, which is Monday, to 6.")
    if not made.begin < made.end:
        raise DeclarationError("WorkingTime(begin=…, end=…): it begins before it ends, on the same day.")
