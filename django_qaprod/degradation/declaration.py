"""What the decorators accept, checked once, when they are applied."""

from __future__ import annotations

from inspect import isasyncgenfunction, isgeneratorfunction

from ..exceptions import DeclarationError


def require_function(function: object, decorator: str, for_classes: str) -> None:
    """Raise ``DeclarationError``, with what to do, for what the decorator cannot wrap."""
    if isinstance(function, type):
        raise DeclarationError(f"{decorator} is for functions and methods; {for_classes}.")
    if isinstance(function, (staticmethod, classmethod)):
        raise DeclarationError(
            f"{decorator} goes under @{type(function).__name__}, next to the function: swap the two lines."
        )
    if not callable(function):
        raise DeclarationError(f"{decorator} wraps a function, not {function!r}.")


def refuse_generators(function: object, decorator: str) -> None:
    """Raise ``DeclarationError`` for generators, whose errors come when the decorator has long returned."""
    if isgeneratorfunction(function) or isasyncgenfunction(function):
        raise DeclarationError(
            f"{decorator} cannot wrap the generator {getattr(function, '__qualname__', function)!r}: what it "
            "has yielded cannot be taken back. Use `with degrade(…)` inside it, around what may fail."
        )


def journey_name(journey: object, decorator: str) -> str:
    """Return the name of a journey, given as such or as its class.

    Raises ``DeclarationError`` for anything else.
    """
    if isinstance(journey, str):
        return journey
    name = getattr(getattr(journey, "spec", journey), "name", None)
    if isinstance(name, str):
        return name
    raise DeclarationError(f"{decorator}: journey is a Journey or its name, not {journey!r}.")


def exception_types(given: object, option: str) -> tuple[type[Exception], ...]:
    """Return one exception class or several as a tuple.

    Raises ``DeclarationError`` for what is not an ``Exception``: exits, cancellations, interrupts.
    """
    types = given if isinstance(given, (tuple, list, set, frozenset)) else (given,)
    for error_type in types:
        if not isinstance(error_type, type) or not issubclass(error_type, Exception):
            raise DeclarationError(
                f"{option} takes exception classes, not {error_type!r}. SystemExit, KeyboardInterrupt, "
                "GeneratorExit and CancelledError are never swallowed."
            )
    return tuple(types)
