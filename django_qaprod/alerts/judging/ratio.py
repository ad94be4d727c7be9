"""Judges by a share: so many of so many."""

from __future__ import annotations

from ...registry import RuleSpec
from .. import phrases
from . import keys
from .base import ALL, Judgement, Sight, Verdict


def judge(rule: RuleSpec, sight: Sight, /) -> Judgement:
    """Say whether the share is out of bounds, of at least ``min_count``: one of three at night is a third."""
    if rule.per is None:
        raise ValueError("A ratio has something that it is the share of.")
    window, least = rule.numbers["window"], max(rule.numbers.get("min_count", 0.0), 1.0)
    start = sight.now - window
    per = {key: row[0] for key, row in sight.counts(rule.per, start, sight.now, by=rule.by).items()}
    of = {key: row[0] for key, row in sight.counts(rule.of, start, sight.now, by=rule.by).items()}
    total = sum(per.values())
    if total < least:
        return Judgement(
            silent=f"{phrases.number(total)} in the last {phrases.span(window)}; it is judged from "
            f"{phrases.number(least)} on.",
            few=True,
        )
    whole = _verdict(rule, ALL, sum(of.values()), total)
    if not rule.by:
        return Judgement((whole,))
    of, volumes = keys.named(of), {key: one for key, one in keys.named(per).items() if one >= least}
    verdicts = tuple(_verdict(rule, key, of.get(key, 0.0), one) for key, one in volumes.items())
    return Judgement(keys.together(verdicts, volumes, whole))


def _verdict(rule: RuleSpec, key: str, of: float, per: float) -> Verdict:
    value, window = of / per, phrases.span(rule.numbers["window"])
    above = "above" in rule.numbers
    limit = rule.numbers["above" if above else "below"]
    return Verdict(
        key=key,
        wrong=value > limit if above else value < limit,
        value=value,
        words=f"{phrases.number(of)} of {phrases.number(per)} ({phrases.share(value)}) in the last {window}",
        limit=limit,
        usual=f"the limit is {phrases.share(limit)}"
        if above
        else f"at least {phrases.share(limit)} is expected",
    )
