"""A gauge that will reach a limit within a time, if it goes on as it does."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from statistics import median
from typing import NamedTuple

from ...registry import RuleSpec
from .. import phrases
from ..statistics.slopes import Slope, slope
from .base import Judgement, Sight, Verdict

_HOUR = 3600.0
_DAY = 86400.0
#: How far back it is looked, if the rule does not say.
_WINDOW = 6 * _HOUR
_POINTS = 72
_FEWEST = 12
#: One in a thousand times chance looks like a trend as clear as that.
_SIGNIFICANT = 3.1
#: Days by which a gauge's daily course is known.
_DAYS = 7
_FEWEST_DAYS = 3
#: A step back by that share of what was gained, and so many usual steps, is a fresh start.
_FALL = 0.3
_STEPS = 8.0


class _Known(NamedTuple):
    """A gauge's readings in the window, and its hourly means before, as times and values."""

    points: list[tuple[float, float]]
    history: list[tuple[float, float]]


def judge(rule: RuleSpec, sight: Sight, /) -> Judgement:
    """Say of each whether even the slowest pace that is likely takes it to the limit in time."""
    window = rule.numbers.get("window", _WINDOW)
    begin = sight.now - window
    step = window / _POINTS
    near = sight.readings(rule.of, begin, sight.now, step=step, by=rule.by)
    past = sight.readings(rule.of, begin - _DAYS * _DAY, begin, step=_HOUR, by=rule.by)
    verdicts = []
    for key in near:
        known = _Known(
            _points(near[key], begin, step), _points(past.get(key, []), begin - _DAYS * _DAY, _HOUR)
        )
        if known.points:
            verdicts.append(_verdict(key, rule, known, sight.now))
    if not verdicts:
        return Judgement(silent=f"It was not read in the last {phrases.span(window)}.")
    return Judgement(tuple(verdicts))


def _points(values: Sequence[float | None], begin: float, step: float) -> list[tuple[float, float]]:
    return [(begin + (at + 0.5) * step, value) for at, value in enumerate(values) if value is not None]


def _verdict(key: str, rule: RuleSpec, known: _Known, now: float) -> Verdict:
    limit, within = rule.numbers["reaches"], rule.numbers["within"]
    values = [value for _, value in known.points]
    level = median(values[-3:])
    # It comes from the side on which it has mostly been.
    side = -1.0 if median([value for _, value in known.history] + values) > limit else 1.0
    written = partial(phrases.reading, measure=rule.of)
    words = f"{written(level)} now"
    if side * (level - limit) >= 0:
        beyond = f"{words}, which is beyond {written(limit)}"
        return Verdict(key, True, level, beyond, limit=limit, since=_crossed(known, side, limit))
    points = _since_fresh_start(known.points, side)
    if len(points) < _FEWEST:
        return Verdict(key, False, level, f"{words}, for too short a time to see a trend", limit=limit)
    found = _towards(slope(points, end=now), side)
    if found.deviations >= _SIGNIFICANT and _time(found.low, side * limit - found.level) <= within:
        # The course of a day is no trend: what the days before did at these hours is taken away.
        found = _towards(slope(_without_course(points, known.history, now), end=now), side)
    if found.deviations < _SIGNIFICANT or found.slope <= 0:
        return Verdict(key, False, level, f"{words}, with no clear trend", limit=limit)
    left = side * limit - found.level
    words = f"{written(side * found.level)} now"
    soonest, likely, latest = (_time(pace, left) for pace in (found.high, found.slope, found.low))
    pace = f"{'+' if side > 0 else '−'}{written(_rounded(found.slope * _HOUR))} an hour"
    words = f"{words}, {pace}; reaches {written(limit)} in about {_spoken(likely)}"
    words += _between(soonest, latest, likely)
    wrong = latest <= within
    return Verdict(key, wrong, level, words, limit=limit, since=points[0][0] if wrong else None)


def _towards(found: Slope, side: float) -> Slope:
    """Return the slope as it looks when the limit lies above."""
    if side > 0:
        return found
    return Slope(-found.slope, -found.high, -found.low, -found.level, -found.deviations)


def _time(pace: float, left: float) -> float:
    return max(left, 0.0) / pace if pace > 0 else float("inf")


def _crossed(known: _Known, side: float, limit: float) -> float | None:
    """Return since when it is beyond the limit."""
    since = None
    for at, value in reversed(known.history + known.points):
        if side * (value - limit) < 0:
            break
        since = at
    return since


def _since_fresh_start(points: list[tuple[float, float]], side: float) -> list[tuple[float, float]]:
    """Return the points since the last great step back: a process was started anew, a disk cleared."""
    values = [side * value for _, value in points]
    moves = [after - before for before, after in pairwise(values)]
    if not moves:
        return points
    usual = median(abs(move - median(moves)) for move in moves)
    least = max(_FALL * (max(values) - min(values)), _STEPS * usual)
    last = max((at + 1 for at, move in enumerate(moves) if -move >= least and least > 0), default=0)
    return points[last:]


def _without_course(
    points: list[tuple[float, float]], history: list[tuple[float, float]], now: float
) -> list[tuple[float, float]]:
    """Return the points less what is the course of a day: how the days before moved at these hours.

    What a day gained on the whole is not its course: a leak goes on.
    """
    whole = history + points
    courses = []
    for days in range(1, _DAYS + 1):
        shift = days * _DAY
        ends = _at(whole, now - shift), _at(whole, now - shift + _DAY)
        there = [_at(whole, at - shift) for at, _ in points]
        if None in ends or None in there:
            continue
        gain = (ends[1] - ends[0]) / _DAY  # type: ignore[operator]
        courses.append(
            [
                value - ends[0] - gain * (at - now)  # type: ignore[operator]
                for (at, _), value in zip(points, there, strict=True)
            ]
        )
    if len(courses) < _FEWEST_DAYS:
        return points
    usual = [median(values) for values in zip(*courses, strict=True)]
    return [(at, value - moved) for (at, value), moved in zip(points, usual, strict=True)]


def _at(points: list[tuple[float, float]], moment: float) -> float | None:
    """Return the value at a moment, between the two that are nearest; ``None`` where these are hours away."""
    low, high = 0, len(points)
    while low < high:
        middle = (low + high) // 2
        if points[middle][0] < moment:
            low = middle + 1
        else:
            high = middle
    around = [points[at] for at in (low - 1, low) if 0 <= at < len(points)]
    near = [(at, value) for at, value in around if abs(at - moment) <= 2 * _HOUR]
    if not near:
        return None
    if len(near) == 1 or near[0][0] == near[1][0]:
        return near[0][1]
    (at, value), (after, later) = near
    return value + (later - value) * (moment - at) / (after - at)


def _rounded(value: float) -> float:
    return float(f"{value:.2g}")


def _between(soonest: float, latest: float, likely: float) -> str:
    if latest > 20 * likely:
        return f" ({_spoken(soonest)} or more)"
    first, _, unit = _spoken(soonest).partition(" ")
    second = _spoken(latest)
    if second == f"{first} {unit}":
        return ""
    return f" ({first}–{second})" if second.endswith(f" {unit}") else f" ({first} {unit} to {second})"


def _spoken(seconds: float) -> str:
    """Return a length of time to its largest unit, as nobody knows it any better."""
    for size, unit in ((_DAY, "d"), (_HOUR, "h"), (60.0, "min")):
        if seconds >= 1.95 * size:
            return f"{seconds / size:.0f} {unit}"
    return phrases.span(seconds)
