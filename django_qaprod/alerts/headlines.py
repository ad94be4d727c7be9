"""The subject of a message, and its first line: the whole story, since a notification shows no more of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from ..models import Alert, Notification
from ..text import one_line
from . import phrases, words
from .words import Entry


class Headline(NamedTuple):
    """What stands over a message: its subject, without the severity, and its first line."""

    subject: str
    story: str


def of_one(entry: Entry, severity: str) -> Headline:
    """Tell of one alert."""
    alert, happened = entry.alert, words.happened(entry.alert)
    if entry.over:
        return _of_one_that_is_over(alert)
    said = {
        "severity": capfirst(words.severity(severity)),
        "what": happened,
        "usual": one_line(alert.usual, words.SENTENCE),
        "when": words.when(alert.began_at),
    }
    story = (
        _("%(severity)s: %(what)s (%(usual)s), since %(when)s")
        if said["usual"]
        else _("%(severity)s: %(what)s, since %(when)s")
    ) % said
    if alert.state == Alert.State.RESOLVED:
        over = _("%(story)s; it is over by now, after %(span)s")
        story = over % {"story": story, "span": words.lasted(alert)}
    if entry.kind == Notification.Kind.REMINDER:
        still = {"what": happened, "story": story, "span": words.lasted(alert)}
        subject, story = _("still, for %(span)s: %(what)s"), _("Still, for %(span)s. %(story)s")
        return Headline(subject % still, story % still)
    if entry.kind == Notification.Kind.ESCALATION:
        return _of_nobody(happened, story, words.waited(alert))
    return Headline(happened, story)


def of_many(entries: Sequence[Entry], kind: str, severity: str, group: str) -> Headline:
    """Tell of several alerts of one ``group``, which names the likely cause when it is a release or flag."""
    said = {
        "alerts": _alerts(len(entries), group),
        "names": phrases.listed(dict.fromkeys(words.title(entry.alert) for entry in entries)),
    }
    named = _("%(alerts)s: %(names)s") % said
    if kind == Notification.Kind.RESOLVED:
        over = ngettext("%(alerts)s is over: %(names)s", "%(alerts)s are over: %(names)s", len(entries))
        return Headline(named, over % said)
    story = _("%(severity)s: %(alerts)s: %(names)s. The first since %(when)s, the worst: %(what)s") % {
        **said,
        "severity": capfirst(words.severity(severity)),
        "when": words.when(min(entry.alert.began_at for entry in entries)),
        "what": words.happened(entries[0].alert),
    }
    if kind == Notification.Kind.REMINDER:
        return Headline(_("still %(alerts)s: %(names)s") % said, _("Still. %(story)s") % {"story": story})
    if kind == Notification.Kind.ESCALATION:
        first = min((entry.alert for entry in entries), key=lambda alert: alert.fired_at or alert.began_at)
        return _of_nobody(named, story, words.waited(first))
    return Headline(named, story)


class Whole(NamedTuple):
    """What a digest is of: how many alerts by rule, and since when the first of them was held back."""

    counts: dict[str, int]
    since: datetime

    @property
    def total(self) -> int:
        """The number of alerts."""
        return sum(self.counts.values())


def of_digest(whole: Whole) -> Headline:
    """Tell how many alerts of which rules were held back, and since when."""
    ordered = sorted(whole.counts.items(), key=lambda item: (-item[1], item[0]))
    total = whole.total
    said = {
        "number": phrases.number(total),
        "names": phrases.listed(f"{name} ({number})" if number > 1 else name for name, number in ordered),
        "when": words.when(whole.since),
    }
    subject = ngettext(
        "%(number)s alert was held back: %(names)s", "%(number)s alerts were held back: %(names)s", total
    )
    story = ngettext(
        "%(number)s alert was held back since %(when)s, as there were so many messages: %(names)s",
        "%(number)s alerts were held back since %(when)s, as there were so many messages: %(names)s",
        total,
    )
    return Headline(subject % said, story % said)


def _of_one_that_is_over(alert: Alert) -> Headline:
    said = {
        "title": words.title(alert),
        "span": words.lasted(alert),
        "words": one_line(alert.words, words.SENTENCE),
    }
    story = (
        _("%(title)s is over after %(span)s; it was: %(words)s")
        if said["words"]
        else _("%(title)s is over after %(span)s")
    )
    return Headline(_("%(title)s, after %(span)s") % said, story % said)


def _of_nobody(what: str, story: str, span: str) -> Headline:
    said = {"what": what, "story": story, "span": span}
    subject = _("nobody acknowledged for %(span)s: %(what)s")
    return Headline(subject % said, _("Nobody acknowledged for %(span)s. %(story)s") % said)


def _alerts(count: int, group: str) -> str:
    """Return how many alerts there are, and since which release or flag if that is their cause."""
    said = {"number": phrases.number(count), "cause": words.cause(group)}
    if not said["cause"]:
        return ngettext("%(number)s alert", "%(number)s alerts", count) % said
    return ngettext("%(number)s alert since %(cause)s", "%(number)s alerts since %(cause)s", count) % said
