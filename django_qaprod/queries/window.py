"""Stretches of time that pages ask about."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

from django.utils import timezone

from .. import clock

MINUTE, HOUR, DAY = 60, 3600, 86400

#: Rows of the resolution that are younger than this are there still: retention keeps them longer by default.
MINUTES_KEPT = timedelta(days=2)
HOURS_KEPT = timedelta(days=60)

# The longest window, in seconds, that a chart shows in steps of so many: at most about 400 points.
_STEPS = ((6 * HOUR, MINUTE), (2 * DAY, 10 * MINUTE), (16 * DAY, HOUR))


@dataclass(frozen=True, slots=True)
class Window:
    """From ``start`` to before ``end``, both as ``clock.moment`` gives them."""

    start: datetime
    end: datetime

    @classmethod
    def last(cls, span: timedelta, *, now: datetime | None = None) -> Window:
        """Return the window of length ``span`` that ends now."""
        end = clock.now() if now is None else now
        return cls(end - span, end)

    @classmethod
    def today(cls, zone: tzinfo | None = None, *, now: datetime | None = None) -> Window:
        """Return the window from midnight to now, in ``zone`` or Django's current time zone."""
        end = clock.now() if now is None else now
        zone = zone or timezone.get_current_timezone()
        local = end.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
        return cls(clock.moment(local.timestamp()), end)

    @property
    def length(self) -> timedelta:
        """How long it is."""
        return self.end - self.start

    @property
    def before(self) -> Window:
        """The window of equal length right before this one."""
        return Window(self.start - self.length, self.start)

    @property
    def week_before(self) -> Window:
        """The same window a week earlier."""
        return Window(self.start - timedelta(days=7), self.end - timedelta(days=7))

    @property
    def step(self) -> int:
        """Seconds between the points of a chart; more for an old window, whose fine rows are gone."""
        step = next((step for length, step in _STEPS if self.length.total_seconds() <= length), DAY)
        age = clock.now() - self.start
        return max(step, DAY if age > HOURS_KEPT else HOUR if age > MINUTES_KEPT else MINUTE)

    def epochs(self, grain: int = MINUTE) -> tuple[int, int]:
        """Return start and end in seconds since the epoch, widened to whole ``grain`` seconds."""
        end = -int(-clock.epoch(self.end) // grain) * grain
        return int(clock.epoch(self.start) // grain) * grain, end
