"""What the worker judges by, as data: expectations, rules and their routes."""

# No ``from __future__ import annotations``: a named tuple compiles each annotation that is a text.
from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple, Protocol


class Repair(Protocol):
    """What sets a breach right; returns in words what it did, or would do."""

    def __call__(self, breach: Any, /, *, dry_run: bool) -> object: ...


class ExpectationSpec(NamedTuple):
    """A declared expectation. ``when`` and ``then`` are a journey's name and a step's.

    ``due`` says until when the one has to follow the other, which is never less than ``least`` later.
    """

    name: str
    when: tuple[str, str]
    then: tuple[str, str]
    due: Callable[[datetime], datetime]
    least: timedelta
    once: bool = False
    never_alone: bool = False
    repair: Repair | None = None
    by_itself: bool = False
    repairs_per_hour: int = 60


class Measure(NamedTuple):
    """What a rule watches.

    ``kind`` is ``step`` (``journey``, ``name``), ``failures`` (``journey``), ``requests`` (``name`` is
    the route), ``breaches`` (``name`` is the expectation), ``gauge`` or ``series`` (``name``). ``where`` are
    further conditions: attributes and their values.
    """

    kind: str
    name: str = ""
    journey: str = ""
    where: tuple[tuple[str, str], ...] = ()


class RuleSpec(NamedTuple):
    """A declared rule. ``kind`` names how it is judged: ``threshold``, ``dip`` and so on.

    ``numbers`` are what the admin may override; durations among them are seconds. ``by`` is the property that
    tells its alerts apart. ``hours`` says whether it is judged at a moment, ``holidays`` which days are
    unlike others of their weekday. ``cron`` is a heartbeat's.
    ``builtin`` rules are ours.
    """

    name: str
    kind: str
    of: Measure
    numbers: Mapping[str, float]
    per: Measure | None = None
    by: str = ""
    severity: str = "error"
    journey: str = ""
    runbook: str = ""
    description: str = ""
    inhibited_by: tuple[str, ...] = ()
    to: tuple[str, ...] = ()
    hours: Callable[[datetime], bool] | None = None
    holidays: Callable[[date], bool] | None = None
    cron: str = ""
    on: bool = True
    builtin: bool = False


class RouteSpec(NamedTuple):
    """A declared route: alerts that match all its conditions go to the channels ``to``.

    Of a severity at least ``severity``; ``journeys`` and ``rules`` match any where they are empty. ``hours``
    says when it is open. Who has not acknowledged within ``escalate_after`` seconds is helped by
    ``escalate_to``. ``further`` lets later routes match, too.
    """

    name: str
    to: tuple[str, ...]
    severity: str = "info"
    journeys: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    hours: Callable[[datetime], bool] | None = None
    escalate_after: float = 0.0
    escalate_to: tuple[str, ...] = ()
    further: bool = False
