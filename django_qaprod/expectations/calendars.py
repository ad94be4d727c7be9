"""When somebody is at work: weekdays, hours of the day, a zone and holidays."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date, datetime, time, tzinfo
from functools import cached_property
from importlib.util import find_spec
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.utils import timezone

from ..exceptions import DeclarationError

IsHoliday = Callable[[date], bool]


class Calendar:
    """The hours of a week in which somebody is at work.

    ``days`` are weekdays, of which Monday is 0; ``zone`` is Django's own if it is left out. ``holidays`` is
    a country's code, perhaps with a subdivision (``"GB-ENG"``), looked up in the library ``holidays``; or a
    function that is given a date.

    Raises ``DeclarationError`` for what is no calendar.
    """

    def __init__(
        self,
        *,
        days: Iterable[int] = range(5),
        begin: time = time(9),
        end: time = time(17),
        zone: str = "",
        holidays: str | IsHoliday = "",
    ) -> None:
        self.begin, self.end, self.holidays = begin, end, holidays
        self.days = frozenset(days)
        kind = type(self).__name__
        if not self.days or not self.days <= set(range(7)):
            raise DeclarationError(f"{kind}(days=…) are weekdays from 0, which is Monday, to 6.")
        if any(not isinstance(one, time) for one in (begin, end)):
            raise DeclarationError(
                f"{kind}(begin=…, end=…) are times, as begin=time(8), not {begin!r}, {end!r}."
            )
        if begin == end:
            raise DeclarationError(f"{kind}(begin=…, end=…): it does not end when it begins.")
        try:
            self._zone = ZoneInfo(zone) if zone else None
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise DeclarationError(f'{kind}(zone="Europe/Paris") names a zone, not {zone!r}.') from error
        if isinstance(holidays, str) and holidays and find_spec("holidays") is None:
            raise DeclarationError(
                f'{kind}(holidays="…") needs a library: pip install "django-qaprod[calendars]".'
            )

    def unknown(self) -> str:
        """Return why the holidays are not known, in words; empty if they are. Loads the library."""
        if callable(self.holidays) or not self.holidays:
            return ""
        try:
            self.is_holiday(date(2025, 1, 1))
        except (NotImplementedError, ImportError) as error:
            return str(error)
        return ""

    @property
    def zone(self) -> tzinfo:
        """The zone whose clock is meant."""
        return self._zone or timezone.get_default_timezone()

    def local(self, moment: datetime) -> datetime:
        """Return a moment in the zone. One without a zone is in Django's own: ``USE_TZ`` is off."""
        own = timezone.get_default_timezone()
        return (moment if moment.tzinfo else moment.replace(tzinfo=own)).astimezone(self.zone)

    def is_worked(self, day: date) -> bool:
        """Whether somebody is at work on a day."""
        return day.weekday() in self.days and not self.is_holiday(day)

    def is_off(self, day: date) -> bool:
        """Whether a day is a holiday: what can be handed on without loading the library yet."""
        return self.is_holiday(day)

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
