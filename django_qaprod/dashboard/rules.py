"""What the pages of rules show: what each says now, and what people have changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.utils.functional import Promise
from django.utils.timesince import timesince
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from .. import clock, registry
from ..conf import sink_paths
from ..default_rules import SINK_STANDS
from ..exceptions import DeclarationError, OverrideError
from ..models import Alert, Failure, Rule
from ..queries import alerts, inhibition
from ..queries import rules as known
from ..queries.inhibition import Explanation
from ..queries.reach import never
from ..queries.rules import Override, RuleState
from ..specs import RuleSpec
from ..store.rules import NUMBERS
from . import durations, measures, windows, words
from .charts import Chart

#: Nothing to say for so long is a warning: it may never fire. One with hours may rest for a week.
DUMB_AFTER, DUMB_AFTER_HOURS = timedelta(days=1), timedelta(days=8)

#: The worst first: the order of the list.
STATES: Mapping[str, Promise] = {
    "failing": gettext_lazy("cannot be judged"),
    "firing": gettext_lazy("firing"),
    "pending": gettext_lazy("pending"),
    "silent": gettext_lazy("says nothing"),
    "ok": gettext_lazy("fine"),
    "idle": gettext_lazy("nothing to watch"),
    "unjudged": gettext_lazy("not judged yet"),
    "off": gettext_lazy("off"),
}
KINDS: Mapping[str, Promise] = {
    "threshold": gettext_lazy("threshold"),
    "ratio": gettext_lazy("ratio"),
    "absence": gettext_lazy("absence"),
    "heartbeat": gettext_lazy("heartbeat"),
    "burn_rate": gettext_lazy("burn rate"),
    "out_of_sync": gettext_lazy("out of sync"),
    "dip": gettext_lazy("dip"),
    "trend": gettext_lazy("trend"),
}
#: What can be changed, without what stands before the names of numbers.
_NAMES: Mapping[str, Promise] = {
    "at_least": gettext_lazy("at least"),
    "at_most": gettext_lazy("at most"),
    "above": gettext_lazy("above"),
    "below": gettext_lazy("below"),
    "reaches": gettext_lazy("reaches"),
    "window": gettext_lazy("window"),
    "within": gettext_lazy("within"),
    "every": gettext_lazy("runs every"),
    "grace": gettext_lazy("grace"),
    "objective": gettext_lazy("objective"),
    "period": gettext_lazy("period of the objective"),
    "once_in_days": gettext_lazy("by chance once in so many days"),
    "weeks": gettext_lazy("weeks to compare with"),
    "min_count": gettext_lazy("of at least so many"),
    "for": gettext_lazy("wrong for so long before it is told"),
    "keep_firing": gettext_lazy("right for so long before it is over"),
    "severity": gettext_lazy("severity"),
    "to": gettext_lazy("channels"),
    "on": gettext_lazy("on"),
}
_SEVERITIES: Mapping[str, Promise | str] = dict(Failure.Severity.choices)
_LIMITS = ("at_least", "at_most", "above", "below", "reaches")


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """The last verdict about one of the things that a rule tells apart."""

    key: str
    wrong: bool
    value: str
    limit: str
    words: str
    usual: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """What a person says in place of the code; it may not hold any more, because the code has changed."""

    key: str
    name: str
    value: str
    in_code: str
    who: str
    at: datetime | None
    holds: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleRow:
    """A rule in the list.

    ``spec`` is as people have changed it; ``dumb`` warns that it may never fire. ``explained`` names the
    rule that fires, too, and holds it back.
    """

    spec: RuleSpec
    state: str
    state_words: str
    kind: str
    severity: str
    said: list[Said]
    more: int
    judged_at: datetime | None
    error: str
    silent: str
    dumb: str
    changed: list[Changed]
    alerts: int
    explained: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RulesPage:
    """What the template of the list shows, the worst first. ``counts`` are of each state that there is."""

    rows: list[RuleRow]
    counts: list[tuple[str, str, int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class RulePage:
    """A rule; ``chart`` is of ``key``, ``None`` when nothing can be drawn. ``numbers`` are in words."""

    row: RuleRow
    known: RuleState
    watches: str
    per: str
    chosen: windows.Chosen
    key: str
    chart: Chart | None
    latest: list[Alert]
    numbers: list[tuple[str, str]]


def page() -> RulesPage:
    """Return all rules, those that come with the app included, the worst first. Three queries.

    Of those that fire the ones that another one explains come last.
    """
    active, explained = alerts.active(), _explained()
    rows = [_row(state, active, explained) for state in known.states()]
    rows.sort(key=lambda row: (list(STATES).index(row.state), bool(row.explained)))
    found = [row.state for row in rows]
    counts = [(state, str(name), found.count(state)) for state, name in STATES.items() if state in found]
    return RulesPage(rows=rows, counts=counts)


def _explained() -> Mapping[str, Explanation]:
    return inhibition.explained(alerts.explaining(clock.now()))


def rule_page(given: Mapping[str, str]) -> RulePage | None:
    """Return the page of the rule that ``?name=`` names, ``None`` when none is declared."""
    name = given.get("name", "").replace("\x00", "")
    try:
        state = known.state(name)
    except OverrideError:
        return None
    spec, row = state.effect, _row(state, alerts.active(), _explained())
    chosen = windows.choose(given)
    key = given.get("key", row.said[0].key if row.said else "").replace("\x00", "")
    return RulePage(
        row=row,
        known=state,
        watches=measures.watched(spec.of),
        per=measures.watched(spec.per) if spec.per is not None else "",
        chosen=chosen,
        key=key,
        chart=_chart(spec, chosen, key),
        latest=list(Alert.objects.filter(rule=name, fired_at__isnull=False).order_by("-fired_at")[:10]),
        numbers=[(name_of(f"{NUMBERS}{one}"), in_words(one, value)) for one, value in spec.numbers.items()],
    )


def name_of(key: str) -> str:
    """Return how people call what can be changed of a rule."""
    name = key.removeprefix(NUMBERS)
    return str(_NAMES.get(name, name))


def limit_of(spec: RuleSpec) -> float | None:
    """Return the number that a rule's value is held against, ``None`` when it is worked out."""
    return next((spec.numbers[key] for key in _LIMITS if key in spec.numbers), None)


def with_unit(spec: RuleSpec, key: str, value: Any) -> str:
    """Return a limit with its unit, where it has one: of ``2147483648`` few people see that it is 2 GiB."""
    unit = measures.unit_of(spec)
    known = key.removeprefix(NUMBERS) in _LIMITS and unit.kind != "count" and value is not None
    return unit.written(value) if known else ""


def in_words(key: str, value: Any) -> str:
    """Return a number or an option of a rule as people read it, and type it."""
    if value is None:
        return ""
    if key.removeprefix(NUMBERS) in registry.DURATIONS and isinstance(value, (int, float)):
        return durations.written(value)
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, (list, tuple)):
        return ", ".join(words.cut(one, 60) for one in value) or _("as the routes say")
    return f"{value:.12g}" if isinstance(value, float) else words.cut(value, 60)


def _row(
    known: RuleState, all_active: Mapping[str, Mapping[str, int]], explained: Mapping[str, Explanation]
) -> RuleRow:
    spec, row, active = known.effect, known.row, all_active.get(known.declared.name, {})
    state, unit = _state(spec, row, active), measures.unit_of(spec)
    verdicts = [
        Said(
            key=str(one.get("key", "")),
            wrong=bool(one.get("wrong")),
            value=unit.written(one.get("value")),
            limit=unit.written(one.get("limit")),
            words=str(one.get("words", "")),
            usual=str(one.get("usual", "")),
        )
        for one in row.verdicts
    ]
    return RuleRow(
        spec=spec,
        state=state,
        state_words=str(STATES[state]),
        kind=str(KINDS.get(spec.kind, spec.kind)),
        severity=str(_SEVERITIES.get(spec.severity, spec.severity)),
        said=verdicts,
        more=max(len(verdicts) - 1, 0),
        judged_at=row.judged_at,
        error=row.error,
        silent=_idle(spec) if state == "idle" else row.silent,
        dumb=_never(spec) or (_dumb(spec, row) if state == "silent" else ""),
        changed=[_changed(one) for one in known.overrides.values()],
        alerts=sum(active.values()),
        explained=explained[spec.name].rule if state == "firing" and spec.name in explained else "",
    )


def _state(spec: RuleSpec, row: Rule, active: Mapping[str, int]) -> str:
    if not spec.on:
        return "off"
    if row.error:
        return "failing"
    if active:
        return "firing" if Alert.State.FIRING in active else "pending"
    if row.judged_at is None:
        return "unjudged"
    if not row.silent:
        return "ok"
    return "idle" if _idle(spec) else "silent"


def _idle(spec: RuleSpec) -> str:
    """Return why a rule of ours has nothing to watch, and is right to say nothing."""
    further = len(sink_paths()) > 1
    return _("There is no further sink.") if spec.builtin and spec.name == SINK_STANDS and not further else ""


def _never(spec: RuleSpec) -> str:
    return _("It can never fire: %(why)s.") % {"why": why} if (why := never(spec)) else ""


def _dumb(spec: RuleSpec, row: Rule) -> str:
    since, now = row.silent_since, clock.now()
    allowed = DUMB_AFTER if spec.hours is None else DUMB_AFTER_HOURS
    if since is None or now - since < allowed:
        return ""
    said = {"span": timesince(since, now, depth=1)}
    return _("for %(span)s: it may have no data, and can never fire then") % said


def _changed(one: Override) -> Changed:
    return Changed(
        key=one.key,
        name=name_of(one.key),
        value=in_words(one.key, one.value),
        in_code=in_words(one.key, one.code) or words.NOTHING,
        who=one.who,
        at=moment(one.at),
        holds=one.holds,
    )


def moment(at: str) -> datetime | None:
    """Return when somebody changed a rule, as it is kept (ISO 8601); ``None`` where it is no time."""
    try:
        return clock.moment(datetime.fromisoformat(at).timestamp())
    except ValueError:
        return None


def _chart(spec: RuleSpec, chosen: windows.Chosen, key: str) -> Chart | None:
    try:
        return measures.chart(spec, chosen.window, key=key, limit=limit_of(spec))
    except DeclarationError:
        return None
