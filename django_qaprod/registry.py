"""What the host has declared: journeys with their steps, gauges, expectations, rules and routes.

Only data lives here, so that the read side knows what was declared without importing what records.
"""

# No ``from __future__ import annotations``: a named tuple compiles each annotation that is a text, and
# every start of the host pays for those that are here.
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from .exceptions import DeclarationError, UnknownStepError

if TYPE_CHECKING:
    # A host that declares no rule needs none of them at its start.
    from .specs import ExpectationSpec, RouteSpec, RuleSpec


# Named tuples, because a dataclass takes ten times as long to make.
class StepSpec(NamedTuple):
    """A declared step; ``once`` counts a subject once."""

    name: str
    title: str
    once: bool = False


class JourneySpec(NamedTuple):
    """A declared journey. ``steps`` are in the order of the class body: the funnel's order.

    ``variant`` names the property by which forms are compared, ``properties`` those that may be kept.
    """

    name: str
    title: str
    module: str
    steps: tuple[StepSpec, ...]
    variant: str = ""
    properties: tuple[str, ...] = ()

    def step(self, name: str) -> StepSpec:
        """Return the step of that name.

        Raises ``UnknownStepError`` with the names that exist.
        """
        for known in self.steps:
            if known.name == name:
                return known
        names = tuple(known.name for known in self.steps)
        raise UnknownStepError(
            f"{self.name} has no step named {name!r}. It has: {', '.join(names)}.", known=names
        )


class GaugeSpec(NamedTuple):
    """A declared gauge: ``read`` is asked for a number ``every`` so many seconds, and may take ``timeout``.

    ``place`` is the function's module and name; ``limit`` the most that the number can be.
    """

    name: str
    read: Callable[[], object]
    place: str
    every: float
    timeout: float
    unit: str = ""
    description: str = ""
    limit: float | None = None


#: What is told apart and has no value is called so; the empty text is all together.
NO_VALUE = "(none)"


#: Of failures and alerts, the least first.
SEVERITIES = ("info", "warning", "error", "critical")
#: Numbers of a rule that are seconds.
DURATIONS = frozenset({"window", "for", "keep_firing", "within", "every", "grace", "period"})
#: The most that some may be. A look costs what its window holds: one of a thousand years would be the last.
MOST: Mapping[str, float] = {**dict.fromkeys(DURATIONS, 400 * 86400.0), "weeks": 53.0}


_journeys: dict[str, JourneySpec] = {}
_gauges: dict[str, GaugeSpec] = {}
_expectations: dict[str, "ExpectationSpec"] = {}
_rules: dict[str, "RuleSpec"] = {}
_routes: dict[str, "RouteSpec"] = {}
# Each once, in their order: the name of a journey, and what names it.
_references: dict[tuple[str, str], None] = {}


def register(spec: JourneySpec) -> None:
    """Add a journey. The same class imported again replaces itself.

    Raises ``DeclarationError`` when another module has taken the name.
    """
    known = _journeys.get(spec.name)
    if known is not None and known.module != spec.module:
        raise DeclarationError(
            f"A journey named {spec.name!r} is already declared in {known.module}. "
            f'Give the one in {spec.module} another name with `name = "…"`.'
        )
    _journeys[spec.name] = spec


def journeys() -> tuple[JourneySpec, ...]:
    """Return the declared journeys in the order of their declaration."""
    return tuple(_journeys.values())


def journey(name: str) -> JourneySpec:
    """Return the journey of that name.

    Raises ``UnknownStepError`` with the names that exist.
    """
    try:
        return _journeys[name]
    except KeyError:
        known = tuple(_journeys)
        raise UnknownStepError(
            f"No journey is named {name!r}. Declared are: {', '.join(known) or 'none'}.", known=known
        ) from None


def refer(name: str, *, by: str) -> None:
    """Remember that a decorator names a journey, which may be declared later; ``by`` is for people."""
    _references[name, by] = None


def unknown_references() -> list[tuple[str, str]]:
    """Return the names that name no journey, each with what names it, for the system checks."""
    return [(name, by) for name, by in _references if name not in _journeys]


def register_gauge(spec: GaugeSpec) -> None:
    """Add a gauge. The same function imported again replaces itself.

    Raises ``DeclarationError`` when another function has taken the name.
    """
    known = _gauges.get(spec.name)
    if known is not None and known.place != spec.place:
        raise DeclarationError(
            f"A gauge named {spec.name!r} is already declared, {known.place}. "
            f"Give the one in {spec.place} another name."
        )
    _gauges[spec.name] = spec


def gauges() -> tuple[GaugeSpec, ...]:
    """Return the declared gauges in the order of their declaration."""
    return tuple(_gauges.values())


def register_expectation(spec: "ExpectationSpec") -> None:
    """Add an expectation. The same one declared again replaces itself.

    Raises ``DeclarationError`` when one of other steps has the name.
    """
    known = _expectations.get(spec.name)
    if known is not None and (known.when, known.then) != (spec.when, spec.then):
        raise DeclarationError(
            f"An expectation named {spec.name!r} is already declared, of {'.'.join(known.when)}. "
            f"Give the one of {'.'.join(spec.when)} another name."
        )
    _expectations[spec.name] = spec


def expectations() -> tuple["ExpectationSpec", ...]:
    """Return the declared expectations in the order of their declaration."""
    return tuple(_expectations.values())


def register_rule(spec: "RuleSpec") -> None:
    """Add a rule. The same one declared again replaces itself, and one of ours that has its name.

    Raises ``DeclarationError`` when one that watches something else has the name.
    """
    known = _rules.get(spec.name)
    if known is not None and (known.kind, known.of) != (spec.kind, spec.of):
        raise DeclarationError(
            f"A rule named {spec.name!r} is already declared. Give one of the two another name."
        )
    _rules[spec.name] = spec


def rules() -> tuple["RuleSpec", ...]:
    """Return the rules that come with the app, then the declared ones in the order of their declaration.

    Where a host has taken the name of one of ours, it is the host's; without ``QAPROD["DEFAULT_RULES"]``
    there are none of ours.
    """
    # Late: declarations are read at every start, and who judges them comes later.
    from . import default_rules
    from .conf import settings

    ours = default_rules.rules() if settings().default_rules else ()
    return (*(spec for spec in ours if spec.name not in _rules), *_rules.values())


def register_route(spec: "RouteSpec") -> None:
    """Add a route, behind those that are declared already. One of the same name is replaced."""
    _routes[spec.name] = spec


def routes() -> tuple["RouteSpec", ...]:
    """Return the declared routes in the order in which they are tried."""
    return tuple(_routes.values())


@contextmanager
def isolated() -> Iterator[None]:
    """Forget, at the end of the block, what was declared within it. For tests."""
    kept: tuple[dict[Any, Any], ...] = (
        _journeys, _gauges, _expectations, _rules, _routes, _references,
    )  # fmt: skip
    before = [dict(declared) for declared in kept]
    try:
        yield
    finally:
        for declared, known in zip(kept, before, strict=True):
            declared.clear()
            declared.update(known)
