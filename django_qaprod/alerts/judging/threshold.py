"""Judges by a number: something happens too often or too seldom in a window; a gauge is too high or low."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import NamedTuple

from django.utils.translation import gettext as _

from ...specs import RuleSpec
from .. import phrases
from . import keys
from .base import ALL, Judgement, Sight, Verdict
from .opening import opened

#: Seconds by which numbers come late: those of a machine that was cut off for a while.
LATE = 300.0
#: Seconds that are looked at again after a long time without a look.
FURTHEST = 7 * 86400.0
#: What is too seldom is told apart by what happened so many seconds before, or windows.
USUAL, USUAL_WINDOWS = 7 * 86400.0, 4
#: So many at least that happen too often are told as one: those where all is well do not show in a count of
#: failures, so that two are not all.
MANY = 5
# Numbers are kept by the minute.
_STEP = 60.0
# But of these each is a row that knows when it was.
_ROWS = frozenset({"step", "breaches"})


def judge(rule: RuleSpec, sight: Sight, /) -> Judgement:
    """Say whether there are too many, or too few."""
    if rule.of.kind == "gauge":
        return _reading(rule, sight)
    return _many(rule, sight) if "at_least" in rule.numbers else _few(rule, sight)


class _Worst(NamedTuple):
    """The window in which it happened most: how often, when it began there, and when the last of it was.

    ``newest`` says that all of it is in the last step.
    """

    times: float
    first: float | None = None
    last: float | None = None
    newest: bool = False


def _many(rule: RuleSpec, sight: Sight) -> Judgement:
    """Judge the worst of the windows that ended since the last look.

    1. A window is as many steps of a minute, or somewhat less, as it takes.
    2. The first of the windows ended at the last look, less what may have come late since.
    3. When it has to last for some time there is one window, that of now: a blip would last for as long as
       it is late.
    """
    window = rule.numbers["window"]
    pieces = math.ceil(window / _STEP)
    step = window / pieces
    back = 0.0
    if not rule.numbers.get("for") and sight.previous is not None:
        back = min(max(sight.now - (sight.previous - LATE), 0.0), FURTHEST)
    start = sight.now - (pieces + math.ceil(back / step)) * step
    rows = sight.counts(rule.of, start, sight.now, step=step, by=rule.by)
    whole = _too_many(rule, sight, ALL, _worst(_added(rows), pieces, start, step))
    if not rule.by:
        return Judgement((whole,))
    worst = {key: _worst(row, pieces, start, step) for key, row in keys.named(rows).items()}
    verdicts = tuple(_too_many(rule, sight, key, one) for key, one in worst.items())
    wrong = sorted((one for one in verdicts if one.wrong), key=lambda one: -(one.value or 0.0))
    if len(wrong) < MANY:
        return Judgement((whole._replace(wrong=False, since=None), *verdicts))
    named = phrases.listed(f"{one.key}: {phrases.number(one.value or 0.0)}" for one in wrong)
    whole = whole._replace(words=_("%(words)s (%(names)s)") % {"words": whole.words, "names": named})
    return Judgement(keys.together(verdicts, {key: one.times for key, one in worst.items()}, whole))


def _added(rows: Mapping[str, Sequence[float]]) -> list[float]:
    return [sum(column) for column in zip(*rows.values(), strict=True)]


def _worst(row: Sequence[float], pieces: int, start: float, step: float) -> _Worst:
    sums = list(accumulate(row, initial=0.0))
    most, end = max((sums[end] - sums[max(end - pieces, 0)], end) for end in range(len(sums)))
    places = [place for place in range(max(end - pieces, 0), end) if row[place]]
    if not places:
        return _Worst(0.0)
    newest = places[0] == len(row) - 1
    return _Worst(most, start + places[0] * step, start + (places[-1] + 1) * step, newest)


def _too_many(rule: RuleSpec, sight: Sight, key: str, worst: _Worst) -> Verdict:
    window, limit = rule.numbers["window"], rule.numbers["at_least"]
    wrong = worst.times >= max(limit, rule.numbers.get("min_count", 0.0))
    said = {"number": phrases.number(worst.times), "window": phrases.lately(window)}
    words = _("%(number)s in the last %(window)s")
    if worst.first is not None and sight.now - worst.first > window + _STEP:
        words = _("%(number)s within %(window)s, %(span)s ago")
        said["window"] = phrases.span(window)
        said["span"] = phrases.span(sight.now - worst.last) if worst.last is not None else ""
    return Verdict(
        key=key,
        wrong=wrong,
        value=worst.times,
        words=words % said,
        limit=limit,
        usual=_("the limit is %(limit)s") % {"limit": phrases.number(limit)},
        since=_began(rule, worst) if wrong else None,
    )


def _began(rule: RuleSpec, worst: _Worst) -> float | None:
    """Return when the first of it was.

    Of what is kept by the minute a step holds the minute in which it begins, and the last one that of now as
    well: what is found there was not found by the look before, so that it is taken to be of now.
    """
    if worst.first is None or rule.of.kind in _ROWS:
        return worst.first
    return (math.ceil if worst.newest else math.floor)(worst.first / _STEP) * _STEP


def _few(rule: RuleSpec, sight: Sight) -> Judgement:
    window, least = rule.numbers["window"], rule.numbers.get("min_count", 0.0)
    start = sight.now - window
    if opened(rule, sight.now, window) < start:
        words = _("Its hours have not gone on for %(window)s yet.")
        return Judgement(silent=words % {"window": phrases.span(window)})
    rows = sight.counts(rule.of, start, sight.now, by=rule.by)
    whole = _too_few(rule, ALL, sum(sum(row) for row in rows.values()))
    if not rule.by and not whole.wrong:
        return Judgement((whole,))
    if silent := _unknown(rule, sight, start):
        return Judgement(silent=silent)
    # Who has fallen silent is known by what was before.
    before = sight.counts(rule.of, start - max(USUAL, USUAL_WINDOWS * window), start, by=rule.by)
    usual = {key: sum(row) for key, row in keys.named(before).items()}
    if not rule.by:
        return Judgement((whole._replace(wrong=sum(usual.values()) >= least),))
    usual = {key: count for key, count in usual.items() if count >= max(least, 1.0)}
    now = {key: sum(row) for key, row in keys.named(rows).items()}
    verdicts = tuple(_too_few(rule, key, now.get(key, 0.0)) for key in usual)
    return Judgement(keys.together(verdicts, usual, whole))


def _unknown(rule: RuleSpec, sight: Sight, start: float) -> str:
    first = sight.first(rule.of)
    if first is None:
        return _("It has no data: nothing was ever counted.")
    if first <= start:
        return ""
    words = _("It has been counted for less than %(window)s.")
    return words % {"window": phrases.span(rule.numbers["window"])}


def _too_few(rule: RuleSpec, key: str, count: float) -> Verdict:
    limit = rule.numbers["at_most"]
    said = {"number": phrases.number(count), "window": phrases.lately(rule.numbers["window"])}
    return Verdict(
        key=key,
        wrong=count <= limit,
        value=count,
        words=_("%(number)s in the last %(window)s") % said,
        limit=limit,
        usual=_("more than %(limit)s are expected") % {"limit": phrases.number(limit)},
    )


def _reading(rule: RuleSpec, sight: Sight) -> Judgement:
    window = rule.numbers["window"]
    rows = sight.readings(rule.of, sight.now - window, sight.now, step=window, by=rule.by)
    read = {key: row[-1] for key, row in rows.items() if row}
    known = {key: value for key, value in read.items() if value is not None}
    if not known:
        words = _("Nothing was read in the last %(window)s.")
        return Judgement(silent=words % {"window": phrases.lately(window)})
    if not rule.by:
        return Judgement(tuple(_level(rule, ALL, value) for value in known.values()))
    verdicts = tuple(_level(rule, key, value) for key, value in keys.named(known).items())
    whole = _level(rule, ALL, sum(known.values()) / len(known))
    # One weighs as much as another.
    return Judgement(keys.together(verdicts, {verdict.key: 1.0 for verdict in verdicts}, whole))


def _level(rule: RuleSpec, key: str, value: float) -> Verdict:
    high = "at_least" in rule.numbers
    limit = rule.numbers["at_least" if high else "at_most"]
    said = {
        "reading": phrases.reading(value, rule.of),
        "window": phrases.lately(rule.numbers["window"]),
        "limit": phrases.reading(limit, rule.of),
    }
    usual = _("the limit is %(limit)s") if high else _("more than %(limit)s is expected")
    return Verdict(
        key=key,
        wrong=value >= limit if high else value <= limit,
        value=value,
        words=_("%(reading)s in the last %(window)s") % said,
        limit=limit,
        usual=usual % said,
    )
