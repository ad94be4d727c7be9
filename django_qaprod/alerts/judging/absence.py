"""Judges that something goes on: it must not stop for as long as a window."""

from __future__ import annotations

from django.utils.translation import gettext as _

from ...specs import RuleSpec
from .. import phrases
from .base import ALL, Judgement, Sight, Verdict
from .opening import opened


def judge(rule: RuleSpec, sight: Sight, /) -> Judgement:
    """Say whether it has not happened for so long, of the rule's hours if it has any."""
    window = rule.numbers["window"]
    start = opened(rule, sight.now, window)
    last = sight.last(rule.of, start)
    usual = _("at least one in %(window)s is expected") % {"window": phrases.span(window)}
    if last is not None:
        words = _("the last one %(span)s ago") % {"span": phrases.span(sight.now - last)}
        return Judgement((Verdict(ALL, wrong=False, value=None, words=words, usual=usual),))
    if sight.first(rule.of) is None:
        return Judgement(silent=_("It has no data: it has never happened."))
    last = sight.last(rule.of, start - max(7 * 86400.0, 4 * window))
    none = _("none in the last %(window)s of its hours") if rule.hours else _("none in the last %(window)s")
    words = none % {"window": phrases.lately(window)}
    if last is not None:
        ago = _("%(none)s; the last one %(span)s ago")
        words = ago % {"none": words, "span": phrases.span(sight.now - last)}
    return Judgement((Verdict(ALL, wrong=True, value=None, words=words, usual=usual, since=last),))
