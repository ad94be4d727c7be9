"""When a rule would have fired: the same judge and the same states, over what is kept of the past."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from time import perf_counter
from typing import Final

from .. import clock
from ..exceptions import DeclarationError, OverrideError
from ..queries.rules import with_override
from ..specs import Measure, RuleSpec
from ..store.rules import NUMBERS
from .history import HOUR, MINUTE, HistorySight, cells
from .rerun import Firing, Point, Rerun, TooLongError
from .sight import SETTLE

DAY: Final = 86400
#: How many times as high, or as low, the limit is that is tried besides.
FACTORS: Final = (0.5, 0.75, 1.5, 2.0)
#: Points of the chart at most.
POINTS: Final = 500
#: Seconds between two looks of kinds that are dear to judge; they change slowly.
PACES: Final[Mapping[str, float]] = {"dip": 1800.0, "trend": 300.0, "burn_rate": 300.0}

_MAIN = {
    "threshold": ("at_least", "at_most"),
    "ratio": ("above", "below"),
    "absence": ("window",),
    "heartbeat": ("grace",),
    "burn_rate": ("objective",),
    "out_of_sync": ("at_least",),
    "dip": ("once_in_days",),
    "trend": ("within",),
}
# Of these a higher one finds more wrong, of the others a lower one.
_MORE_IF_HIGHER = frozenset({"at_most", "below", "within"})
# What is missing to one is what the limit is about.
_SHARES_THAT_LACK = frozenset({"burn_rate", "out_of_sync"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Alternative:
    """What another limit would have done: how often it fires, and for how many seconds."""

    factor: float
    value: float
    firings: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Backtest:
    """What a rule would have done from ``start`` to ``end``, in ``looks``.

    In ``silent`` of them it could say nothing, mostly for the reason ``why``. What is older than
    ``fine_from`` is known by the hour alone: there each hour is judged as a whole, so that a shorter window
    sees all of it, and what lasted minutes seems to have lasted an hour. ``main`` is the number that the
    alternatives change. ``first`` is when what it counts happened first, to the day, as far as is kept:
    before, nothing is known of it, or nothing happened. ``took`` is in seconds.
    """

    rule: RuleSpec
    start: datetime
    end: datetime
    fine_from: datetime
    every: float
    looks: int
    silent: int
    why: str
    firings: list[Firing]
    points: list[Point]
    main: str = ""
    alternatives: list[Alternative] = field(default_factory=list)
    first: datetime | None = None
    took: float = 0.0

    @property
    def begun(self) -> datetime | None:
        """When what it counts happened first, where that was after ``start``; ``end`` where it never did."""
        if self.rule.of.kind == "gauge":
            return None
        first = self.first or self.end
        return first if first > self.start else None

    @property
    def seconds(self) -> float:
        """For how long it would have fired in all."""
        return sum(firing.seconds for firing in self.firings)

    @property
    def coarse(self) -> bool:
        """Whether a part of the history is known by the hour alone."""
        return self.fine_from > self.start


def backtest(
    rule: RuleSpec,
    *,
    days: float = 28,
    now: datetime | None = None,
    every: float | None = None,
    numbers: Mapping[str, float] | None = None,
    alternatives: bool = True,
    within: float | None = None,
) -> Backtest:
    """Return when a rule would have fired in the last days, and with which limit how often.

    It is looked at ``every`` so many seconds; if left out each minute, dear kinds more rarely (``PACES``).
    ``numbers`` are tried in place of the rule's own. A few queries for each measure. After ``within`` seconds
    no further limit is tried. Raises ``OverrideError`` for numbers that the rule does not take,
    ``DeclarationError`` for what has no history, and of that ``TooLongError`` where the time was not even
    enough for the rule as it is.
    """
    began = perf_counter()
    for key, value in (numbers or {}).items():
        rule = with_override(rule, f"{NUMBERS}{key}", value)
    until = math.inf if within is None else began + within
    run = _prepared(rule, clock.epoch(clock.now() if now is None else now), days, every, until)
    run.run()
    found = _seen(run)
    tried = _alternatives(run, found.main) if alternatives and found.main else []
    return replace(found, alternatives=tried, took=perf_counter() - began)


def _prepared(rule: RuleSpec, at: float, days: float, every: float | None, until: float) -> Rerun:
    """Return a way through the history that is not gone yet; ``until`` is by the performance counter."""
    watched = _watched(rule)
    end = int(at - SETTLE) // MINUTE * MINUTE
    start = int(end - days * DAY) // HOUR * HOUR
    sight = HistorySight(cells(watched, start=start, end=end, before=_before(rule), now=at), rule=rule.name)
    pace = max(every or PACES.get(rule.kind, MINUTE), MINUTE)
    return Rerun(rule, sight, max(start, sight.cells.low), end, pace, until)


def _seen(run: Rerun) -> Backtest:
    """Return what came of a way through the history."""
    return Backtest(
        rule=run.rule,
        start=clock.moment(run.start),
        end=clock.moment(run.end),
        fine_from=clock.moment(max(run.sight.cells.fine, run.start)),
        every=run.pace,
        looks=run.looks,
        silent=sum(run.silent.values()),
        why=next((reason for reason, _ in run.silent.most_common(1)), ""),
        firings=run.firings,
        points=list(_thinned(run.points)),
        main=next((name for name in _MAIN.get(run.rule.kind, ()) if name in run.rule.numbers), ""),
        first=_first(run.rule, run.sight),
    )


def _first(rule: RuleSpec, sight: HistorySight) -> datetime | None:
    found = None if rule.of.kind == "gauge" else sight.first(rule.of)
    return None if found is None else clock.moment(found)


def _watched(rule: RuleSpec) -> list[Measure]:
    watched = [rule.of] if rule.per is None else [rule.of, rule.per]
    for measure in watched:
        if measure.kind == "health":
            raise DeclarationError(f"What {rule.name!r} watches is known of the present alone.")
    return watched


def _before(rule: RuleSpec) -> int:
    """Return how many seconds before a look its judge may look back, but for whole hours."""
    longest = max((rule.numbers.get(name, 0.0) for name in ("window", "within", "every")), default=0.0)
    return int(min(8 * DAY + 4 * longest, 60 * DAY))


def _alternatives(run: Rerun, main: str) -> list[Alternative]:
    """Return what other limits would have done, the strictest first.

    1. The strictest is judged at every look.
    2. Each of the others only where the next stricter one found something wrong; so is the rule's own, which
       has been judged already.
    """
    tried = {factor: rule for factor in FACTORS if (rule := _with_limit(run.rule, main, factor))}
    order = sorted([*tried, 1.0], reverse=main in _MORE_IF_HIGHER)
    found: list[Alternative] = []
    stricter: Rerun | None = None
    for factor in order:
        try:
            stricter = run if factor == 1.0 else run.again(tried[factor], stricter=stricter)
        except TooLongError:
            break
        if factor != 1.0:
            seconds = sum(firing.seconds for firing in stricter.firings)
            value = tried[factor].numbers[main]
            found.append(
                Alternative(factor=factor, value=value, firings=len(stricter.firings), seconds=seconds)
            )
    return found


def _with_limit(rule: RuleSpec, main: str, factor: float) -> RuleSpec | None:
    """Return a rule with another limit, ``None`` where it cannot have it."""
    value = rule.numbers[main] * factor
    if rule.kind in _SHARES_THAT_LACK:
        value = 1 - (1 - rule.numbers[main]) * factor
    try:
        other = with_override(rule, f"{NUMBERS}{main}", value)
    except OverrideError:
        return None
    return other if other.numbers[main] != rule.numbers[main] else None


def _thinned(points: list[Point]) -> Iterator[Point]:
    """Yield at most ``POINTS`` of them; of those that are close together one that was wrong, if any."""
    width = max(-(-len(points) // POINTS), 1)
    for begin in range(0, len(points), width):
        some = points[begin : begin + width]
        yield next((point for point in some if point.wrong), some[-1])
