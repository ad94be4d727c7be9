"""Rules that can never fire, whatever happens: by what they say, not by what was counted."""

from __future__ import annotations

from .. import registry
from ..budgets import WINDOWS
from ..specs import RuleSpec


def never(spec: RuleSpec) -> str:
    """Return why a rule can never fire, an empty text where it can."""
    numbers, shares = spec.numbers, _are_part(spec)
    if spec.kind == "ratio" and shares and numbers.get("above", 0.0) >= 1:
        return "no share is above 100%"
    if spec.kind == "ratio" and numbers.get("below", 1.0) <= 0:
        return "no share is below 0%"
    if spec.kind == "out_of_sync" and numbers.get("at_least", 1.0) <= 0:
        return "no share is below 0%"
    if spec.kind == "burn_rate" and shares and _lowest_burn(spec) > 1:
        return "so many errors are allowed that all of them are not too fast"
    if spec.kind == "trend" and (limit := _limit(spec)) is not None and numbers["reaches"] > limit:
        return f"the gauge is never above {limit:g}"
    return ""


def _are_part(spec: RuleSpec) -> bool:
    """Return whether what is watched is a part of what it is the share of."""
    per = spec.per
    return per is not None and spec.of.kind == per.kind == "requests" and per.name in {"", spec.of.name}


def _lowest_burn(spec: RuleSpec) -> float:
    """Return the smallest share of errors that is too fast, by any of the windows."""
    period = spec.numbers["period"]
    return min(windows.rate(period) for windows in WINDOWS) * (1 - spec.numbers["objective"])


def _limit(spec: RuleSpec) -> float | None:
    return next((gauge.limit for gauge in registry.gauges() if gauge.name == spec.of.name), None)
