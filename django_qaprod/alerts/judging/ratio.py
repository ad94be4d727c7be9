"""Judges by a share: so many of so many."""

from __future__ import annotations

from django.utils.translation import gettext as _

from ...specs import RuleSpec
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
        words = _("%(number)s in the last %(window)s; it is judged from %(least)s on.") % {
            "number": phrases.number(total),
            "window": phrases.lately(window),
            "least": phrases.number(least),
        }
        return Judgement(silent=words, few=True)
    whole = _verdict(rule, ALL, sum(of.values()), total)
    if not rule.by:
        return Judgement((whole,))
    of, volumes = keys.named(of), {key: one for key, one in keys.named(per).items() if one >= least}
    verdicts = tuple(_verdict(rule, key, of.get(key, 0.0), one) for key, one in volumes.items())
    return Judgement(keys.together(verdicts, volumes, whole))


def _verdict(rule: RuleSpec, key: str, of: float, per: float) -> Verdict:
    value = of / per
    above = "above" in rule.numbers
    limit = rule.numbers["above" if above else "below"]
    words = _("%(of)s of %(per)s (%(share)s) in the last %(window)s") % {
        "of": phrases.number(of),
        "per": phrases.number(per),
        "share": phrases.share(value),
        "window": phrases.lately(rule.numbers["window"]),
    }
    usual = _("the limit is %(limit)s") if above else _("at least %(limit)s is expected")
    return Verdict(
        key=key,
        wrong=value > limit if above else value < limit,
        value=value,
        words=words,
        limit=limit,
        usual=usual % {"limit": phrases.share(limit)},
    )
