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

from asgiref.sync import ThreadSensitiveContext, sync_to_async

from ..exceptions import GaugeTimeoutError, GaugeValueError
from ..pipeline import guard, scrub
from ..registry import GaugeSpec
from ..store import connections
from ..text import one_line

#: Labels of one reading; the others are dropped and counted.
MOST_LABELS = 50
_MAX_LABEL = 100
# So that the sum of any number of readings is finite, too.
_FURTHEST = 1e100


class Labelled(NamedTuple):
    """A number; the label is empty where a gauge has one number alone."""

    label: str
    value: float


def read(spec: GaugeSpec) -> list[Labelled]:
    """Ask a gauge, in this thread.

    Raises what its function raises, ``GaugeValueError`` for what is no number, and ``GaugeTimeoutError``
    when a coroutine runs out of time: what is not async cannot be stopped from here.
    """
    answer = spec.read()
    if inspect.isawaitable(answer):
        # Not by ``async_to_sync``: its coroutine runs in a thread that the process waits for at exit.
        answer = asyncio.run(_within(spec, answer))
    return _readings(answer)


def out_of_time(spec: GaugeSpec) -> GaugeTimeoutError:
    """Return the error of a gauge that did not answer in time."""
    return GaugeTimeoutError(f"The gauge {spec.name} did not answer within {spec.timeout:g} s.")


async def _within(spec: GaugeSpec, answer: Awaitable[object]) -> object:
    limit = asyncio.timeout(spec.timeout)
    # The ORM's queries run in one thread of this context's own, so that their connections can be closed.
    async with ThreadSensitiveContext():
        try:
            async with limit:
                return await answer
        except TimeoutError as error:
            if limit.expired():
                raise out_of_time(spec) from error
            raise
        finally:
            await sync_to_async(connections.close)()


def _readings(answer: object) -> list[Labelled]:
    if answer is None:
        return []
    if not isinstance(answer, Mapping):
        return [Labelled("", _number(answer))]
    if len(answer) > MOST_LABELS:
        guard.dropped("gauges.labels", len(answer) - MOST_LABELS)
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
