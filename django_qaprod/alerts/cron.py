"""Cron expressions: when a job should have run, and when it will.

They are read as Vixie's cron reads them (crontab(5)): five fields, and when both the day of the month and
the day of the week are restricted, either is enough. Where the clock is put forward, what falls into the hour
that is left out runs at its end; where it is put back, what has a fixed hour runs once.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import NamedTuple

from django.utils import timezone

from ..exceptions import DeclarationError

_MACROS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_LONGEST = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_PART = re.compile(r"(?:\*|(\w+)(?:-(\w+))?)(?:/(\d+))?")
_DAY, _MINUTE = timedelta(days=1), timedelta(minutes=1)
# More than an hour, and what clocks are put forward or back by.
_LONG = timedelta(hours=4)
# From one 29 February that is a Sunday to the next there are 28 years, and 40 around 2100.
_DAYS = 41 * 366


class _Field(NamedTuple):
    name: str
    least: int
    most: int
    names: tuple[str, ...] = ()


_FIELDS = (
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day of the month", 1, 31),
    _Field("month", 1, 12, _MONTHS),
    _Field("day of the week", 0, 7, _WEEKDAYS),
)


class Cron:
    """A cron expression, by the clock of a zone: Django's own if none is given.

    Raises ``DeclarationError`` for what is none, and for one that never comes.
    """

    def __init__(self, text: str, /, *, zone: tzinfo | None = None) -> None:
        self.text, self._zone = text, zone
        fields = _MACROS.get(text.strip().lower(), text).split()
        if len(fields) != len(_FIELDS):
            raise DeclarationError(
                f"The cron expression {text!r} has five fields (minute, hour, day of the month, month, day "
                f'of the week), as "30 2 * * mon-fri", or is one of {", ".join(_MACROS)}.'
            )
        values = [_values(text, said, field) for said, field in zip(fields, _FIELDS, strict=True)]
        self._minutes, self._hours, self._days, self._months = values[:4]
        self._weekdays = frozenset(value % 7 for value in values[4])
        _, hour, day, _, weekday = (said.startswith("*") for said in fields)
        self._any_hour, self._either = hour, not day and not weekday
        if not self._either and not any(min(self._days) <= _LONGEST[month - 1] for month in self._months):
            raise DeclarationError(f"The cron expression {text!r} names a day that no month of it has.")

    def __repr__(self) -> str:
        return f"<Cron {self.text!r}>"

    def previous(self, before: datetime) -> datetime:
        """Return the last time before a moment, in the zone; without one if the moment has none."""
        return self._found(before, -1)

    def next(self, after: datetime) -> datetime:
        """Return the first time behind a moment, in the zone; without one if the moment has none."""
        return self._found(after, 1)

    def _found(self, moment: datetime, way: int) -> datetime:
        own = timezone.get_default_timezone()
        zone = self._zone or own
        # Moments are compared as UTC: two of one zone would be compared by what the clock shows.
        start = (moment if moment.tzinfo else moment.replace(tzinfo=own)).astimezone(UTC)
        day = start.astimezone(zone).date()
        for _ in range(_DAYS):
            if self._has(day):
                for found in self._times(day, zone, way, start):
                    if (found - start) * way > timedelta(0):
                        there = found.astimezone(zone if moment.tzinfo else own)
                        return there if moment.tzinfo else there.replace(tzinfo=None)
            day += _DAY * way
        raise DeclarationError(f"The cron expression {self.text!r} never comes.")

    def _has(self, day: date) -> bool:
        if day.month not in self._months:
            return False
        month, week = day.day in self._days, day.isoweekday() % 7 in self._weekdays
        return month or week if self._either else month and week

    def _times(self, day: date, zone: tzinfo, way: int, start: datetime) -> Iterator[datetime]:
        """Yield the times of a day in UTC, in their order or from the last on, but for those long before."""
        for hour in sorted(self._hours, reverse=way < 0):
            if (start - datetime.combine(day, time(hour), zone)) * way > _LONG:
                continue
            found = {
                moment
                for minute in self._minutes
                for moment in self._moments(datetime.combine(day, time(hour, minute)), zone)
            }
            yield from sorted(found, reverse=way < 0)

    def _moments(self, shown: datetime, zone: tzinfo) -> list[datetime]:
        """Return in UTC when the clock shows this: mostly once."""
        first, second = (shown.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
        if first == second:
            return [first]
        if first < second:
            # The clock is put back.
            return [first, second] if self._any_hour else [first]
        # It is put forward. The hours that follow have what comes every so often.
        return [] if self._any_hour else [_change(second, first, zone)]


def _change(before: datetime, after: datetime, zone: tzinfo) -> datetime:
    """Return the first minute after ``before`` in which the zone's clock is that of ``after``."""
    offset = after.astimezone(zone).utcoffset()
    while before < after and before.astimezone(zone).utcoffset() != offset:
        before += _MINUTE
    return before


def _values(text: str, said: str, field: _Field) -> frozenset[int]:
    found: set[int] = set()
    for part in said.lower().split(","):
        matched = _PART.fullmatch(part)
        if matched is None:
            raise _wrong(text, said, field)
        begin, end, step = matched.groups()
        first = field.least if begin is None else _value(text, begin, said, field)
        # ``5/10`` goes on to the end, as ``5-59/10`` does.
        last = first if begin is not None and step is None else field.most
        last = last if end is None else _value(text, end, said, field)
        if end in field.names and not last:
            # Until Sunday, which is the first of them and the last.
            last = field.most
        if not first <= last or step == "0":
            raise _wrong(text, said, field)
        found.update(range(first, last + 1, int(step or 1)))
    return frozenset(found)


def _value(text: str, word: str, said: str, field: _Field) -> int:
    if word in field.names:
        return field.names.index(word) + field.least
    if word.isascii() and word.isdigit() and field.least <= int(word) <= field.most:
        return int(word)
    raise _wrong(text, said, field)


def _wrong(text: str, said: str, field: _Field) -> DeclarationError:
    names = f", by number or by name ({field.names[0]}, {field.names[1]}, …)" if field.names else ""
    return DeclarationError(
        f"The cron expression {text!r}: the {field.name} goes from {field.least} to {field.most}{names}; a "
        f"list 1,2, a range 1-5, a step */10 or *, not {said!r}."
    )
