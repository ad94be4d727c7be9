"""The subject of a message, and its first line: the whole story, since a notification shows no more of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ..models import Alert, Notification
from ..text import one_line
from . import phrases, words
from .words import Entry

_CHANGED = ("release ", "flag ")


class Headline(NamedTuple):
    """What stands over a message: its subject, without the severity, and its first line."""

    subject: str
    story: str


def of_one(entry: Entry, severity: str) -> Headline:
    """Tell of one alert."""
    alert, happened = entry.alert, words.happened(entry.alert)
    lasted = words.lasted(alert)
    if entry.over:
        was = f"; it was: {one_line(alert.words, words.SENTENCE)}" if alert.words.strip() else ""
        title = words.title(alert)
        return Headline(f"{title}, after {lasted}", f"{title} is over after {lasted}{was}")
    usual = one_line(alert.usual, words.SENTENCE)
    compared = f" ({usual})" if usual else ""
    story = f"{severity.capitalize()}: {happened}{compared}, since {words.when(alert.began_at)}"
    if alert.state == Alert.State.RESOLVED:
        story = f"{story}; it is over by now, after {lasted}"
    if entry.kind == Notification.Kind.REMINDER:
        return Headline(f"still, for {lasted}: {happened}", f"Still, for {lasted}. {story}")
    if entry.kind == Notification.Kind.ESCALATION:
        nobody = f"nobody acknowledged for {words.waited(alert)}"
        return Headline(f"{nobody}: {happened}", f"{nobody.capitalize()}. {story}")
    return Headline(happened, story)


def of_many(entries: Sequence[Entry], kind: str, severity: str, group: str) -> Headline:
    """Tell of several alerts of one ``group``, which names the likely cause when it is a release or flag."""
    cause = f" since {one_line(group, words.NAME)}" if group.startswith(_CHANGED) else ""
    names = phrases.listed(dict.fromkeys(words.title(entry.alert) for entry in entries))
    many = f"{words.count(len(entries), 'alert', 'alerts')}{cause}"
    if kind == Notification.Kind.RESOLVED:
        return Headline(f"{many}: {names}", f"{many} are over: {names}")
    since = words.when(min(entry.alert.began_at for entry in entries))
    worst = words.happened(entries[0].alert)
    story = f"{severity.capitalize()}: {many}: {names}. The first since {since}, the worst: {worst}"
    if kind == Notification.Kind.REMINDER:
        return Headline(f"still {many}: {names}", f"Still. {story}")
    if kind == Notification.Kind.ESCALATION:
        first = min((entry.alert for entry in entries), key=lambda alert: alert.fired_at or alert.began_at)
        nobody = f"nobody acknowledged for {words.waited(first)}"
        return Headline(f"{nobody}: {many}: {names}", f"{nobody.capitalize()}. {story}")
    return Headline(f"{many}: {names}", story)


def of_digest(counts: dict[str, int], notifications: Sequence[Notification]) -> Headline:
    """Tell how many alerts of which rules were held back, and since when."""
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    names = phrases.listed(f"{name} ({number})" if number > 1 else name for name, number in ordered)
    held = f"{words.count(sum(counts.values()), 'alert was', 'alerts were')} held back"
    since = words.when(min(one.made_at for one in notifications))
    return Headline(f"{held}: {names}", f"{held} since {since}, as there were so many messages: {names}")
