"""The course of a day, taken away from a gauge."""

from __future__ import annotations

from statistics import median

_HOUR = 3600.0
_DAY = 86400.0
#: Days by which a course is known.
DAYS = 7
_FEWEST_DAYS = 3


def without_course(
    points: list[tuple[float, float]], history: list[tuple[float, float]], now: float
) -> list[tuple[float, float]]:
    """Return the points less what is the course of a day: how the days before moved at these hours.

    What a day gained on the whole is not its course: a leak goes on.
    """
    whole = history + points
    courses = []
    for days in range(1, DAYS + 1):
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
