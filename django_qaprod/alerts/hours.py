"""The hours in which a rule is judged, or a route is open."""

from __future__ import annotations

from datetime import datetime, timedelta

from ..expectations.calendars import Calendar


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
