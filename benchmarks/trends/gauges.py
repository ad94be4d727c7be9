"""Gauges whose limit is 100, and when they reach it: generated, by five minutes."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

STEP = 300
HOUR = 3600
DAY = 86_400
WEEK = 7 * DAY
#: A Monday, at midnight UTC.
MONDAY = 1_704_067_200
LIMIT = 100.0
#: What is told so soon is not looked at: a week has to be known first.
LEARN = 8 * DAY


@dataclass(frozen=True, slots=True, kw_only=True)
class Filling:
    """It climbs from ``start`` on, and reaches the limit at ``end``; then somebody makes it begin anew."""

    start: int
    end: int


@dataclass(slots=True, kw_only=True)
class Gauge:
    """Readings every five minutes from ``MONDAY`` on, and the fillings among them."""

    name: str
    within: int
    values: list[float] = field(default_factory=list)
    fillings: list[Filling] = field(default_factory=list)

    @property
    def now(self) -> int:
        """The moment at which the next reading is made."""
        return MONDAY + len(self.values) * STEP

    @property
    def hour(self) -> float:
        """The hour of the day."""
        return self.now % DAY / HOUR

    def read(self, value: float) -> None:
        """Note a reading: nothing is below zero."""
        self.values.append(max(value, 0.0))


Course = Callable[[Gauge, random.Random, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """How a gauge goes, and how long before it is full somebody wants to know."""

    name: str
    course: Course
    within: int = 12 * HOUR


def generate(shape: Shape, seed: int, *, weeks: int) -> Gauge:
    """Return the gauge of a shape, some weeks after what is learnt from; the same for the same seed."""
    gauge = Gauge(name=shape.name, within=shape.within)
    end = MONDAY + LEARN + weeks * WEEK
    shape.course(gauge, random.Random(f"{shape.name} {seed}"), end)
    del gauge.values[(end - MONDAY) // STEP :]
    gauge.fillings = [one for one in gauge.fillings if MONDAY + LEARN <= one.end < end]
    return gauge


def _calm(gauge: Gauge, rng: random.Random, end: int, *, days: tuple[float, float], swing: float) -> None:
    """Let it stay where it is for some days, with the course of a day."""
    over = min(gauge.now + rng.uniform(*days) * DAY, end)
    while gauge.now < over:
        gauge.read(40 + _of_day(gauge, swing) + rng.gauss(0, 1.5))


def _of_day(gauge: Gauge, swing: float) -> float:
    return swing * math.sin(2 * math.pi * (gauge.hour - 9) / 24)


def _leaks(*, hours: tuple[float, float], swing: float = 0.0) -> Course:
    """Leaks that take so many hours from 40 to the limit, after some calm days each."""

    def course(gauge: Gauge, rng: random.Random, end: int) -> None:
        while gauge.now < end:
            _calm(gauge, rng, end, days=(2, 6), swing=swing)
            begin, pace = gauge.now, 60 / rng.uniform(*hours) / HOUR
            value = 0.0
            while value < LIMIT and gauge.now < end:
                value = 40 + pace * (gauge.now - begin) + _of_day(gauge, swing)
                gauge.read(min(value + rng.gauss(0, 1.5), LIMIT + 1))
            gauge.fillings.append(Filling(start=begin, end=gauge.now))

    return course


def _disk(gauge: Gauge, rng: random.Random, end: int) -> None:
    """It fills by day, is cleared of half of that at night, and is full after some weeks."""
    value, begin = 45.0, gauge.now
    while gauge.now < end:
        value += max(rng.gauss(5.0, 1.0), 0) / 288 * (1 + math.sin(2 * math.pi * (gauge.hour - 9) / 24))
        if gauge.now % DAY == 3 * HOUR:
            value -= rng.gauss(2.5, 0.5)
        gauge.read(value + rng.gauss(0, 0.05))
        if value >= LIMIT:
            gauge.fillings.append(Filling(start=begin, end=gauge.now))
            value, begin = 45.0, gauge.now


def _saw(gauge: Gauge, rng: random.Random, end: int) -> None:
    """Memory in use climbs from 30 to 70 and is collected, every one to four hours."""
    while gauge.now < end:
        low, high, steps = rng.gauss(30, 2), rng.gauss(70, 4), rng.randint(12, 48)
        for step in range(steps):
            gauge.read(low + (high - low) * step / steps + rng.gauss(0, 1))


def _saw_that_leaks(gauge: Gauge, rng: random.Random, end: int) -> None:
    """What is left after each collection is more and more."""
    while gauge.now < end:
        for _ in range(rng.randint(20, 50)):
            _tooth(gauge, rng, rng.gauss(30, 2))
        begin, left, pace = gauge.now, 30.0, rng.uniform(1, 3)
        while left + 20 < LIMIT and gauge.now < end:
            before = gauge.now
            _tooth(gauge, rng, left)
            left += pace * (gauge.now - before) / HOUR
        gauge.fillings.append(Filling(start=begin, end=gauge.now))


def _tooth(gauge: Gauge, rng: random.Random, low: float) -> None:
    steps = rng.randint(6, 18)
    for step in range(steps):
        gauge.read(min(low + 20 * step / steps + rng.gauss(0, 1), LIMIT + 1))


def _warms_up(gauge: Gauge, rng: random.Random, end: int) -> None:
    """After each restart, one to three days apart, memory climbs from 25 to 70 and stays there."""
    while gauge.now < end:
        begin, over = gauge.now, gauge.now + rng.uniform(1, 3) * DAY
        while gauge.now < min(over, end):
            gauge.read(70 - 45 * math.exp(-(gauge.now - begin) / (3 * HOUR)) + rng.gauss(0, 1))


def _restarts(gauge: Gauge, rng: random.Random, end: int) -> None:
    """A slow leak that would be full after two weeks; it is started anew each week before."""
    while gauge.now < end:
        begin, over = gauge.now, gauge.now + rng.uniform(6, 8) * DAY
        while gauge.now < min(over, end):
            gauge.read(30 + 5 * (gauge.now - begin) / DAY + rng.gauss(0, 1))


def _daily(gauge: Gauge, rng: random.Random, end: int) -> None:
    """By day from 20 to 80 and back, more on some days than on others."""
    while gauge.now < end:
        of_day = rng.gauss(1, 0.1)
        for _ in range(288):
            gauge.read(50 + of_day * _of_day(gauge, 30) + rng.gauss(0, 1.5))


def _steps(gauge: Gauge, rng: random.Random, end: int) -> None:
    """From one level to another at once, about once a day."""
    while gauge.now < end:
        level, over = rng.uniform(20, 80), gauge.now + rng.expovariate(1) * DAY
        while gauge.now < min(over, end):
            gauge.read(level + rng.gauss(0, 2))


def _queue(gauge: Gauge, rng: random.Random, end: int) -> None:
    """Empty, but twice a day or so a heap comes in within an hour or three and is worked off."""
    while gauge.now < end:
        calm = rng.expovariate(2) * DAY
        over = gauge.now + calm
        while gauge.now < min(over, end):
            gauge.read(abs(rng.gauss(0, 1)))
        top, up, down = rng.uniform(20, 75), rng.randint(12, 36), rng.randint(12, 36)
        for step in range(up):
            gauge.read(top * step / up + rng.gauss(0, 1))
        for step in range(down):
            gauge.read(top * (1 - step / down) + rng.gauss(0, 1))


def _wanders(gauge: Gauge, rng: random.Random, end: int) -> None:
    """Each value follows from the one before (its deviation is 7 and it forgets within some hours)."""
    value = 0.0
    while gauge.now < end:
        value = 0.98 * value + rng.gauss(0, 1.4)
        gauge.read(60 + value)


SHAPES = (
    Shape(name="leaks, full after 10 to 40 hours", course=_leaks(hours=(10, 40))),
    Shape(name="leaks, full after 2 to 6 hours", course=_leaks(hours=(2, 6))),
    Shape(name="leaks, and goes up and down by day", course=_leaks(hours=(10, 40), swing=12)),
    Shape(name="a disk that fills within weeks", course=_disk, within=DAY),
    Shape(name="collected garbage, and leaks", course=_saw_that_leaks),
    Shape(name="collected garbage", course=_saw),
    Shape(name="warms up after restarts", course=_warms_up),
    Shape(name="leaks slowly, restarted each week", course=_restarts),
    Shape(name="up and down by day", course=_daily),
    Shape(name="steps", course=_steps),
    Shape(name="a queue with heaps", course=_queue),
    Shape(name="wanders", course=_wanders),
)


def looks(gauge: Gauge, *, every: int) -> Iterator[int]:
    """Yield the moments at which it is looked."""
    return iter(range(MONDAY + HOUR, gauge.now + 1, every))
