"""One reading of a gauge: what its function answers, as numbers by label."""

from __future__ import annotations

import asyncio
import inspect
import math
from collections.abc import Awaitable, Mapping
from decimal import Decimal
from itertools import islice
from numbers import Real
from typing import NamedTuple

from asgiref.sync import SyncToAsync, ThreadSensitiveContext

from ..exceptions import GaugeTimeoutError, GaugeValueError
from ..pipeline import guard, scrub
from ..registry import GaugeSpec
from ..text import one_line
from .threads import Helpers, Loop

#: Labels of one reading; the others are dropped and counted.
MOST_LABELS = 50
_MAX_LABEL = 100
# So that the sum of any number of readings is finite, too.
_FURTHEST = 1e100


class Labelled(NamedTuple):
    """A number; the label is empty where a gauge has one number alone."""

    label: str
    value: float


def read(spec: GaugeSpec, helpers: Helpers) -> list[Labelled]:
    """Ask a gauge, in this thread; ``helpers`` may be at something still when it has answered.

    Raises what its function raises, ``GaugeValueError`` for what is no number, and ``GaugeTimeoutError``
    when a coroutine runs out of time: what is not async cannot be stopped from here.
    """
    answer = spec.read()
    if inspect.isawaitable(answer):
        # Not by ``async_to_sync``: its coroutine runs in a thread that the process waits for at exit.
        with asyncio.Runner(loop_factory=lambda: Loop(helpers.others)) as runner:
            answer = runner.run(_within(spec, answer, helpers))
    return _readings(spec, answer)


def out_of_time(spec: GaugeSpec) -> GaugeTimeoutError:
    """Return the error of a gauge that did not answer in time."""
    return GaugeTimeoutError(f"The gauge {spec.name} did not answer within {spec.timeout:g} s.")


async def _within(spec: GaugeSpec, answer: Awaitable[object], helpers: Helpers) -> object:
    limit = asyncio.timeout(spec.timeout)
    # The ORM's queries run in one thread, ours: for asgiref's own the process would wait at exit. Never left:
    # what the coroutine has begun besides may still need it while the loop is closed.
    context = await ThreadSensitiveContext().__aenter__()  # type: ignore[no-untyped-call]
    SyncToAsync.context_to_thread_executor[context] = helpers.sensitive
    try:
        async with limit:
            return await answer
    except TimeoutError as error:
        if limit.expired():
            raise out_of_time(spec) from error
        raise


def _readings(spec: GaugeSpec, answer: object) -> list[Labelled]:
    if answer is None:
        return []
    if not isinstance(answer, Mapping):
        return [Labelled("", _number(answer))]
    if len(answer) > MOST_LABELS:
        guard.dropped(f"gauge.{spec.name}.labels", len(answer) - MOST_LABELS)
    return [
        Labelled(_label(label), _number(value))
        for label, value in islice(answer.items(), MOST_LABELS)
        if value is not None
    ]


def _number(value: object) -> float:
    if not isinstance(value, (Real, Decimal)):
        raise GaugeValueError(f"It returned a {type(value).__name__}, which is no number.")
    try:
        number = float(value)
    except (OverflowError, ValueError):
        number = math.inf
    if not abs(number) <= _FURTHEST:
        raise GaugeValueError(
            "It returned a number that is not finite, or beyond 1e100; None says that there is none now."
        )
    return number


def _label(label: object) -> str:
    if not isinstance(label, (str, int)):
        raise GaugeValueError(f"It returned a {type(label).__name__} as a label, which should be a text.")
    return one_line(scrub.text(str(label), 2 * _MAX_LABEL), _MAX_LABEL)
