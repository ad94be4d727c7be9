"""Series of counts whose faults are known: generated ones, by five minutes."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

STEP = 300
HOUR = 3600
DAY = 86_400
WEEK = 7 * DAY
#: A Monday, at midnight UTC.
MONDAY = 1_704_067_200


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What was done to a series: ``left`` of it came through between two moments, of ``key`` or of all.

    ``lost`` is how many events it cost.
    """

    start: int
    end: int
    left: float
    key: str = ""
    lost: float = 0.0

    @property
    def name(self) -> str:
        return "outage" if self.left == 0 else f"−{1 - self.left:.0%}"


@dataclass(slots=True, kw_only=True)
class Series:
    """Counts of five minutes each, from ``start`` on; of keys, if it has any.

    The first ``learn`` seconds are only learnt from, the next ``tune`` have no faults: to tune rivals.
    """

    name: str
    start: int
    counts: list[int]
    keys: dict[str, list[int]] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    deploys: list[int] = field(default_factory=list)
    #: Stretches out of the ordinary: to tell of them is neither right nor wrong.
    strange: list[tuple[int, int]] = field(default_factory=list)
    holidays: frozenset[int] = frozenset()
    learn: int = 9 * WEEK
    tune: int = 4 * WEEK
    look_every: int = 900
    tells_holidays: bool = False
    tells_deploys: bool = False

    @property
    def end(self) -> int:
        return self.start + len(self.counts) * STEP

    @property
    def per_day(self) -> float:
        return sum(self.counts) / (len(self.counts) * STEP) * DAY


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """How a generated series goes. ``rate`` is what there is in an hour on average.

    ``days`` and ``hours`` are by how much days and hours vary beyond chance (as a share of the rate);
    ``bursts`` how many come at once on average.
    """

    name: str
    rate: float
    weeks: int = 8
    flat: bool = False
    growth: float = 0.0
    days: float = 0.0
    hours: float = 0.0
    bursts: float = 1.0
    holidays: bool = False
    tells_holidays: bool = False
    incidents: bool = False
    browsers: bool = False
    deploys: bool = False
    fault_hours: float = 4.0
    every_hours: float = 48.0
    look_hours: float = 0.25


#: By day and week as a site of work has it: little in the night, most in the morning and after noon.
_HOURS = (5, 3, 2, 2, 2, 4, 9, 25, 60, 100, 115, 110, 85, 95, 110, 105, 90, 70, 55, 50, 48, 40, 25, 12)
_DAYS = (1.15, 1.2, 1.15, 1.1, 1.0, 0.6, 0.8)
BROWSERS = {"chrome": 0.52, "safari": 0.28, "firefox": 0.14, "edge": 0.06}

SHAPES = (
    Shape(
        name="flat, 2 a day",
        rate=2 / 24,
        flat=True,
        weeks=78,
        fault_hours=216,
        every_hours=1344,
        look_hours=2,
    ),
    Shape(
        name="day and week, 10 a day",
        rate=10 / 24,
        weeks=60,
        fault_hours=48,
        every_hours=504,
        look_hours=1,
    ),
    Shape(name="day and week, 3 an hour", rate=3, weeks=16, fault_hours=12, every_hours=72, look_hours=0.5),
    Shape(name="day and week, 14 an hour", rate=14),
    Shape(name="growing 6% a week, 14 an hour", rate=14, growth=0.06),
    Shape(name="bursts, 14 an hour", rate=14, bursts=3, hours=0.2, days=0.1),
    Shape(name="holidays, not told, 30 an hour", rate=30, holidays=True),
    Shape(name="holidays, told, 30 an hour", rate=30, holidays=True, tells_holidays=True),
    Shape(name="incidents before, 30 an hour", rate=30, incidents=True),
    Shape(name="days vary by 15%, 100 an hour", rate=100, days=0.15, hours=0.05),
    Shape(name="day and week, 1,000 an hour", rate=1000, days=0.05, hours=0.05),
    Shape(name="day and week, 10,000 an hour", rate=10_000, days=0.05, hours=0.05),
    Shape(name="one browser breaks, 60 an hour", rate=60, browsers=True),
    Shape(name="after a deploy, 14 an hour", rate=14, deploys=True),
)  # fmt: skip


def generate(shape: Shape, seed: int) -> Series:
    """Return a series of the shape; the same for the same seed."""
    rng = random.Random(f"{shape.name} {seed}")
    weeks = 13 + shape.weeks
    start = MONDAY
    off = frozenset(
        start + day * DAY
        for day in range(weeks * 7)
        if shape.holidays and day % 7 < 5 and rng.random() < 0.03
    )
    faults = list(_faults(shape, start + 13 * WEEK, start + weeks * WEEK, rng))
    broken = faults + list(_incidents(shape, start, rng))
    keys = BROWSERS if shape.browsers else {"": 1.0}
    lost = [0.0] * len(broken)
    rows: dict[str, list[int]] = {key: [] for key in keys}
    for hour in range(weeks * 168):
        at = start + hour * HOUR
        if hour % 24 == 0:
            of_day = _vary(rng, shape.days)
        usual = shape.rate * _course(shape, at, start, off) * of_day * _vary(rng, shape.hours) / 12
        for step in range(12):
            moment = at + step * STEP
            for key, share in keys.items():
                mean = usual * share
                for place, fault in enumerate(broken):
                    if fault.start <= moment < fault.end and fault.key in ("", key):
                        lost[place] += mean * (1 - fault.left)
                        mean *= fault.left
                rows[key].append(clustered(rng, mean, shape.bursts))
    return Series(
        name=shape.name,
        start=start,
        counts=[sum(values) for values in zip(*rows.values(), strict=True)],
        keys=rows if shape.browsers else {},
        faults=[replace(fault, lost=lost[place]) for place, fault in enumerate(faults)],
        deploys=[fault.start for fault in faults] if shape.deploys else [],
        holidays=off,
        look_every=int(shape.look_hours * HOUR),
        tells_holidays=shape.tells_holidays,
    )


def inject(series: Series, *, seed: int, fault_hours: float = 4.0, every_hours: float = 48.0) -> Series:
    """Return a series with faults put into what follows the part for tuning, by leaving events out."""
    rng = random.Random(f"{series.name} {seed}")
    shape = Shape(name=series.name, rate=1, fault_hours=fault_hours, every_hours=every_hours)
    faults = list(_faults(shape, series.start + series.learn + series.tune, series.end, rng))
    counts = list(series.counts)
    for number, fault in enumerate(faults):
        begin, end = ((at - series.start) // STEP for at in (fault.start, fault.end))
        before = sum(counts[begin:end])
        counts[begin:end] = [thinned(rng, count, fault.left) for count in counts[begin:end]]
        faults[number] = replace(fault, lost=float(before - sum(counts[begin:end])))
    series.counts, series.faults = counts, faults
    return series


def _course(shape: Shape, at: int, start: int, off: frozenset[int]) -> float:
    grown = (1 + shape.growth) ** ((at - start) / WEEK - 20) if shape.growth else 1.0
    if shape.flat:
        return grown
    day, hour = (at - start) // DAY, (at % DAY) // HOUR
    of_day = 0.25 if start + day * DAY in off else _DAYS[day % 7]
    return grown * of_day * _HOURS[hour] / (sum(_HOURS) / 24)


def _faults(shape: Shape, start: int, end: int, rng: random.Random) -> Iterator[Fault]:
    """Faults of all sizes, by day and by night, so far apart that each can be forgotten before the next."""
    kinds: tuple[float, ...] = (0.0, 0.5, 0.0, 0.8) if not (shape.browsers or shape.deploys) else (0.0,)
    at, number = start + DAY, 0
    while at + shape.fault_hours * HOUR < end - DAY:
        begin = int(at + rng.random() * 24 * HOUR) // STEP * STEP
        key = "safari" if shape.browsers else ""
        yield Fault(
            start=begin, end=begin + int(shape.fault_hours * HOUR), left=kinds[number % len(kinds)], key=key
        )
        at += int(shape.every_hours * HOUR)
        number += 1


def _incidents(shape: Shape, start: int, rng: random.Random) -> Iterator[Fault]:
    """Outages of the time before, of which nobody is told."""
    if shape.incidents:
        for week in range(13):
            begin = start + week * WEEK + rng.randrange(5) * DAY + rng.randrange(8, 14) * HOUR
            yield Fault(start=begin, end=begin + rng.randrange(1, 6) * HOUR, left=0.0)


def _vary(rng: random.Random, share: float) -> float:
    return rng.gammavariate(1 / share**2, share**2) if share else 1.0


def clustered(rng: random.Random, mean: float, size: float) -> int:
    """Return a count of what comes alone, or in bursts of a geometric number."""
    if size <= 1:
        return poisson(rng, mean)
    number = poisson(rng, mean / size)
    return number + sum(int(math.log(1 - rng.random()) / math.log(1 - 1 / size)) for _ in range(number))


def poisson(rng: random.Random, mean: float) -> int:
    """Return a Poisson count; of a large mean, the normal one that is nearest."""
    if mean > 50:
        return max(round(rng.gauss(mean, math.sqrt(mean))), 0)
    left, number = math.exp(-mean), 0
    product = rng.random()
    while product > left:
        product *= rng.random()
        number += 1
    return number


def thinned(rng: random.Random, count: int, left: float) -> int:
    """Return how many of ``count`` come through."""
    if left <= 0 or not count:
        return 0
    if count > 200:
        return max(round(rng.gauss(count * left, math.sqrt(count * left * (1 - left)))), 0)
    return sum(rng.random() < left for _ in range(count))
