"""When a rule would have fired: the same judge and the same states, over what is kept of the past."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from importlib import import_module
from time import perf_counter
from typing import Final

from .. import clock
from ..exceptions import DeclarationError, OverrideError
from ..queries.rules import with_override
from ..registry import Measure, RuleSpec
from ..store.rules import NUMBERS
from .history import HOUR, MINUTE, HistorySight, cells
from .judging.base import ALL, Judge, Judgement, Verdict
from .sight import SETTLE
from .states import GAP, NONE, Standing, kept_for, step

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


class TooLongError(DeclarationError):
    """It was not done in time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Firing:
    """A stretch in which it would have fired. ``ended`` is ``None`` for one that goes on."""

    key: str
    began: datetime
    fired: datetime
    ended: datetime | None
    seconds: float
    words: str
    usual: str = ""
    value: float | None = None
    limit: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """What a look saw of the whole, or of the worst key. ``value`` is what is compared with ``limit``."""

    at: datetime
    value: float | None
    limit: float | None
    wrong: bool


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
    watched = _watched(rule)
    at = clock.epoch(clock.now() if now is None else now)
    end = int(at - SETTLE) // MINUTE * MINUTE
    start = int(end - days * DAY) // HOUR * HOUR
    sight = HistorySight(cells(watched, start=start, end=end, before=_before(rule), now=at), rule=rule.name)
    pace = max(every or PACES.get(rule.kind, MINUTE), MINUTE)
    until = math.inf if within is None else began + within
    run = _Run(rule, sight, max(start, sight.cells.low), end, pace, until)
    run.run()
    main = next((name for name in _MAIN.get(rule.kind, ()) if name in rule.numbers), "")
    return Backtest(
        rule=rule,
        start=clock.moment(run.start),
        end=clock.moment(end),
        fine_from=clock.moment(max(sight.cells.fine, run.start)),
        every=pace,
        looks=run.looks,
        silent=sum(run.silent.values()),
        why=next((reason for reason, _ in run.silent.most_common(1)), ""),
        firings=run.firings,
        points=list(_thinned(run.points)),
        main=main,
        first=_first(rule, sight),
        alternatives=_alternatives(run, main) if alternatives and main else [],
        took=perf_counter() - began,
    )


def _first(rule: RuleSpec, sight: HistorySight) -> datetime | None:
    found = None if rule.of.kind == "gauge" else sight.first(rule.of)
    return None if found is None else clock.moment(found)


class _Run:
    """One way through the history."""

    def __init__(
        self, rule: RuleSpec, sight: HistorySight, start: int, end: int, pace: float, until: float
    ) -> None:
        self.rule, self.sight, self.start, self.end, self.pace = rule, sight, start, end, pace
        self._until = until
        self.looks = 0
        self.silent: Counter[str] = Counter()
        self.firings: list[Firing] = []
        self.points: list[Point] = []
        #: Of each look what a looser limit finds as well, ``None`` where something was wrong.
        self.same: list[Judgement | None] = []
        self._stricter: Sequence[Judgement | None] = ()
        self._standings: dict[str, Standing] = {}
        self._told: dict[str, Verdict] = {}
        self._judge: Judge = import_module(f"{__package__}.judging.{rule.kind}").judge

    def again(self, rule: RuleSpec, *, stricter: _Run | None = None) -> _Run:
        """Return another way through the same history.

        What was right by a ``stricter`` limit is right by this one, and not judged again.
        """
        self.sight.fired = []
        other = _Run(rule, self.sight, self.start, self.end, self.pace, self._until)
        other._stricter = stricter.same if stricter is not None else ()
        other.run()
        return other

    def run(self) -> None:
        """Go from look to look, then end what still fires."""
        previous = float(self.start)
        for at in self._moments():
            if perf_counter() > self._until:
                raise TooLongError("There is too much to look at for so little time.")
            # What is known by the hour did not come late: no part of the hour before is looked at again.
            coarse = self.sight.cells.grain(at - 1) > MINUTE
            self.sight.now, self.sight.previous = at, None if coarse else previous
            self.looks += 1
            judgement = self._look(at)
            if judgement.silent:
                self.silent[judgement.silent] += 1
                self.same.append(Judgement(silent="As by a stricter limit.", few=judgement.few))
                if judgement.few:
                    self._hold(judgement, previous, at)
            else:
                self._hold(judgement, previous, at)
                wrong = any(verdict.wrong for verdict in judgement.verdicts)
                self.same.append(None if wrong else judgement)
            previous = at
        for key, standing in self._standings.items():
            if standing.state == "firing":
                self._end(key, standing, None)

    def _moments(self) -> Iterator[float]:
        at = float(self.start)
        while True:
            at += max(self.pace, self.sight.cells.grain(at))
            if at > self.end:
                return
            yield at

    def _look(self, at: float) -> Judgement:
        if self._stricter and (same := self._stricter[self.looks - 1]) is not None:
            return same
        if self.rule.hours is not None and not self.rule.hours(clock.moment(at)):
            return Judgement(silent="Outside its hours.")
        return self._judge(self.rule, self.sight)

    def _hold(self, judgement: Judgement, previous: float, at: float) -> None:
        """Hold what a look saw since the one before it, as if there had been looks in between."""
        verdicts = {verdict.key: verdict for verdict in judgement.verdicts}
        if verdicts:
            worst = max(judgement.verdicts, key=lambda verdict: (verdict.wrong, not verdict.key))
            self.points.append(
                Point(at=clock.moment(at), value=worst.value, limit=worst.limit, wrong=worst.wrong)
            )
        moment = min(previous + GAP, at)
        while True:
            self._step(verdicts, moment)
            if moment >= at:
                return
            moment = min(moment + GAP, at)

    def _step(self, verdicts: Mapping[str, Verdict], at: float) -> None:
        for key in dict.fromkeys((*self._standings, *verdicts)):
            verdict = verdicts.get(key)
            # As in a look: what all of them do is told of all, and the alert of one goes on with it.
            wrong = verdict.wrong if verdict is not None else ALL in verdicts and verdicts[ALL].wrong
            before = self._standings.get(key, NONE)
            if before is NONE and not wrong:
                continue
            after = step(
                before, wrong, at,
                for_=self.rule.numbers.get("for", 0.0), keep=kept_for(self.rule, said=verdict is not None),
            )  # fmt: skip
            if after.state == "firing" and before.state != "firing" and verdict is not None:
                self._told[key] = verdict
            if after.state == "resolved":
                self._end(key, before, at)
            if after.state in {"", "resolved"}:
                self._standings.pop(key, None)
            else:
                self._standings[key] = after

    def _end(self, key: str, standing: Standing, at: float | None) -> None:
        told, until = self._told.pop(key), float(self.end) if at is None else at
        # The looks of now see for themselves what came late; those of a dip leave it out of what is usual.
        self.sight.fired.append((standing.fired, until))
        self.firings.append(
            Firing(
                key=key,
                began=clock.moment(standing.began),
                fired=clock.moment(standing.fired),
                ended=None if at is None else clock.moment(at),
                seconds=until - standing.fired,
                words=told.words,
                usual=told.usual,
                value=told.value,
                limit=told.limit,
            )
        )


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


def _alternatives(run: _Run, main: str) -> list[Alternative]:
    """Return what other limits would have done, the strictest first.

    1. The strictest is judged at every look.
    2. Each of the others only where the next stricter one found something wrong; so is the rule's own, which
       has been judged already.
    """
    tried = {factor: rule for factor in FACTORS if (rule := _with_limit(run.rule, main, factor))}
    order = sorted([*tried, 1.0], reverse=main in _MORE_IF_HIGHER)
    found: list[Alternative] = []
    stricter: _Run | None = None
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
