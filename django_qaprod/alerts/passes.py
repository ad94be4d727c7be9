"""A look at all rules: judge each, keep what changed, and have it told."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from importlib import import_module
from time import monotonic
from typing import Any, NamedTuple

from django.utils.translation import gettext as _

from .. import clock
from ..models import Alert, Deploy, Rule
from ..pipeline import guard
from ..queries import rules as known
from ..specs import RuleSpec
from ..store import alerts, looks
from ..store.alerts import Change
from . import hours, telling
from .judging.base import ALL, Judge, Judgement, Verdict
from .languages import spoken
from .sight import LiveSight
from .states import FLAPS_WITHIN, GAP, NONE, Standing, is_flapping, is_none_right, kept_for, step
from .storable import storable

#: Seconds that a look may take: what is left then is looked at first the next time.
WITHIN = 25.0
#: Kinds that are wrong when something is missing: not judged while numbers may be on their way.
_MISSING = frozenset({"absence", "dip", "heartbeat", "out_of_sync"})
#: Alerts of one rule at a time: more keys than that are no news but a flood.
MOST_KEYS = 50
_KEPT_VERDICTS = 20
#: Seconds for which what was found is kept in memory, until it is written together.
_TOGETHER = 3.0


class _Looks(NamedTuple):
    """When a rule was judged last, and when well; 0 where it never was."""

    judged: float = 0.0
    well: float = 0.0


_NEVER = _Looks()


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """What a look came to: how many rules were judged, could not be, and say nothing."""

    judged: int = 0
    failed: int = 0
    silent: int = 0
    left: int = 0


def look(
    stop: threading.Event, *, previous: datetime | None = None, sight: LiveSight | None = None
) -> Looked:
    """Judge the rules that are on. One that cannot be judged holds back no other.

    ``previous`` is when the last look ended well.
    """
    before = None if previous is None else clock.epoch(previous)
    seen = sight or LiveSight(previous=before)
    deadline, at = monotonic() + WITHIN, clock.moment(seen.taken_at)
    last_looks, last = _looks(), seen.previous
    specs = sorted(known.effective(), key=lambda spec: last_looks.get(spec.name, _NEVER).judged)
    deploys = list(Deploy.objects.filter(at__gte=at - 2 * telling.BY_DEPLOY, at__lte=at))
    kept, left = _Kept(at, deploys), 0
    for place, spec in enumerate(specs):
        if stop.is_set() or monotonic() > deadline:
            left = len(specs) - place
            break
        if not spec.on:
            continue
        seen.previous = _previous(last, last_looks.get(spec.name, _NEVER))
        _look_at(spec, seen, kept)
    kept.write()
    _end_those_gone(specs)
    _tell_again(specs, at)
    return Looked(left=left, **Counter(kept.came_to.values()))


def judge_of(spec: RuleSpec) -> Judge:
    """Return what judges a rule's kind."""
    judge: Judge = import_module(f"{__package__}.judging.{spec.kind}").judge
    return judge


def judge(spec: RuleSpec, sight: LiveSight) -> Judgement:
    """Judge a rule; silent while numbers may be missing by which it would be wrong."""
    if is_of_missing(spec) and (reason := sight.incomplete()):
        return Judgement(silent=reason)
    return spoken(lambda: judge_of(spec)(spec, sight))


def is_of_missing(spec: RuleSpec) -> bool:
    """Return whether a rule is wrong when something is missing."""
    return spec.kind in _MISSING or not spec.numbers.keys().isdisjoint({"at_most", "below"})


class _Kept:
    """What a pass has found: kept at once where something is wrong, and together what is well.

    ``came_to`` has by rule whether it was ``judged``, is ``silent``, or ``failed``.
    """

    def __init__(self, at: datetime, deploys: Iterable[Deploy]) -> None:
        self.at, self.deploys = at, deploys
        self.came_to: dict[str, str] = {}
        self._well: dict[str, tuple[RuleSpec, Judgement]] = {}
        self._written = monotonic()

    def take(self, spec: RuleSpec, judgement: Judgement) -> None:
        """Keep what a rule came to."""
        self.came_to[spec.name] = "silent" if judgement.silent else "judged"
        if any(verdict.wrong for verdict in judgement.verdicts):
            _keep(spec, judgement, self.at, self.deploys)
        else:
            self._well[spec.name] = (spec, judgement)

    def attempt(self, spec: RuleSpec, work: Callable[[], None]) -> None:
        """Do something for a rule. When that fails it is shown on the rule's row."""
        try:
            work()
        except SystemExit as error:
            # Of the host's: it would end the worker's thread, and nobody would look any more.
            self._failed(spec, f"SystemExit: {error}")
        except Exception as error:  # noqa: BLE001 - a rule of the host's may be anything; it is shown on its row
            guard.caught(f"rule.{spec.name}", error)
            self._failed(spec, f"{type(error).__name__}: {guard.words_of(error)}")

    def write_soon(self) -> None:
        """Write what is well, if that was long ago."""
        if monotonic() - self._written > _TOGETHER:
            self.write()

    def write(self) -> None:
        """Write what is well: each of those by itself that have alerts, or all if they cannot be written."""
        well, self._well = self._well, {}
        found = [_well(spec, judgement, self.at) for spec, judgement in well.values()]
        try:
            own: Iterable[str] = looks.look_well(found, at=self.at) if found else ()
        except Exception as error:  # noqa: BLE001 - for what is in one of them, which holds back no other
            guard.caught("rules", error)
            own = well
        for name in own:
            spec, judgement = well[name]
            self.attempt(spec, partial(_keep, spec, judgement, self.at, self.deploys))
        self._written = monotonic()

    def _failed(self, spec: RuleSpec, error: str) -> None:
        self.came_to[spec.name] = "failed"
        # It may be the database that fails: what others came to is told all the same.
        with guard.guard("rules"):
            looks.failed(spec, error, at=self.at)


def _look_at(spec: RuleSpec, sight: LiveSight, kept: _Kept) -> None:
    def look() -> None:
        open_ = hours.go_on(spec.hours, kept.at)
        kept.take(spec, judge(spec, sight) if open_ else Judgement(silent=_("Outside its hours.")))

    kept.attempt(spec, look)
    kept.write_soon()


def _keep(spec: RuleSpec, judgement: Judgement, at: datetime, deploys: Iterable[Deploy]) -> None:
    worst, says = _worst(judgement, at), _says(judgement)
    looks.look(
        spec,
        at=at,
        verdicts=_shown(worst),
        change=lambda active: changes(spec, worst, active, at) if says else [],
        tell=lambda alert: telling.telling(alert, spec, at, deploys),
        silent=judgement.silent,
    )


def _well(spec: RuleSpec, judgement: Judgement, at: datetime) -> looks.Well:
    shown = _shown(_worst(judgement, at))
    return looks.Well(spec.name, shown, judgement.silent, ends=_says(judgement))


def _says(judgement: Judgement) -> bool:
    """Return whether alerts may end by it."""
    return not judgement.silent or judgement.few


def _worst(judgement: Judgement, at: datetime) -> list[Verdict]:
    now = clock.epoch(at)
    verdicts = (storable(verdict, now) for verdict in judgement.verdicts)
    return sorted(verdicts, key=lambda verdict: not verdict.wrong)


def _shown(verdicts: list[Verdict]) -> list[dict[str, Any]]:
    return [verdict._asdict() for verdict in verdicts[:_KEPT_VERDICTS]]


def changes(
    spec: RuleSpec, verdicts: Iterable[Verdict], active: Mapping[str, Alert], at: datetime
) -> list[Change]:
    """Return how the alerts of a rule are to stand after these verdicts."""
    now = clock.epoch(at)
    by_key = {verdict.key: verdict for verdict in verdicts}
    whole = ALL in by_key and by_key[ALL].wrong
    recently: list[str] | None = None
    found: list[Change] = []
    room = MOST_KEYS - len(active)
    for key in dict.fromkeys((*active, *by_key)):
        alert, verdict = active.get(key), by_key.get(key)
        # What all of them do is told of all; the alert of one goes on with it.
        wrong = verdict.wrong if verdict is not None else whole
        # There is always room to say that it is all of them.
        if alert is None and (not wrong or (room <= 0 and key != ALL)):
            continue
        room -= alert is None
        if alert is None and recently is None:
            recently = alerts.fired_since(spec.name, at - timedelta(seconds=FLAPS_WITHIN))
        flapping = alert.flapping if alert is not None else is_flapping((recently or []).count(key))
        keep = kept_for(spec, said=verdict is not None, flapping=flapping)
        stands = step(_standing(alert, now), wrong, now, for_=spec.numbers.get("for", 0.0), keep=keep)
        unsaid = (
            _("None of it since.") if is_none_right(spec) else _("There is too little of it to say more.")
        )
        # One that all of them go with says what is wrong with all: what was of it alone is old.
        said = verdict or (by_key[ALL] if whole else None)
        found.append(_change(key, stands, said, flapping=flapping, known=alert is not None, unsaid=unsaid))
    return found


def _standing(alert: Alert | None, now: float) -> Standing:
    if alert is None:
        return NONE
    times = (alert.began_at, alert.wrong_at, alert.fired_at)
    # What lies ahead was written by a clock that was wrong: it would go on until then.
    began, wrong, fired = (min(clock.epoch(time), now) if time else 0.0 for time in times)
    return Standing(alert.state, began, wrong, fired)  # type: ignore[arg-type]


def _change(
    key: str, stands: Standing, verdict: Verdict | None, *, flapping: bool, known: bool, unsaid: str
) -> Change:
    told: dict[str, Any] = {}
    if verdict is not None and verdict.wrong:
        told = {
            "value": verdict.value, "limit": verdict.limit, "words": verdict.words, "usual": verdict.usual
        }  # fmt: skip
    since = stands.began
    if stands.state == "firing" and verdict is not None and verdict.since is not None:
        since = min(since, verdict.since)
    why = ""
    if stands.state == "resolved":
        why = verdict.words if verdict is not None else unsaid
    elif flapping and not known:
        why = _("It flaps: it is kept until it is calm for half an hour.")
    return Change(
        key=key,
        state=stands.state,
        began_at=clock.moment(since),
        wrong_at=clock.moment(stands.wrong),
        flapping=flapping,
        why=why,
        **told,
    )


def _looks() -> dict[str, _Looks]:
    """Return when each rule was looked at last. One query."""
    rows = Rule.objects.values_list("name", "judged_at", "well_at")
    return {name: _Looks(*(clock.epoch(at) if at else 0.0 for at in times)) for name, *times in rows}


def _previous(last: float | None, looks: _Looks) -> float | None:
    """Return where the last look at one rule ended well: it may have failed since, while others did not.

    What was switched off, and so was not looked at, is not made up for.
    """
    if last is None or not looks.well or looks.judged < last - GAP:
        return last
    return min(last, looks.well)


def _end_those_gone(specs: Iterable[RuleSpec]) -> None:
    """End the alerts of rules that were switched off, or are declared no more, or as another kind."""
    on = {(spec.name, spec.kind) for spec in specs if spec.on}
    for name, kind in alerts.active_rules() - on:
        alerts.resolve_rule(name, kind=kind, why=alerts.RULE_GONE)


def _tell_again(specs: Iterable[RuleSpec], at: datetime) -> None:
    by_name = {spec.name: spec for spec in specs}
    for alert in alerts.to_be_told_again(at):
        with guard.guard("alerts"):
            spec = by_name.get(alert.rule)
            if spec is not None and not hours.go_on(spec.hours, at):
                # It is not looked at now: whoever is to be reminded is when it is again.
                continue
            if alert.escalate_at is not None and alert.escalate_at <= at:
                alerts.escalate(alert, telling.escalated(alert, spec, at), at=at)
            if alert.remind_at is not None and alert.remind_at <= at:
                told = telling.again(alert, spec, at)
                alerts.remind(alert, told, at=at, next_at=telling.next_reminder(alert, at))
