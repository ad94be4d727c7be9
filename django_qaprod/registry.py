"""What the host has declared: journeys with their steps, and gauges.

Only data lives here, so that the read side knows what was declared without importing what records.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from .exceptions import DeclarationError, UnknownStepError


# Named tuples, because every start of the host pays for them: a dataclass takes seven times as long to make.
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


_journeys: dict[str, JourneySpec] = {}
_gauges: dict[str, GaugeSpec] = {}
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


@contextmanager
def isolated() -> Iterator[None]:
    """Forget, at the end of the block, what was declared within it. For tests."""
    before, measured, referred = dict(_journeys), dict(_gauges), dict(_references)
    try:
        yield
    finally:
        _journeys.clear()
        _journeys.update(before)
        _gauges.clear()
        _gauges.update(measured)
        _references.clear()
        _references.update(referred)
