"""What a visitor is served instead."""

from __future__ import annotations

from collections.abc import Callable
from inspect import signature
from typing import Any

from ..exceptions import DeclarationError


def fallback_from(given: Any) -> Callable[[Exception], Any]:
    """Return what makes the fallback of an exception. How it is called is decided here, once.

    Raises ``DeclarationError`` for what could only go wrong when it is needed.
    """
    if given is None:
        return _nothing
    if isinstance(given, (list, dict, set, bytearray)):
        raise DeclarationError(
            f"One {type(given).__name__} would be shared by all who are served it. "
            f"Write fallback={type(given).__name__} for an empty one, fallback=lambda: … for another."
        )
    if not callable(given):
        return lambda error: given
    if isinstance(given, type) and not issubclass(given, BaseException):
        # ``dict``, ``list``, a form: what they take is not an exception.
        return lambda error: given()
    if _takes(given, 1):
        function: Callable[[Exception], Any] = given
        return function
    if _takes(given, 0):
        return lambda error: given()
    raise DeclarationError(
        f"The fallback {given!r} is called with the exception or with nothing; it takes neither."
    )


def _nothing(error: Exception) -> None:
    return None


def _takes(function: Callable[..., Any], count: int) -> bool:
    try:
        signature(function).bind(*[None] * count)
    except TypeError:
        return False
    except ValueError:
        # Some functions written in C do not say. The exception is what is documented.
        return count == 1
    return True
