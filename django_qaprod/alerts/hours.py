"""The hours in which a rule is judged, or a route is open."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from ..exceptions import QAProdError
from ..expectations.calendars import Calendar

#: Says of a moment whether it is in hours that somebody chose.
Hours = Callable[[datetime], bool]


def go_on(hours: Hours | None, moment: datetime) -> bool:
    """Return whether hours go on; those of nobody always do.

    Raises what a function of the host's raises. That one exits the process is an error like any other: it
    would end the thread of the worker, and nobody would judge or tell any more.
    """
    try:
        return hours is None or bool(hours(moment))
    except SystemExit as error:
        raise QAProdError(f"The function of these hours exits: SystemExit({error}).") from error


class WorkingHours(Calendar):
    """Hours of the week, 9 to 17 from Monday to Friday if nothing is said. Says of a moment if it is in them.

    ``days``, ``zone`` and ``holidays`` are those of a ``WorkingTime``. What ends before it begins is a shift
    of the night, which belongs to the day on which it begins.

    Raises ``DeclarationError`` for what are no hours.
    """

    def __call__(self, moment: datetime) -> bool:
        local = self.local(moment)
        day, clock = local.date(), local.time()
        if self.begin < self.end:
            return self.begin <= clock < self.end and self.is_worked(day)
        if clock >= self.begin and self.is_worked(day):
            return True
        return clock < self.end and self.is_worked(day - timedelta(days=1))
