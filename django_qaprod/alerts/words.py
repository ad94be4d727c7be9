"""Alerts in words: names, times, who and what. English, as their words are kept, and on one line each."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

from django.utils.timezone import get_default_timezone

from .. import clock, registry
from ..exceptions import UnknownStepError
from ..models import Alert, Deploy, Failure, Notification
from ..registry import Measure, RuleSpec
from ..store.alerts import OURSELVES, RULE_GONE
from ..store.rules import NUMBERS
from ..text import one_line
from . import phrases
from .facts import Facts
from .measures import BEATS

#: Characters of a name, and of a sentence, that are shown.
NAME, SENTENCE = 120, 300

_KINDS = Notification.Kind
# What people changed earlier is how the rule is, and no reason why it fires now.
_NEWS = timedelta(days=7)


class Entry(NamedTuple):
    """An alert in a message: the kind of its notification, and its rule as far as that is declared."""

    alert: Alert
    kind: str
    spec: RuleSpec | None = None

    @property
    def over(self) -> bool:
        """Whether it is told that it is over."""
        return self.kind == _KINDS.RESOLVED

    @property
    def waits(self) -> bool:
        """Whether it waits for somebody to acknowledge it."""
        return self.alert.state == Alert.State.FIRING and self.alert.acknowledged_at is None


def title(alert: Alert) -> str:
    """Return the rule's name, with what is told apart: ``applicants give up (Firefox)``."""
    name = one_line(alert.rule, NAME)
    return f"{name} ({one_line(alert.key, 60)})" if alert.key.strip() else name


def happened(alert: Alert) -> str:
    """Return what happened: ``applications fail: 14 in 5 min``."""
    words = one_line(alert.words, SENTENCE)
    return f"{title(alert)}: {words}" if words else title(alert)


def when(moment: datetime) -> str:
    """Return a moment in the site's time zone, which is named: ``Tue 3 Nov 14:05 CET``."""
    # By way of the epoch: without ``USE_TZ`` it has no zone.
    local = datetime.fromtimestamp(clock.epoch(moment), get_default_timezone())
    zone = f"{local:%Z}"
    return f"{local:%a} {local.day} {local:%b %H:%M} {zone if zone.isalpha() else f'UTC{local:%z}'}"


def changed(deploy: Deploy) -> str:
    """Return what went live when: ``release 1.4.2 at Tue 3 Nov 14:02 CET: the short form``."""
    note = one_line(deploy.note, SENTENCE)
    said = f"{one_line(deploy.named, NAME)} at {when(deploy.at)}"
    return f"{said}: {note}" if note else said


def lasted(alert: Alert, until: datetime | None = None) -> str:
    """Return for how long it has been wrong, or was."""
    end = alert.resolved_at or until or clock.now()
    return phrases.span((end - alert.began_at).total_seconds())


def waited(alert: Alert) -> str:
    """Return for how long nobody has acknowledged it."""
    return phrases.span((clock.now() - (alert.fired_at or alert.began_at)).total_seconds())


def where(alert: Alert, spec: RuleSpec | None) -> str:
    """Return which part of the business it is: a journey and its step, a route, what is counted."""
    watched = _watched(spec.of) if spec is not None else ""
    journey = _journey(alert.journey or (spec.of.journey if spec is not None else ""))
    parts = [journey, watched, _apart(alert, spec)]
    return one_line(", ".join(part for part in parts if part), SENTENCE)


def hit(facts: Facts, *, over: bool) -> str:
    """Return how many people failures hit, and how many expectations left out; nothing if none is known."""
    found: list[str] = []
    if facts.hit is not None and (facts.hit.people or facts.hit.subjects):
        counted = [
            count(number, one, many)
            for number, one, many in (
                (facts.hit.people, "person", "people"),
                (facts.hit.subjects, "subject", "subjects"),
            )
            if number
        ]
        least = "at least " if facts.hit.at_least else ""
        found.append(f"{least}{' and '.join(counted)} met its failures")
    if facts.breached:
        found.append(f"{count(facts.breached, 'subject was', 'subjects were')} left out")
    return f"{'; '.join(found)}{'' if over else ' so far'}" if found else ""


def fewer(alert: Alert) -> str:
    """Return how many fewer than usual there are of what dipped; nothing for other rules."""
    if alert.kind != "dip" or alert.value is None or alert.limit is None or alert.limit <= alert.value:
        return ""
    return f"at least {phrases.number(alert.limit - alert.value)} fewer than usual"


def on_it(alert: Alert) -> str:
    """Return who has acknowledged an alert, and when."""
    if alert.acknowledged_at is None:
        return "nobody yet"
    return f"{one_line(alert.acknowledged_by, NAME) or 'somebody'}, since {when(alert.acknowledged_at)}"


def ended(alert: Alert, facts: Facts) -> str:
    """Return who ended it, or that its rule is gone: it may be wrong still. Nothing where it healed."""
    end = (facts.ends or {}).get(alert.pk)
    if end is None or (end.who == OURSELVES and end.why != RULE_GONE):
        return ""
    if end.who == OURSELVES:
        return "nobody judges it any more: its rule was switched off, or is gone"
    why = one_line(end.why, SENTENCE)
    return f"by {one_line(end.who, NAME)}{f': {why}' if why else ''}"


def failure(found: Failure) -> str:
    """Return a failure by its error, message and first time, with the journey or route that it broke."""
    error = one_line(found.error_type.rpartition(".")[2], 60)
    said = f"{error}: {one_line(found.message, NAME)}" if found.message else error
    times = count(found.count, "time", "times")
    return f"{said}; {times} since {when(found.first_seen)}"


def count(number: int, one: str, many: str) -> str:
    """Return a number with what it counts."""
    return f"{phrases.number(number)} {one if number == 1 else many}"


def overridden(facts: Facts) -> Iterator[str]:
    """Return what of rules people have set, or given back to the code, within a week."""
    for rule, said in (facts.overrides or {}).items():
        for key, given in said.items():
            if isinstance(given, dict) and _is_news(str(given.get("at", ""))):
                name, who = key.removeprefix(NUMBERS), given.get("who") or "somebody"
                of = f"{name} of “{rule}” is"
                words = (
                    f"{of} {_value(name, given['value'])} since {who} set it in the admin"
                    if "value" in given
                    else f"{of} the code’s again since {who} gave it back"
                )
                yield one_line(words, SENTENCE)


def _value(name: str, value: object) -> str:
    if isinstance(value, float | int) and not isinstance(value, bool):
        return phrases.span(value) if name in registry.DURATIONS else phrases.number(value)
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _is_news(at: str) -> bool:
    try:
        moment = datetime.fromisoformat(at)
    except ValueError:
        return True
    return clock.epoch(clock.now()) - clock.epoch(moment) < _NEWS.total_seconds()


def _journey(name: str) -> str:
    return next((spec.title for spec in registry.journeys() if spec.name == name), name)


def _watched(measure: Measure) -> str:
    if measure.kind == "step":
        return f"step “{_step(measure)}”"
    if measure.kind == "requests":
        return f"requests of {measure.name}" if measure.name else "all requests"
    if measure.kind == "breaches":
        return f"expectation “{measure.name}”" if measure.name else "all expectations"
    if measure.kind == "failures":
        return "failures" if measure.journey or not dict(measure.where).get("critical") else "critical views"
    if measure.name == BEATS:
        return f"the job “{dict(measure.where).get('label', '')}”"
    return f"{measure.kind} {measure.name}"


def _step(measure: Measure) -> str:
    try:
        return registry.journey(measure.journey).step(measure.name).title
    except UnknownStepError:
        return measure.name


def _apart(alert: Alert, spec: RuleSpec | None) -> str:
    return f"{spec.by} {alert.key}" if spec is not None and spec.by and alert.key else ""
