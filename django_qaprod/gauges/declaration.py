"""``gauge``: a number of the host's, declared by the function that knows it."""

from __future__ import annotations

import inspect
import math
import re
import reprlib
from collections.abc import Awaitable, Callable, Mapping
from decimal import Decimal
from numbers import Real
from typing import Any, TypeAlias, TypeVar

from .. import metrics, registry
from ..exceptions import DeclarationError
from ..registry import GaugeSpec

Number: TypeAlias = "float | Decimal | Real | None"
#: What may be returned: a number, ``None`` for no reading now, or several by label.
Reading: TypeAlias = "Number | Mapping[str, float] | Mapping[str, Decimal] | Mapping[str, Number]"

Function = TypeVar("Function", bound=Callable[[], "Reading | Awaitable[Reading]"])

#: Seconds.
SHORTEST, LONGEST, LONGEST_TIMEOUT = 5, 86_400, 300
#: Characters.
LONGEST_UNIT = 40

# As https://opentelemetry.io/docs/specs/otel/metrics/api/#instrument-name-syntax, and shorter.
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_./-]{0,99}")
# As https://ucum.org/ucum#section-Character-Set-and-Lexical-Rules: printable ASCII, and what braces enclose
# is neither empty nor has braces itself.
_UNIT = re.compile(r"(?:[!-z|~]|\{[!-z|~]+\})*")


def gauge(
    name: str,
    *,
    every: float = 60,
    unit: str = "",
    timeout: float = 10,
    description: str = "",
    limit: float | None = None,
) -> Callable[[Function], Function]:
    """Declare that a function, sync or async, is asked for a number ``every`` so many seconds.

    Called by the worker without arguments, once for the whole installation, in a thread of its own. It
    returns a number, ``None`` when there is none now, or a mapping of labels to numbers. An error, and not
    to have answered within ``timeout`` seconds, is a failure named after the gauge.

    ``unit`` is in UCUM: ``By``, ``s``, ``1`` for a share, ``{message}`` for things that are counted.
    ``limit`` is the most that the number can be. ``description`` is the docstring's first line if left out.

    Raises ``DeclarationError`` for what cannot work.
    """
    _refuse_texts(name, unit)
    _refuse_numbers(name, every, timeout, limit)

    def declare(function: Function) -> Function:
        _refuse_function(name, function)
        registry.register_gauge(
            GaugeSpec(
                name=name,
                read=function,
                place=f"{function.__module__}.{getattr(function, '__qualname__', type(function).__name__)}",
                every=every,
                timeout=timeout,
                unit=unit,
                description=description or _summary(function),
                limit=limit,
            )
        )
        return function

    return declare


def _refuse_texts(name: object, unit: object) -> None:
    if not isinstance(name, str):
        raise DeclarationError('A gauge has a name: @gauge("queue.dead_letters").')
    if not _NAME.fullmatch(name):
        raise DeclarationError(
            f"{name[:120]!r} cannot be a gauge's name: at most 100 letters, digits and _ . - /, "
            "of which the first is a letter."
        )
    if name in metrics.UNITS or name.startswith(metrics.OURS):
        raise DeclarationError(f"{name!r} is the name of a number of ours; choose another one.")
    if not isinstance(unit, str) or len(unit) > LONGEST_UNIT or not _UNIT.fullmatch(unit):
        raise DeclarationError(
            f"@gauge({name!r}, unit=…) is a text of at most {LONGEST_UNIT} ASCII characters without spaces, "
            'as "By", "s", "1" or, for what is counted, a word in braces, as "{message}" or "{open_order}"; '
            f"not {reprlib.repr(unit)}."
        )


def _refuse_numbers(name: str, every: Any, timeout: Any, limit: Any) -> None:
    if not _is_number(every) or not SHORTEST <= every <= LONGEST:
        raise DeclarationError(
            f"@gauge({name!r}, every=…) is a number of seconds from {SHORTEST} to {LONGEST}, not {every!r}."
        )
    if not _is_number(timeout) or not 0 < timeout <= LONGEST_TIMEOUT:
        raise DeclarationError(
            f"@gauge({name!r}, timeout=…) is a number of seconds above 0, at most {LONGEST_TIMEOUT}, "
            f"not {timeout!r}."
        )
    if limit is not None and not (_is_number(limit) and math.isfinite(limit)):
        raise DeclarationError(f"@gauge({name!r}, limit=…) is a number, not {limit!r}.")


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _refuse_function(name: str, function: object) -> None:
    if isinstance(function, type) or not callable(function):
        raise DeclarationError(f"@gauge({name!r}) decorates a function, not {function!r}.")
    try:
        inspect.signature(function).bind()
    except (TypeError, ValueError) as error:
        raise DeclarationError(
            f"The gauge {name!r} is asked without arguments, and its function does not take that: {error}."
        ) from error


def _summary(function: object) -> str:
    return (inspect.getdoc(function) or "").partition("\n")[0].strip()
