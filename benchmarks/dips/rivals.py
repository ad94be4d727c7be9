"""What is compared: ``Dip``, a plain threshold, and a z-score against the same hours of the weeks before."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import lru_cache
from itertools import accumulate
from statistics import fmean, pstdev
from typing import Any, Protocol
from unittest import mock

from django_qaprod.alerts.judging import dip
from django_qaprod.alerts.statistics.weeks import usual
from django_qaprod.specs import Measure, RuleSpec

from .series import DAY, HOUR, STEP, WEEK, Series
from .sight import RecordedSight

MEASURE = Measure(kind="series", name="dips")
WINDOWS = (900, HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, DAY, 3 * DAY, 7 * DAY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a method says at a moment: the keys that are wrong."""

    at: int
    wrong: tuple[str, ...]


class Method(Protocol):
    """Says at each look from ``begin`` on what is wrong."""

    def __call__(self, series: Series, *, begin: int) -> Iterator[Told]: ...


class Hours:
    """Hours in which holidays are known."""

    def __init__(self, holidays: frozenset[int]) -> None:
        self._days = {datetime.fromtimestamp(at, UTC).date() for at in holidays}

    def __call__(self, moment: object) -> bool:
        return True

    def is_holiday(self, day: date) -> bool:
        return day in self._days


def rule(series: Series, *, once_in_days: float = 365.0) -> RuleSpec:
    """Return a dip as it is declared without options."""
    return RuleSpec(
        name="dip",
        kind="dip",
        of=MEASURE,
        numbers={"once_in_days": once_in_days, "weeks": 8.0},
        by="browser" if series.keys else "",
        hours=Hours(series.holidays) if series.tells_holidays else None,
    )


def by_dip(series: Series, *, begin: int, once_in_days: float = 365.0) -> Iterator[Told]:
    """Judge the rule at each look; what it alerted of is known to later ones."""
    spec, sight = rule(series, once_in_days=once_in_days), RecordedSight(series)
    remembered = _remembering(usual)
    firing: float | None = None
    for at in range(begin, series.end + 1, series.look_every):
        if series.tells_holidays and at // DAY * DAY in series.holidays:
            yield Told(at=at, wrong=())
            continue
        sight.now = float(at)
        if firing is not None:
            sight.fired[-1] = (firing, at)
        with mock.patch.object(dip, "usual", remembered):
            wrong = tuple(verdict.key for verdict in dip.judge(spec, sight).verdicts if verdict.wrong)
        if wrong and firing is None:
            firing = at
            sight.fired.append((at, at))
        elif not wrong and firing is not None:
            firing = None
        yield Told(at=at, wrong=wrong)


def _remembering(real: Any) -> Any:
    """Return the same, computed once for the same numbers, as they are within an hour: it costs most."""
    known = lru_cache(maxsize=16)(real)
    return lambda *numbers: known(*(tuple(one) for one in numbers))


class _Windows:
    """Counts of any window."""

    def __init__(self, series: Series) -> None:
        self._start = series.start
        self._sums = list(accumulate(series.counts, initial=0))

    def count(self, at: int, window: int) -> int:
        end = (at - self._start) // STEP
        return self._sums[end] - self._sums[max(end - window // STEP, 0)]


def by_threshold(series: Series, *, begin: int) -> Iterator[Told]:
    """Alert of so few within a window: by the keenest that was silent in the tuning."""
    windows = _Windows(series)
    tuning = range(series.start + series.learn, begin, series.look_every)
    best, window, limit = -1.0, WINDOWS[0], -1
    for one in WINDOWS:
        counts = [windows.count(at, one) for at in tuning]
        least, mean = min(counts) - 1, fmean(counts)
        # What reacts within a shorter time is preferred, as long as it sees an outage at all.
        if least >= 0 and least / mean > best and not best > 0.2:
            best, window, limit = least / mean, one, least
    for at in range(begin, series.end + 1, series.look_every):
        yield Told(at=at, wrong=("",) if windows.count(at, window) <= limit else ())


def by_z_score(series: Series, *, begin: int) -> Iterator[Told]:
    """Alert where a window's count is so many deviations below its mean in the eight weeks before."""
    windows = _Windows(series)
    tuning = range(series.start + series.learn, begin, series.look_every)
    enough = [one for one in WINDOWS if series.per_day / DAY * one >= 10] or [WINDOWS[-1]]
    window = enough[0]

    def score(at: int) -> float:
        before = [windows.count(at - week * WEEK, window) for week in range(1, 9)]
        return (windows.count(at, window) - fmean(before)) / max(pstdev(before), 1.0)

    least = min(score(at) for at in tuning) - 1e-9
    for at in range(begin, series.end + 1, series.look_every):
        yield Told(at=at, wrong=("",) if score(at) < least else ())


METHODS: dict[str, Method] = {"Dip": by_dip, "threshold": by_threshold, "z-score": by_z_score}
