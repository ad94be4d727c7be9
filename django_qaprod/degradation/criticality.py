"""Mark the views that pay the bills."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any, Never, ParamSpec, TypeVar, cast

from asgiref.sync import iscoroutinefunction

from .. import context, registry
from ..exceptions import DeclarationError
from .declaration import journey_name, require_function

P = ParamSpec("P")
R = TypeVar("R")


def critical(*uncalled: Never, journey: object = "") -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Mark a view whose failures outrank others, and name the journey that they interrupt.

    For functions, sync and async; on a class, ``@method_decorator(critical(…), name="dispatch")``.
    ``journey`` is a ``Journey`` or its name, which a system check compares with those that are declared.
    Raises ``DeclarationError`` where it is not called.
    """
    if uncalled:
        raise DeclarationError("@critical must be called: write @critical() or @critical(journey=…).")
    name = journey_name(journey, "@critical")
    if name:
        registry.refer(name, by="@critical")

    def decorate(view: Callable[P, R]) -> Callable[P, R]:
        require_function(view, "@critical", 'put @method_decorator(critical(…), name="dispatch") on a class')
        if iscoroutinefunction(view):
            return cast("Callable[P, R]", _async_marked(cast("Callable[P, Awaitable[Any]]", view), name))

        @wraps(view)
        def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
            _mark(name)
            return view(*args, **kwargs)

        return wrapper

    return decorate


def _async_marked(view: Callable[P, Awaitable[R]], name: str) -> Callable[P, Awaitable[R]]:
    @wraps(view)
    async def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        _mark(name)
        return await view(*args, **kwargs)

    return wrapper


def _mark(journey: str) -> None:
    current = context.current()
    if current is not None:
        current.critical = True
        if journey:
            current.journey = journey
