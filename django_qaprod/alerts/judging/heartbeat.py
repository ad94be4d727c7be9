"""Judges that a job ran: it tells so at its end."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NamedTuple

from ...registry import RuleSpec
from .. import phrases
from ..cron import Cron
from ..measures import BEATS
from .base import ALL, Judgement, Sight, Verdict

#: Seconds by which a run may seem to have ended earlier than it did: numbers are kept by the minute, and
#: clocks differ.
EARLY = 60.0
#: Seconds for which the last run is looked for, to say when it was.
FURTHEST = 60 * 86400.0


def judge(rule: RuleSpec, sight: Sight, /) -> Judgement:
    """Say whether it has not ended well since it should have begun for the last time, and ``grace`` later.

    By ``every``, the last run has to have ended no longer ago than that and ``grace``.
    """
    due = _by_cron(rule, sight.now) if rule.cron else _by_interval(rule, sight.now)
    last = sight.last(rule.of, due.since)
    if last is not None:
        words = f"the last run ended well {_ago(sight, last)}"
        return Judgement((Verdict(ALL, wrong=False, value=None, words=words, usual=due.usual),))
    failed = _failed(rule, sight, due.since)
    # A job that has only ever failed has been heard of.
    if failed is None and sight.first(rule.of) is None:
        return Judgement(silent="It has never been heard of.")
    words, began = due.words, due.late
    if failed is not None:
        words += f"; it failed {_ago(sight, failed)}"
    if last := sight.last(rule.of, sight.now - FURTHEST):
        words += f"; the last one that did, {_ago(sight, last)}"
        began = began if rule.cron else last + rule.numbers["every"] + rule.numbers["grace"]
    verdict = Verdict(ALL, wrong=True, value=None, words=words, usual=due.usual, since=min(began, sight.now))
    return Judgement((verdict,))


class _Due(NamedTuple):
    """Since when a run must have ended, from when on it was late, and both in words."""

    since: float
    late: float
    words: str
    usual: str


def _by_interval(rule: RuleSpec, now: float) -> _Due:
    every, grace = rule.numbers["every"], rule.numbers["grace"]
    words = f"no run has ended well in the last {phrases.span(every + grace)}"
    return _Due(
        now - every - grace - EARLY, now, words, f"it runs every {phrases.span(every)}{_within(grace)}"
    )


def _by_cron(rule: RuleSpec, now: float) -> _Due:
    grace = rule.numbers["grace"]
    begun = Cron(rule.cron).previous(datetime.fromtimestamp(now - grace, UTC))
    at = begun.timestamp()
    words = f"no run has ended well since {begun:%H:%M}, {phrases.span(now - at)} ago, when it was to begin"
    usual = f"it runs by {rule.cron} ({begun:%Z}){_within(grace)}"
    return _Due(at - EARLY, at + grace, words, usual)


def _within(grace: float) -> str:
    return f" and takes {phrases.span(grace)} at most" if grace else ""


def _failed(rule: RuleSpec, sight: Sight, since: float) -> float | None:
    """Return when a job that tells of itself by ``qaprod_beat`` failed since then."""
    if rule.of.name != BEATS:
        return None
    where = tuple((key, "failed" if key == "outcome" else value) for key, value in rule.of.where)
    return sight.last(rule.of._replace(where=where), since)


def _ago(sight: Sight, at: float) -> str:
    return f"{phrases.span(max(sight.now - at, 0.0))} ago"
