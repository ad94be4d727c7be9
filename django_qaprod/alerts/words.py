"""Alerts in words: names, times, who and what. In the language that is active, and on one line each."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.utils.dateformat import format as date_format
from django.utils.timezone import get_default_timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext

from .. import clock, registry
from ..exceptions import UnknownStepError
from ..models import Alert, Deploy, Failure, Notification
from ..specs import Measure, RuleSpec
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
    # Translators: the date filter of Django's templates: "Tue 3 Nov 14:05".
    written = date_format(local, pgettext("when something happened", "D j M H:i"))
    return f"{written} {zone if zone.isalpha() else f'UTC{local:%z}'}"


def severity(name: str) -> str:
    """Return a severity as people read it."""
    return str(dict(Failure.Severity.choices).get(name, name))


def cause(group: str) -> str:
    """Return the release or the flag by which alerts are told together; nothing for other causes."""
    kind, _space, name = one_line(group, NAME).partition(" ")
    if kind == "release":
        return _("release %(name)s") % {"name": name}
    return _("flag %(name)s") % {"name": name} if kind == "flag" else ""


def changed(deploy: Deploy) -> str:
    """Return what went live when: ``release 1.4.2 at Tue 3 Nov 14:02 CET: the short form``."""
    note = one_line(deploy.note, SENTENCE)
    said = _("%(cause)s at %(when)s") % {"cause": cause(deploy.named), "when": when(deploy.at)}
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
    found = [part for part in (_met(facts), _left_out(facts)) if part]
    said = "; ".join(found)
    return _("%(said)s so far") % {"said": said} if said and not over else said


def _met(facts: Facts) -> str:
    if facts.hit is None or not (facts.hit.people or facts.hit.subjects):
        return ""
    people, subjects = _people(facts.hit.people), _subjects(facts.hit.subjects)
    whom = people or subjects
    if people and subjects:
        whom = _("%(people)s and %(subjects)s") % {"people": people, "subjects": subjects}
    met = _("at least %(whom)s met its failures") if facts.hit.at_least else _("%(whom)s met its failures")
    return met % {"whom": whom}


def _people(number: int) -> str:
    said = ngettext("%(number)s person", "%(number)s people", number)
    return said % {"number": phrases.number(number)} if number else ""


def _subjects(number: int) -> str:
    said = ngettext("%(number)s subject", "%(number)s subjects", number)
    return said % {"number": phrases.number(number)} if number else ""


def _left_out(facts: Facts) -> str:
    if not facts.breached:
        return ""
    said = ngettext("%(number)s subject was left out", "%(number)s subjects were left out", facts.breached)
    return said % {"number": phrases.number(facts.breached)}


def fewer(alert: Alert) -> str:
    """Return how many fewer than usual there are of what dipped; nothing for other rules."""
    if alert.kind != "dip" or alert.value is None or alert.limit is None or alert.limit <= alert.value:
        return ""
    return _("at least %(number)s fewer than usual") % {"number": phrases.number(alert.limit - alert.value)}


def on_it(alert: Alert) -> str:
    """Return who has acknowledged an alert, and when."""
    if alert.acknowledged_at is None:
        return _("nobody yet")
    who = one_line(alert.acknowledged_by, NAME) or _("somebody")
    return _("%(who)s, since %(when)s") % {"who": who, "when": when(alert.acknowledged_at)}


def ended(alert: Alert, facts: Facts) -> str:
    """Return who ended it, or that its rule is gone: it may be wrong still. Nothing where it healed."""
    end = (facts.ends or {}).get(alert.pk)
    if end is None or (end.who == OURSELVES and end.why != RULE_GONE):
        return ""
    if end.who == OURSELVES:
        return _("nobody judges it any more: its rule was switched off, or is gone")
    said = {"who": one_line(end.who, NAME), "why": one_line(end.why, SENTENCE)}
    return (_("by %(who)s: %(why)s") if said["why"] else _("by %(who)s")) % said


def failure(found: Failure) -> str:
    """Return a failure by its error, place, message and first time: of one error there may be several."""
    error = one_line(found.error_type.rpartition(".")[2], 60)
    if place := one_line(", ".join(filter(None, (found.name, found.route))) or found.culprit, 80):
        error = _("%(error)s in %(place)s") % {"error": error, "place": place}
    said = {
        "error": f"{error}: {one_line(found.message, NAME)}" if found.message else error,
        "number": phrases.number(found.count),
        "when": when(found.first_seen),
    }
    times = ngettext(
        "%(error)s; %(number)s time since %(when)s", "%(error)s; %(number)s times since %(when)s", found.count
    )
    return times % said


def overridden(facts: Facts) -> Iterator[str]:
    """Return what of rules people have set, or given back to the code, within a week."""
    for rule, given in (facts.overrides or {}).items():
        for key, one in given.items():
            if isinstance(one, dict) and _is_news(str(one.get("at", ""))):
                yield one_line(_overridden(rule, key.removeprefix(NUMBERS), one), SENTENCE)


def _overridden(rule: str, name: str, given: dict[str, Any]) -> str:
    said = {"name": name, "rule": rule, "who": given.get("who") or _("somebody")}
    if "value" not in given:
        return _("%(name)s of “%(rule)s” is the code’s again since %(who)s gave it back") % said
    said["value"] = _value(name, given["value"])
    return _("%(name)s of “%(rule)s” is %(value)s since %(who)s set it in the admin") % said


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
        return _("step “%(name)s”") % {"name": _step(measure)}
    if measure.kind == "requests":
        return _("requests of %(route)s") % {"route": measure.name} if measure.name else _("all requests")
    if measure.kind == "breaches":
        said = {"name": measure.name}
        return _("expectation “%(name)s”") % said if measure.name else _("all expectations")
    if measure.kind == "failures":
        critical = not measure.journey and dict(measure.where).get("critical")
        return _("critical views") if critical else _("failures")
    if measure.name == BEATS:
        return _("the job “%(name)s”") % {"name": dict(measure.where).get("label", "")}
    if measure.kind == "gauge":
        return _("gauge %(name)s") % {"name": measure.name}
    return f"{measure.kind} {measure.name}"


def _step(measure: Measure) -> str:
    try:
        return registry.journey(measure.journey).step(measure.name).title
    except UnknownStepError:
        return measure.name


def _apart(alert: Alert, spec: RuleSpec | None) -> str:
    return f"{spec.by} {alert.key}" if spec is not None and spec.by and alert.key else ""
