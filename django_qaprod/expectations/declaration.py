"""``Expectation``: what must follow what, declared beside the journeys."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from .. import registry
from ..exceptions import DeclarationError
from ..journeys import Step
from ..specs import ExpectationSpec, Repair
from .working_time import WorkingTime

# With what stands before and behind it, it is the name of a cursor.
_MAX_NAME = 150


class Expectation:
    """Every subject that takes the step ``when`` takes the step ``then``, ``within`` that time.

    Registers itself. ``once``: only once for each. ``never_alone``: not without it. ``repair`` is called with
    a breach and ``dry_run=``, ``by_itself`` by the worker, at most ``repairs_per_hour``; it returns words.

    Raises ``DeclarationError`` for what cannot be checked, and when another one has the name.
    """

    def __init__(
        self,
        name: str,
        /,
        *,
        when: Step,
        then: Step,
        within: timedelta | WorkingTime,
        once: bool = False,
        never_alone: bool = False,
        repair: Repair | None = None,
        by_itself: bool = False,
        repairs_per_hour: int = 60,
    ) -> None:
        _refuse(name, when=when, then=then, repair=repair, repairs_per_hour=repairs_per_hour)
        if by_itself and repair is None:
            raise DeclarationError(f"Expectation({name!r}, by_itself=True) says what to do by repair=….")
        self.spec = ExpectationSpec(
            name=name,
            when=(when.journey.name, when.spec.name),
            then=(then.journey.name, then.spec.name),
            due=_due(name, within),
            least=within.length if isinstance(within, WorkingTime) else within,
            once=once,
            never_alone=never_alone,
            repair=repair,
            by_itself=by_itself,
            repairs_per_hour=repairs_per_hour,
        )
        registry.register_expectation(self.spec)

    def __repr__(self) -> str:
        return f"<Expectation {self.spec.name!r}>"


def _due(name: str, within: object) -> Callable[[datetime], datetime]:
    if isinstance(within, WorkingTime):
        return within.due
    if not isinstance(within, timedelta) or within <= timedelta(0):
        raise DeclarationError(
            f"Expectation({name!r}, within=…) is a timedelta above zero or a WorkingTime, not {within!r}."
        )
    return lambda at: at + within


def _refuse(name: Any, *, when: Any, then: Any, repair: Any, repairs_per_hour: Any) -> None:
    if not isinstance(name, str) or not 0 < len(name) <= _MAX_NAME:
        raise DeclarationError(f"An expectation has a name of at most {_MAX_NAME} characters, not {name!r}.")
    for key, step in (("when", when), ("then", then)):
        if not isinstance(step, Step):
            raise DeclarationError(f"Expectation({name!r}, {key}=…) is a step of a journey, not {step!r}.")
    if when.journey.name == then.journey.name and when.spec.name == then.spec.name:
        raise DeclarationError(f"Expectation({name!r}): a step is not expected to follow itself.")
    if repair is not None:
        _refuse_repair(name, repair)
    if not isinstance(repairs_per_hour, int) or isinstance(repairs_per_hour, bool) or repairs_per_hour < 1:
        raise DeclarationError(f"Expectation({name!r}, repairs_per_hour=…) is a number from 1 on.")


def _refuse_repair(name: str, repair: Any) -> None:
    try:
        inspect.signature(repair).bind(object(), dry_run=True)
    except (TypeError, ValueError) as error:
        raise DeclarationError(
            f"Expectation({name!r}, repair=…) is a function of a breach and of dry_run: "
            f"def repair(breach, *, dry_run): … ({error})."
        ) from error
