"""One way of a rule through the past, from look to look, as the worker would have gone it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib import import_module
from time import perf_counter

from django.utils.translation import gettext as _

from .. import clock
from ..exceptions import DeclarationError
from ..specs import RuleSpec
from . import hours
from .history import MINUTE, HistorySight
from .judging.base import ALL, Judge, Judgement, Verdict
from .states import FLAPS_WITHIN, GAP, NONE, Standing, is_flapping, kept_for, step


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


class Rerun:
    """One way of a rule through the history: ``run`` goes it, the rest is what came of it."""

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
        #: When each key fired, and which are held as they fired so often.
        self._fired: defaultdict[str, list[float]] = defaultdict(list)
        self._flapping: set[str] = set()
        self._told: dict[str, Verdict] = {}
        self._judge: Judge = import_module(f"{__package__}.judging.{rule.kind}").judge

    def again(self, rule: RuleSpec, *, stricter: Rerun | None = None) -> Rerun:
        """Return another way through the same history.

        What was right by a ``stricter`` limit is right by this one, and not judged again.
        """
        self.sight.fired = []
        other = Rerun(rule, self.sight, self.start, self.end, self.pace, self._until)
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
        if not hours.go_on(self.rule.hours, clock.moment(at)):
            return Judgement(silent=_("Outside its hours."))
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
            if before is NONE:
                self._begin(key, at)
            keep = kept_for(self.rule, said=verdict is not None, flapping=key in self._flapping)
            after = step(before, wrong, at, for_=self.rule.numbers.get("for", 0.0), keep=keep)
            self._keep(key, before, after, verdict)
            if after.state == "resolved":
                self._end(key, before, at)

    def _begin(self, key: str, at: float) -> None:
        recently = self._fired[key] = [fired for fired in self._fired[key] if fired >= at - FLAPS_WITHIN]
        if is_flapping(len(recently)):
            self._flapping.add(key)
        else:
            self._flapping.discard(key)

    def _keep(self, key: str, before: Standing, after: Standing, verdict: Verdict | None) -> None:
        if before.state != "firing":
            if verdict is not None:
                # Of one that begins to fire with all others its own are told, of when it was pending.
                self._told[key] = verdict
            if after.state == "firing":
                self._fired[key].append(after.fired)
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
