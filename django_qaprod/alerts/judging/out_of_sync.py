"""Judges by two counts that should agree, where no subject tells them one by one."""

from __future__ import annotations

from django.utils.translation import gettext as _

from ...specs import Measure, RuleSpec
from .. import phrases
from . import keys
from .base import ALL, Judgement, Sight, Verdict


def judge(rule: RuleSpec, sight: Sight, /) -> Judgement:
    """Say whether the other falls behind the one, counted until ``within`` ago.

    The one is counted in a window that ended then, the other from the beginning of that until now: what is on
    its way is no fault.
    """
    if rule.per is None:
        raise ValueError("What is out of sync is so with something.")
    window, least = rule.numbers["window"], max(rule.numbers.get("min_count", 0.0), 1.0)
    settled = sight.now - rule.numbers["within"]
    start = settled - window
    one = {key: row[0] for key, row in sight.counts(rule.per, start, settled, by=rule.by).items()}
    other = {key: row[0] for key, row in sight.counts(rule.of, start, sight.now, by=rule.by).items()}
    total = sum(one.values())
    if total < least:
        words = _("%(number)s to compare with; it is judged from %(least)s on.")
        said = {"number": phrases.number(total), "least": phrases.number(least)}
        return Judgement(silent=words % said, few=True)
    whole = _verdict(rule, ALL, total, sum(other.values()))
    if not rule.by:
        return Judgement((whole,))
    other, volumes = keys.named(other), {key: sum_ for key, sum_ in keys.named(one).items() if sum_ >= least}
    verdicts = tuple(_verdict(rule, key, sum_, other.get(key, 0.0)) for key, sum_ in volumes.items())
    return Judgement(keys.together(verdicts, volumes, whole))


def _name(measure: Measure | None) -> str:
    """Return by what people know it: “8 sent for 14 submitted”."""
    return measure.name.replace("_", " ") or measure.kind if measure is not None else ""


def _verdict(rule: RuleSpec, key: str, one: float, other: float) -> Verdict:
    value, limit = other / one, rule.numbers["at_least"]
    words = _("%(other)s %(others)s for %(one)s %(ones)s of %(window)s, %(within)s later") % {
        "other": phrases.number(other),
        "others": _name(rule.of),
        "one": phrases.number(one),
        "ones": _name(rule.per),
        "window": phrases.span(rule.numbers["window"]),
        "within": phrases.span(rule.numbers["within"]),
    }
    return Verdict(
        key=key,
        wrong=value < limit,
        value=value,
        words=words,
        limit=limit,
        usual=_("at least %(limit)s is expected") % {"limit": phrases.share(limit)},
    )
