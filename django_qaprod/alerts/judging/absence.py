"""Judges that something goes on: it must not stop for as long as a window."""

from __future__ import annotations

from ...registry import RuleSpec
from .. import phrases
from .base import ALL, Judgement, Sight, Verdict
from .opening import opened


def judge(rule: RuleSpec, sight: Sight, /) -> Judgement:
    """Say whether it has not happened for so long, of the rule's hours if it has any."""
    window = rule.numbers["window"]
    start = opened(rule, sight.now, window)
    last = sight.last(rule.of, start)
    usual = f"at least one in {phrases.span(window)} is expected"
    if last is not None:
        words = f"the last one {phrases.span(sight.now - last)} ago"
        return Judgement((Verdict(ALL, wrong=False, value=None, words=words, usual=usual),))
    if sight.first(rule.of) is None:
        return Judgement(silent="It has no data: it has never happened.")
    last = sight.last(rule.of, start - max(7 * 86400.0, 4 * window))
    length = "" if rule.hours is None else " of its hours"
    words = f"none in the last {phrases.span(window)}{length}"
    if last is not None:
        words += f"; the last one {phrases.span(sight.now - last)} ago"
    return Judgement((Verdict(ALL, wrong=True, value=None, words=words, usual=usual, since=last),))
