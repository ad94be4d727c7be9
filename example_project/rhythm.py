"""When people look for jobs, and with what: by the hour of the day, the day of the week, the browser.

Shared by the visitors, by the generated history, and by the simulated weeks.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from datetime import datetime
from zoneinfo import ZoneInfo

# As in the settings. The visitors know no Django.
ZONE = ZoneInfo("Europe/London")
HOUR = 3600
# On evenings and Sundays.
HOURS = (2, 1, 1, 1, 1, 2, 5, 9, 8, 7, 7, 8, 10, 9, 8, 10, 14, 16, 17, 20, 22, 18, 10, 5)
DAYS = (1.0, 1.0, 0.95, 0.9, 0.7, 0.6, 1.1)
BROWSERS = (("Chrome", 44), ("Safari", 28), ("Edge", 12), ("Firefox", 11), ("Samsung Internet", 5))

_MEAN_HOUR = sum(HOURS) / 24 * sum(DAYS) / 7


def share(moment: datetime) -> float:
    """Return how many come in the hour of a moment, on the site's clock, as a multiple of the mean hour."""
    return HOURS[moment.hour] * DAYS[moment.weekday()] / _MEAN_HOUR


def local(at: float) -> datetime:
    """Return a time on the site's clock."""
    return datetime.fromtimestamp(at, ZONE)


def arrivals(chance: random.Random, start: float, hours: float, mean: float) -> Iterator[float]:
    """Yield the times at which so many come on average within some hours, each on its own."""
    for _ in range(poisson(chance, mean)):
        yield start + chance.random() * hours * HOUR


def poisson(chance: random.Random, mean: float) -> int:
    """Return a number of things that happen on their own (Knuth's way, in pieces that ``exp`` can take)."""
    number, left = 0, mean
    while left > 0:
        piece = min(left, 100.0)
        left -= piece
        limit, product = math.exp(-piece), chance.random()
        while product > limit:
            number += 1
            product *= chance.random()
    return number


def browser(chance: random.Random) -> str:
    """Return somebody's browser."""
    return chance.choices([name for name, _ in BROWSERS], [part for _, part in BROWSERS])[0]
