"""Which rules explain others: while the one fires, the others are not told."""

from __future__ import annotations

from collections.abc import Collection

from .. import default_rules, registry
from ..registry import RuleSpec

#: Kinds that say little while the whole site is down.
_BLIND = frozenset({"dip", "absence", "out_of_sync"})


def inhibitors(spec: RuleSpec) -> tuple[str, ...]:
    """Return the rules while one of which fires this one is not told."""
    if spec.inhibited_by or spec.kind not in _BLIND:
        return spec.inhibited_by
    return (default_rules.SITE_FAILS,)


def explained_by(spec: RuleSpec, firing: Collection[str]) -> str:
    """Return the rule among those that fire which explains this one, an empty text where none does."""
    return next(
        (name for name in inhibitors(spec) if name in firing and spec.name not in {name, *_behind(name)}), ""
    )


def explained(firing: Collection[str]) -> dict[str, str]:
    """Return, by its name, which of the rules that fire explains each of the others that one explains."""
    if not firing:
        return {}
    return {spec.name: name for spec in registry.rules() if (name := explained_by(spec, firing))}


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
