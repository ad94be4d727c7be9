"""Rules as they are judged: as the code declares them, with what people changed in the admin."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .. import registry
from ..exceptions import OverrideError
from ..models import Rule
from ..specs import RuleSpec
from ..store import rules as stored


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """What a person says in place of the code: who, and when (ISO 8601). ``code`` is what the code says.

    One that does not fit the rule any more, because the code has changed, does not hold.
    """

    key: str
    value: Any
    code: Any
    who: str
    at: str
    holds: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleState:
    """A rule as ``declared`` and in ``effect``, what is known of it, and what is overridden, by name."""

    declared: RuleSpec
    effect: RuleSpec
    row: Rule
    overrides: Mapping[str, Override] = field(default_factory=dict)


def effective() -> list[RuleSpec]:
    """Return all rules as they are to be judged, in the order of their declaration. One query."""
    rows = Rule.objects.exclude(override={}).values_list("name", "override")
    overrides: dict[str, Any] = dict(rows)
    return [_in_effect(spec, overrides.get(spec.name)) for spec in registry.rules()]


def effective_rule(name: str) -> RuleSpec:
    """Return a rule as it is to be judged. One query. Raises ``OverrideError`` when none has the name."""
    return state(name).effect


def states() -> list[RuleState]:
    """Return all rules with what is known of them, in the order of their declaration. One query."""
    rows = {row.name: row for row in Rule.objects.all()}
    return [_state(spec, rows.get(spec.name)) for spec in registry.rules()]


def state(name: str) -> RuleState:
    """Return a rule with what is known of it. One query. Raises ``OverrideError`` when none has the name."""
    return _state(stored.declared(name), Rule.objects.filter(name=name).first())


def with_override(spec: RuleSpec, key: str, value: Any) -> RuleSpec:
    """Return a rule with another value.

    Raises ``OverrideError`` when it has no such key, or takes no such value.
    """
    value = stored.valid(spec, key, value)
    if key.startswith(stored.NUMBERS):
        return spec._replace(numbers={**spec.numbers, key.removeprefix(stored.NUMBERS): value})
    if key == "to":
        return spec._replace(to=tuple(value))
    return spec._replace(severity=value) if key == "severity" else spec._replace(on=value)


def value_of(spec: RuleSpec, key: str) -> Any:
    """Return what a rule says under a key that can be overridden, ``None`` where it says nothing."""
    if key.startswith(stored.NUMBERS):
        return spec.numbers.get(key.removeprefix(stored.NUMBERS))
    return {"on": spec.on, "severity": spec.severity, "to": spec.to}.get(key)


def _state(spec: RuleSpec, row: Rule | None) -> RuleState:
    row = row or Rule(name=spec.name)
    overrides = {
        key: Override(
            key=key,
            value=value,
            code=value_of(spec, key),
            who=str(given.get("who", "")),
            at=str(given.get("at", "")),
            holds=_applied(spec, [(key, value)]) is not spec,
        )
        for key, value, given in _given(row.override)
    }
    return RuleState(declared=spec, effect=_in_effect(spec, row.override), row=row, overrides=overrides)


def _in_effect(spec: RuleSpec, override: Any) -> RuleSpec:
    return _applied(spec, [(key, value) for key, value, _ in _given(override)])


def _applied(spec: RuleSpec, changes: Iterable[tuple[str, Any]]) -> RuleSpec:
    for key, value in changes:
        try:
            spec = with_override(spec, key, value)
        except OverrideError:
            # The code has changed since: what it says holds, and the page shows the rest.
            continue
    return spec


def _given(override: Any) -> list[tuple[str, Any, Mapping[str, Any]]]:
    # One without a value was given back to the code.
    known = override if isinstance(override, Mapping) else {}
    return [
        (key, given["value"], given)
        for key, given in known.items()
        if isinstance(given, Mapping) and "value" in given
    ]
