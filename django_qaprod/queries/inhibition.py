"""Which rules explain others: while the one fires, and shortly after, the others are not told."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from .. import default_rules, registry
from ..specs import RuleSpec

#: Kinds that say little while the whole site is down.
_BLIND = frozenset({"dip", "absence", "out_of_sync"})


class Explanation(NamedTuple):
    """The rule that explains alerts of another one, as far as these began ``until`` then."""

    rule: str
    until: datetime


def inhibitors(spec: RuleSpec) -> tuple[str, ...]:
    """Return the rules while one of which fires this one is not told."""
    if spec.inhibited_by or spec.kind not in _BLIND:
        return spec.inhibited_by
    return (default_rules.SITE_FAILS,)


def explanation(spec: RuleSpec, explaining: Mapping[str, datetime]) -> Explanation | None:
    """Return which of the rules that may explain others explains the alerts of this one, the longest."""
    found = [
        Explanation(name, explaining[name])
        for name in inhibitors(spec)
        if name in explaining and spec.name not in {name, *_behind(name)}
    ]
    return max(found, key=lambda one: one.until, default=None)


def explained(explaining: Mapping[str, datetime]) -> dict[str, Explanation]:
    """Return by its name what explains each rule of which the alerts are explained."""
    if not explaining:
        return {}
    return {spec.name: found for spec in registry.rules() if (found := explanation(spec, explaining))}


def _behind(name: str) -> set[str]:
    """Return the rules that keep this one back, themselves or through others.

    Of two that keep each other back nobody would be told.
    """
    specs = {spec.name: spec for spec in registry.rules()}
    found: set[str] = set()
    left = [name]
    while left:
        spec = specs.get(left.pop())
        new = set(inhibitors(spec)) - found if spec is not None else set()
        found |= new
        left += new
    return found
