"""A gauge that will reach a limit within a time, if it goes on as it does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from statistics import fmean, median
from typing import NamedTuple

from django.utils.translation import gettext as _

from ...specs import RuleSpec
from .. import phrases
from ..statistics.courses import DAYS as COURSE_DAYS
from ..statistics.courses import without_course
from ..statistics.slopes import Slope, slope
from ..statistics.turns import Hour, turning
from .base import Judgement, Sight, Verdict

_HOUR = 3600.0
_DAY = 86400.0
#: How far back it is looked, if the rule does not say.
_WINDOW = 6 * _HOUR
_POINTS = 72
_FEWEST = 12
#: If the rule gives no window its end is looked at by itself, too: what began an hour ago is no trend of six.
_LAST = (36, 18)
#: One in a thousand times chance looks like a trend as clear as that.
_SIGNIFICANT = 3.1
#: How much history there is.
_HISTORY = COURSE_DAYS * _DAY
#: A step back by that share of what was gained, and so many usual steps, is a fresh start.
_FALL = 0.3
_STEPS = 8.0


class _Pace(NamedTuple):
    """How it goes towards the limit, how much is left, and since when that was looked at."""

    found: Slope
    left: float
    since: float

    @property
    def is_clear(self) -> bool:
        """Whether there is a trend, and it goes towards the limit."""
        return self.found.deviations >= _SIGNIFICANT and self.found.slope > 0

    @property
    def latest(self) -> float:
        """Seconds until the limit at the slowest pace that is likely."""
        return _time(self.found.low, self.left) if self.is_clear else float("inf")


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
    past = sight.readings(rule.of, begin - _HISTORY, begin, step=_HOUR, by=rule.by)
    verdicts = []
    for key in near:
        known = _Known(_points(near[key], begin, step), _points(past.get(key, []), begin - _HISTORY, _HOUR))
        if known.points:
            verdicts.append(_verdict(key, rule, known, sight))
    if not verdicts:
        return Judgement(silent=_("It was not read in the last %(span)s.") % {"span": phrases.lately(window)})
    return Judgement(tuple(verdicts))


def _points(values: Sequence[float | None], begin: float, step: float) -> list[tuple[float, float]]:
    return [(begin + (at + 0.5) * step, value) for at, value in enumerate(values) if value is not None]


class _Course(NamedTuple):
    """Where it goes, in words, and whether that is wrong, and since when."""

    words: str
    wrong: bool = False
    since: float | None = None


def _verdict(key: str, rule: RuleSpec, known: _Known, sight: Sight) -> Verdict:
    limit = rule.numbers["reaches"]
    values = [value for at, value in known.points]
    level = median(values[-3:])
    # It comes from the side on which it has mostly been.
    side = -1.0 if median([value for at, value in known.history] + values) > limit else 1.0
    if side * (level - limit) >= 0:
        words = _("%(value)s now, which is beyond %(limit)s")
        words %= {"value": phrases.reading(level, rule.of), "limit": phrases.reading(limit, rule.of)}
        course = _Course(words, wrong=True, since=_crossed(known, side, limit))
    else:
        course = _course(rule, known, sight, side=side, level=level)
    return Verdict(key, wrong=course.wrong, value=level, words=course.words, limit=limit, since=course.since)


def _course(rule: RuleSpec, known: _Known, sight: Sight, *, side: float, level: float) -> _Course:
    """Say where it goes that has not come to the limit."""
    written = partial(phrases.reading, measure=rule.of)
    points, is_saw = _from_one_start(known.points, side)
    if len(points) < _FEWEST:
        return _Course(_("%(value)s now, for too short a time to see a trend") % {"value": written(level)})
    pace = _chosen(points, known, rule, sight.now, side=side, is_saw=is_saw)
    if not pace.is_clear:
        return _Course(_("%(value)s now, with no clear trend") % {"value": written(level)})
    words = _told(pace, written, side, rule.numbers["reaches"])
    if pace.latest > rule.numbers["within"]:
        return _Course(words)
    turned = _turned(rule, known, sight, side)
    if turned is None or _of_last_hour(points, side) > turned:
        return _Course(words, wrong=True, since=pace.since)
    turning = _("%(words)s, if it does not turn back before %(value)s as in the week before")
    return _Course(turning % {"words": words, "value": written(side * turned)})


def _chosen(
    points: list[tuple[float, float]], known: _Known, rule: RuleSpec, now: float, *, side: float, is_saw: bool
) -> _Pace:
    """Return the pace of the longest stretch that reaches the limit in time; that of all where none does."""
    if is_saw:
        return _of_tips(_pace(points, known.history, side, rule, now), points, side, now)
    stretches = [points]
    if "window" not in rule.numbers:
        stretches += [points[-most:] for most in _LAST if len(points) > most]
    paces = [_pace(stretch, known.history, side, rule, now) for stretch in stretches]
    return next((one for one in paces if one.latest <= rule.numbers["within"]), paces[0])


def _told(pace: _Pace, written: Callable[[float], str], side: float, limit: float) -> str:
    found = pace.found
    soonest, likely = _time(found.high, pace.left), _time(found.slope, pace.left)
    words = _("%(value)s now, %(pace)s an hour; reaches %(limit)s in about %(time)s")
    return words % {
        "value": written(side * found.level),
        "pace": f"{'+' if side > 0 else '−'}{written(_rounded(found.slope * _HOUR))}",
        "limit": written(limit),
        "time": _between(soonest, pace.latest, likely),
    }


def _pace(
    points: list[tuple[float, float]],
    history: list[tuple[float, float]],
    side: float,
    rule: RuleSpec,
    now: float,
) -> _Pace:
    """Return how it goes towards the limit in a stretch, the course of a day taken away."""
    limit, within = rule.numbers["reaches"], rule.numbers["within"]
    found = _towards(slope(points, end=now), side)
    if found.deviations >= _SIGNIFICANT and _time(found.low, side * limit - found.level) <= within:
        # The course of a day is no trend: what the days before did at these hours is taken away.
        found = _towards(slope(without_course(points, history, now), end=now), side)
    return _Pace(found, side * limit - found.level, points[0][0])


def _of_tips(pace: _Pace, points: list[tuple[float, float]], side: float, now: float) -> _Pace:
    """Return the pace with what is left to the tips, a tenth of the readings: they are at the limit first."""
    heights = sorted(side * value - pace.found.slope * (at - now) for at, value in points)
    tips = median(heights[-max(len(heights) // 10, 1) :])
    return pace._replace(left=pace.left - max(tips - pace.found.level, 0.0))


def _turned(rule: RuleSpec, known: _Known, sight: Sight, side: float) -> float | None:
    """Return up to where it may climb and turn back by itself, by the hours of the week before."""
    if not known.history:
        return None
    fired = sight.incidents(rule.name, known.history[0][0], sight.now)
    hours = [
        Hour(side * value, any(began < at + _HOUR and at - _HOUR < over for began, over in fired))
        for at, value in known.history
    ]
    return turning(hours, limit=side * rule.numbers["reaches"])


def _of_last_hour(points: list[tuple[float, float]], side: float) -> float:
    """Return the mean of the last hour, as that is what is known of the week before."""
    return side * fmean(value for at, value in points if at > points[-1][0] - _HOUR)


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


def _from_one_start(points: list[tuple[float, float]], side: float) -> tuple[list[tuple[float, float]], bool]:
    """Return the points since the last fresh start; or all, where it is started all the time.

    What is goes up each time, and only what the whole of it does is a trend: whether it is so comes second.
    """
    since, starts = _since_fresh_start(points, side)
    if starts > 1:
        return points, True
    # Beside one great step, as from the limit, small ones do not count as such.
    return since, starts == 1 and _since_fresh_start(since, side)[1] > 1


def _since_fresh_start(
    points: list[tuple[float, float]], side: float
) -> tuple[list[tuple[float, float]], int]:
    """Return the points since the last great step back, and how many such steps there are.

    A process was started anew, a disk cleared, garbage collected.
    """
    values = [side * value for at, value in points]
    moves = [after - before for before, after in pairwise(values)]
    if not moves:
        return points, 0
    usual = median(abs(move - median(moves)) for move in moves)
    least = max(_FALL * (max(values) - min(values)), _STEPS * usual)
    starts = [at + 1 for at, move in enumerate(moves) if -move >= least and least > 0]
    return points[starts[-1] if starts else 0 :], len(starts)


def _rounded(value: float) -> float:
    return float(f"{value:.2g}")


def _between(soonest: float, latest: float, likely: float) -> str:
    """Return when it is likely, and the bounds where they say more than that."""
    said = {"time": _spoken(likely), "soonest": _spoken(soonest), "latest": _spoken(latest)}
    if latest > 20 * likely:
        return _("%(time)s (%(soonest)s or more)") % said
    if said["soonest"] == said["latest"]:
        return said["time"]
    unit = _unit(soonest)
    if unit is not None and unit == _unit(latest):
        return _("%(time)s (%(soonest)s–%(latest)s)") % {**said, "soonest": f"{soonest / unit[0]:.0f}"}
    return _("%(time)s (%(soonest)s to %(latest)s)") % said


def _unit(seconds: float) -> tuple[int, str] | None:
    """Return the largest unit of which it is two or more, ``None`` if there is none but seconds."""
    return next((unit for unit in phrases.UNITS[:-1] if seconds >= 1.95 * unit[0]), None)


def _spoken(seconds: float) -> str:
    """Return a length of time to its largest unit, as nobody knows it any better."""
    unit = _unit(seconds)
    return _(unit[1]) % {"count": f"{seconds / unit[0]:.0f}"} if unit else phrases.span(seconds)
