"""Judges by how fast the errors are used up that an objective allows. ``budgets`` has the source."""

from __future__ import annotations

from django.utils.translation import gettext as _

from ...budgets import WINDOWS, Windows
from ...specs import RuleSpec
from .. import phrases
from . import keys, stretches
from .base import ALL, Judgement, Sight, Verdict


def judge(rule: RuleSpec, sight: Sight, /) -> Judgement:
    """Say whether the budget is used up too fast in a long window and still in its short one.

    A window in which there are fewer than ``min_count`` says nothing. The long ones are read only where the
    short ones give reason to.
    """
    if rule.per is None:
        raise ValueError("A burn rate has something that it is the share of.")
    looks = _Looks(rule, sight)
    judged: dict[str, float] = {}
    verdicts: dict[str, Verdict] = {}
    for windows in WINDOWS:
        for key, volume in looks.volumes(windows.short).items():
            if volume < max(rule.numbers.get("min_count", 0.0), 1.0):
                continue
            judged[key] = max(judged.get(key, 0.0), volume)
            if key not in verdicts or not verdicts[key].wrong:
                verdicts[key] = _verdict(rule, looks, key, windows)
    whole = verdicts.pop(ALL, None)
    if whole is None:
        least = {"number": phrases.number(rule.numbers.get("min_count", 1.0))}
        return Judgement(silent=_("Fewer than %(number)s to judge by.") % least, few=True)
    if not rule.by:
        return Judgement((whole,))
    return Judgement(keys.together(tuple(verdicts.values()), judged, whole))


class _Looks:
    """What was counted in windows, each of them read once: by key, and of all under ``ALL``."""

    def __init__(self, rule: RuleSpec, sight: Sight) -> None:
        self._rule, self._sight = rule, sight
        self._known: dict[float, tuple[dict[str, float], dict[str, float]]] = {}

    def volumes(self, window: float) -> dict[str, float]:
        """Return of how many there are errors."""
        return self._look(window)[1]

    def share(self, window: float, key: str) -> float:
        """Return which share of them is errors."""
        of, per = self._look(window)
        return of.get(key, 0.0) / per[key] if per.get(key) else 0.0

    def _look(self, window: float) -> tuple[dict[str, float], dict[str, float]]:
        if window not in self._known:
            assert self._rule.per is not None
            start, end, by = self._sight.now - window, self._sight.now, self._rule.by
            of = stretches.total(self._sight, self._rule.of, start, end, by=by)
            per = stretches.total(self._sight, self._rule.per, start, end, by=by)
            self._known[window] = _sums(of, by), _sums(per, by)
        return self._known[window]


def _sums(found: dict[str, float], by: str) -> dict[str, float]:
    whole = {ALL: sum(found.values())}
    return {**whole, **keys.named(found)} if by else whole


def _verdict(rule: RuleSpec, looks: _Looks, key: str, windows: Windows) -> Verdict:
    allowed, period = 1 - rule.numbers["objective"], rule.numbers["period"]
    limit, short = windows.rate(period), looks.share(windows.short, key)
    said = {
        "allowed": phrases.share(allowed),
        "period": phrases.span(period),
        "share": phrases.share(short),
        "window": phrases.lately(windows.short),
    }
    usual = _("%(allowed)s is allowed in %(period)s") % said
    if short / allowed < limit:
        words = _("%(share)s in the last %(window)s") % said
        return Verdict(key, wrong=False, value=short / allowed, words=words, limit=limit, usual=usual)
    long = looks.share(windows.long, key)
    times = min(long, short) / allowed
    said["more"], said["longer"] = phrases.share(long), phrases.lately(windows.long)
    said["times"] = phrases.number(times)
    words = _(
        "%(more)s in the last %(longer)s, %(share)s in the last %(window)s: "
        "%(times)s times as fast as is allowed"
    )
    wrong = times >= limit
    if wrong:
        usual = _used(said, looks.share(period, key) / allowed, period / times)
    return Verdict(key, wrong=wrong, value=times, words=words % said, limit=limit, usual=usual)


def _used(said: dict[str, str], used: float, lasts: float) -> str:
    """Return how much of what is allowed is used, and when it is gone, where all ``lasts`` so long.

    If there are as many as there were.
    """
    words = _("%(allowed)s is allowed in %(period)s; %(used)s of that is used, gone in %(left)s at this pace")
    if used >= 1:
        words = _("%(allowed)s is allowed in %(period)s; %(used)s of that is used, it is used up")
    left = phrases.span(max(1 - used, 0.0) * lasts)
    return words % {**said, "used": phrases.share(used), "left": left}
