"""Judges that a job ran: it tells so at its end."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NamedTuple

from django.utils.translation import gettext as _

from ...specs import RuleSpec
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
        words = _("the last run ended well %(span)s ago") % {"span": _span(sight, last)}
        return Judgement((Verdict(ALL, wrong=False, value=None, words=words, usual=due.usual),))
    failed = _failed(rule, sight, due.since)
    # A job that has only ever failed has been heard of.
    if failed is None and sight.first(rule.of) is None:
        return Judgement(silent=_("It has never been heard of."))
    words, began = due.words, due.late
    if failed is not None:
        words = _("%(late)s; it failed %(span)s ago") % {"late": words, "span": _span(sight, failed)}
    if last := sight.last(rule.of, sight.now - FURTHEST):
        did = _("%(late)s; the last one that did, %(span)s ago")
        words = did % {"late": words, "span": _span(sight, last)}
        began = began if rule.cron else last + rule.numbers["every"] + rule.numbers["grace"]
    elif failed is not None:
        # Before that nobody had heard of it.
        began = failed
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
    said = {
        "window": phrases.lately(every + grace),
        "every": phrases.span(every),
        "grace": phrases.span(grace),
    }
    usual = (
        _("it runs every %(every)s and takes %(grace)s at most") if grace else _("it runs every %(every)s")
    )
    words = _("no run has ended well in the last %(window)s")
    return _Due(now - every - grace - EARLY, now, words % said, usual % said)


def _by_cron(rule: RuleSpec, now: float) -> _Due:
    grace = rule.numbers["grace"]
    begun = Cron(rule.cron).previous(datetime.fromtimestamp(now - grace, UTC))
    at = begun.timestamp()
    said = {
        "time": f"{begun:%H:%M}",
        "span": phrases.span(now - at),
        "cron": rule.cron,
        "zone": f"{begun:%Z}",
        "grace": phrases.span(grace),
    }
    words = _("no run has ended well since %(time)s, %(span)s ago, when it was to begin")
    usual = (
        _("it runs by %(cron)s (%(zone)s) and takes %(grace)s at most")
        if grace
        else _("it runs by %(cron)s (%(zone)s)")
    )
    return _Due(at - EARLY, at + grace, words % said, usual % said)


def _failed(rule: RuleSpec, sight: Sight, since: float) -> float | None:
    """Return when a job that tells of itself by ``qaprod_beat`` failed since then."""
    if rule.of.name != BEATS:
        return None
    where = tuple((key, "failed" if key == "outcome" else value) for key, value in rule.of.where)
    return sight.last(rule.of._replace(where=where), since)


def _span(sight: Sight, at: float) -> str:
    return phrases.span(max(sight.now - at, 0.0))
