"""What the pages of alerts show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils.timesince import timesince
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from .. import clock, registry
from ..exceptions import DeclarationError
from ..models import Alert, Failure, Notification, Silence, Transition
from ..queries import alerts, circumstances, inhibition, people
from ..queries.inhibition import Explanation
from ..queries.people import Asked, Hit
from ..specs import Measure, RuleSpec
from ..store import silences
from . import changes, measures, words
from .changes import Change
from .charts import Chart
from .healing import healing

#: What failed for the first time so long before it was wrong first may be the cause.
_SHORTLY_BEFORE = timedelta(minutes=30)
_MOST = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Hush:
    """What keeps an alert quiet. Empty when nothing does.

    A silence, a rule that explains it (``explained``), or what else its message waits for. ``right`` says
    since when it is right again where it is kept firing.
    """

    silence: Silence | None = None
    explained: str = ""
    held: str = ""
    right: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """What is said where no alert is: how many rules watch, and how long ago they were judged."""

    rules: int
    looked: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertPage:
    """An alert. ``spec`` is ``None`` and ``chart`` too when its rule is not declared any more."""

    spec: RuleSpec | None
    watches: str
    per: str
    value: str
    limit: str
    lasted: str
    hush: Hush
    transitions: list[Transition]
    notifications: list[Notification]
    earlier: list[Alert]
    failures: list[Failure]
    #: Whom the failures hit that belong to what is watched, in words.
    hit: str
    #: What changed before it fired, as its message says.
    changes: list[Change]
    chart: Chart | None


def page(alert: Alert, *, with_failures: bool = True) -> AlertPage:
    """Return what is shown of an alert; failures only to who may look at them."""
    spec = next((spec for spec in registry.rules() if spec.name == alert.rule), None)
    unit = measures.unit_of(spec) if spec is not None else None
    since, until = _around(alert, clock.now())
    watched = _watched(alert, spec)
    return AlertPage(
        spec=spec,
        watches=measures.watched(spec.of) if spec is not None else "",
        per=measures.watched(spec.per) if spec is not None and spec.per is not None else "",
        value=unit.written(alert.value) if unit is not None else words.number(alert.value),
        limit=unit.written(alert.limit) if unit is not None else words.number(alert.limit),
        lasted=lasted(alert),
        hush=hushes([alert], explained() if alert.state == Alert.State.FIRING else {})[0],
        transitions=list(alert.transitions.all()[:50]),
        notifications=alerts.notifications(alert),
        earlier=alerts.before(alert),
        failures=circumstances.new_failures(watched, since, until, most=_MOST) if with_failures else [],
        hit=", ".join(_hit(people.hit(watched, since, until))) if with_failures else "",
        changes=changes.before(alert),
        chart=_chart(alert, spec) if spec is not None else None,
    )


def hushes(shown: Sequence[Alert], explained: Mapping[str, Explanation]) -> list[Hush]:
    """Return what keeps each of some alerts quiet; ``explained`` are rules, with those that explain them.

    Two queries, and one where some are kept firing; none when nothing is shown.
    """
    active = [alert for alert in shown if alert.state != Alert.State.RESOLVED]
    if not active:
        return [Hush() for _alert in shown]
    asked, held = silences.active(clock.now()), alerts.held([alert.pk for alert in active])
    right = healing(active)
    return [
        Hush(
            silence=silences.matching(alert, asked),
            explained=_explained(alert, explained.get(alert.rule)),
            held=held.get(alert.pk, ""),
            right=right.get(alert.pk, ""),
        )
        if alert.state != Alert.State.RESOLVED
        else Hush()
        for alert in shown
    ]


def explained() -> dict[str, Explanation]:
    """Return the rules of which alerts are not told because another one explains them. One query."""
    return inhibition.explained(alerts.explaining(clock.now()))


def _explained(alert: Alert, by: Explanation | None) -> str:
    is_so = by is not None and alert.state == Alert.State.FIRING and alert.began_at <= by.until
    return by.rule if by is not None and is_so else ""


def hits(shown: Sequence[Alert]) -> list[list[str]]:
    """Return whom the failures around each of some alerts hit, in words. Two queries at most."""
    specs, now = {spec.name: spec for spec in registry.rules()}, clock.now()
    asked = [Asked(tuple(_watched(one, specs.get(one.rule))), *_around(one, now)) for one in shown]
    return [_hit(hit) for hit in people.hits(asked)]


def title(alert: Alert) -> str:
    """Return the rule's name, with what it tells apart."""
    return words.cut(f"{alert.rule}: {alert.key}" if alert.key else alert.rule, 120)


def watch() -> Watch:
    """Return who watches while nothing fires."""
    looked = alerts.last_look()
    passed = words.seconds((clock.now() - looked).total_seconds()) if looked is not None else ""
    return Watch(rules=len(registry.rules()), looked=_("%(span)s ago") % {"span": passed} if passed else "")


def lasted(alert: Alert) -> str:
    """Return how long it has been wrong, or was."""
    end = alert.resolved_at or clock.now()
    if end - alert.began_at < timedelta(minutes=1):
        return _("less than a minute")
    return timesince(alert.began_at, end, depth=2)


def hushed(hush: Hush) -> str:
    """Return in words why an alert is quiet."""
    if hush.silence is not None:
        names = {"until": words.moment(hush.silence.until), "who": words.cut(hush.silence.who, 60)}
        return _("silent until %(until)s by %(who)s") % names
    if hush.explained:
        return _("held back: “%(rule)s” explains it") % {"rule": words.cut(hush.explained, 90)}
    return words.cut(hush.held, 120)


def _hit(hit: Hit | None) -> list[str]:
    """Return how many people and how many subjects, what of both is known."""
    if hit is None:
        return []
    if hit.at_least:
        persons = ngettext("at least %(n)s person", "at least %(n)s people", hit.people)
        subjects = ngettext("at least %(n)s subject", "at least %(n)s subjects", hit.subjects)
    else:
        persons = ngettext("%(n)s person", "%(n)s people", hit.people)
        subjects = ngettext("%(n)s subject", "%(n)s subjects", hit.subjects)
    met = ((persons, hit.people), (subjects, hit.subjects))
    return [label % {"n": words.number(number)} for label, number in met if number]


def _around(alert: Alert, now: datetime) -> tuple[datetime, datetime]:
    """Return the stretch in which what fails may belong to an alert."""
    return alert.began_at - _SHORTLY_BEFORE, alert.resolved_at or now


def _watched(alert: Alert, spec: RuleSpec | None) -> list[Measure]:
    if spec is not None:
        return [spec.of]
    # What a rule that is gone has watched is not known; the journey is.
    return [Measure(kind="step", journey=alert.journey)] if alert.journey else []


def _chart(alert: Alert, spec: RuleSpec) -> Chart | None:
    window = measures.stretch(spec, alert.began_at, alert.resolved_at)
    try:
        return measures.chart(spec, window, key=alert.key, limit=alert.limit)
    except DeclarationError:
        # The rule's own page says that it cannot be judged.
        return None
