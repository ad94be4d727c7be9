"""What people say of rules in place of the code. What a look finds is kept by ``looks``."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

from django.db import transaction

from .. import clock, registry
from ..budgets import LEAST_PERIOD
from ..conf import telemetry_alias
from ..exceptions import OverrideError
from ..models import Rule
from ..registry import MOST, SEVERITIES
from ..specs import RuleSpec
from ..text import clean
from .statements import limit

#: Before the name of a number.
NUMBERS: Final = "numbers."

# What a rule of a kind may have although its declaration leaves it out.
_OPTIONAL = {"dip": ("window", "min_count"), "trend": ("window",)}
_ALWAYS = ("min_count", "for", "keep_firing")
_ABOVE_ZERO = frozenset({"window", "within", "every", "period", "once_in_days", "weeks", "objective"})
# As of what is declared: readings may be below zero, and these are shares.
_READINGS = frozenset({"at_least", "at_most", "reaches"})
_SHARES = frozenset(
    {("ratio", "above"), ("ratio", "below"), ("out_of_sync", "at_least"), ("burn_rate", "objective")}
)
_MOST_CHANNELS = 20
# Neither infinite nor what no float holds.
_LARGEST = 1e15


def declared(name: str) -> RuleSpec:
    """Return the rule of that name as the code declares it. Raises ``OverrideError`` when there is none."""
    found = next((spec for spec in registry.rules() if spec.name == name), None)
    if found is None:
        raise OverrideError(f"No rule is named {name!r}.")
    return found


def keys(spec: RuleSpec) -> tuple[str, ...]:
    """Return what can be overridden of a rule."""
    numbers = dict.fromkeys((*spec.numbers, *_ALWAYS, *_OPTIONAL.get(spec.kind, ())))
    return ("on", "severity", "to", *(f"{NUMBERS}{name}" for name in numbers))


def valid(spec: RuleSpec, key: str, value: Any) -> Any:
    """Return a value as it is kept.

    Raises ``OverrideError`` when the rule has no such key, or takes no such value.
    """
    if key not in keys(spec):
        raise OverrideError(f"{spec.name!r} has no {key!r} that can be changed: {', '.join(keys(spec))}.")
    if key.startswith(NUMBERS):
        return _number(spec, key.removeprefix(NUMBERS), value)
    if key == "on":
        if not isinstance(value, bool):
            raise OverrideError(f"Whether {spec.name!r} is on is true or false, not {value!r}.")
        return value
    if key == "severity":
        if value not in SEVERITIES:
            raise OverrideError(f"The severity is one of {', '.join(SEVERITIES)}, not {value!r}.")
        return value
    return _channels(spec, value)


def override(name: str, key: str, value: Any, *, who: str, using: str | None = None) -> None:
    """Say something of a rule in place of the code, from the next look on.

    Durations are seconds. Two people who change different keys at once both have their way. Raises
    ``OverrideError`` when there is no such rule, when it has no such key, or takes no such value.
    """
    said = {"value": valid(declared(name), key, value), **_by(who)}
    _change(name, lambda known: {**known, key: said}, using=using)


def give_back(name: str, key: str | None = None, *, who: str, using: str | None = None) -> bool:
    """Let the code say again what a rule is, of one key or of all; return whether that changes anything.

    Also of a rule that is not declared any more. Who asked for it, and when, is kept in place of the value.
    """
    given_back = _by(who)
    return _change(
        name,
        lambda known: {
            one: given_back if key in {None, one} and "value" in said else said for one, said in known.items()
        },
        using=using,
        make=False,
    )


def _by(who: str) -> dict[str, str]:
    at = datetime.fromtimestamp(clock.epoch(clock.now()), UTC).isoformat(timespec="seconds")
    return {"who": clean(who, 150), "at": at}


def _change(
    name: str,
    change: Callable[[dict[str, Any]], dict[str, Any]],
    *,
    using: str | None,
    make: bool = True,
) -> bool:
    alias = using or telemetry_alias()
    name = clean(name, limit(Rule, "name"))
    rows = Rule.objects.using(alias).filter(name=name)
    with transaction.atomic(using=alias):
        if make:
            # Before it is read: on SQLite this is what makes the transaction the only one that writes.
            Rule.objects.using(alias).bulk_create([Rule(name=name)], ignore_conflicts=True)
        known = rows.select_for_update().values_list("override", flat=True).first()
        if known is None:
            return False
        after = change(known)
        return after != known and bool(rows.update(override=after))


def _number(spec: RuleSpec, name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) <= _LARGEST:
        raise OverrideError(f"{name} of {spec.name!r} is a number, not {value!r}.")
    signed = spec.of.kind == "gauge" and name in _READINGS
    if (value < 0 and not signed) or (value == 0 and name in _ABOVE_ZERO):
        raise OverrideError(f"{name} of {spec.name!r} is above zero, not {value!r}.")
    if value > MOST.get(name, math.inf):
        raise OverrideError(f"{name} of {spec.name!r} is at most {MOST[name]:.0f}, not {value!r}.")
    if (spec.kind, name) in _SHARES and (value > 1 or (value == 1 and name in {"above", "objective"})):
        raise OverrideError(f"{name} of {spec.name!r} is a share between 0 and 1, not {value!r}.")
    if name == "period" and value < LEAST_PERIOD:
        raise OverrideError(f"period of {spec.name!r} is three days or more, not {value!r} seconds.")
    return float(value)


def _channels(spec: RuleSpec, value: Any) -> list[str]:
    if not isinstance(value, (list, tuple)) or not all(isinstance(one, str) and one for one in value):
        raise OverrideError(f"To whom {spec.name!r} goes is a list of names of channels, not {value!r}.")
    return list(dict.fromkeys(value))[:_MOST_CHANNELS]
