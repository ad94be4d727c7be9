"""Records a step when a view or function succeeds."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping
from functools import wraps
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, cast

from asgiref.sync import iscoroutinefunction, sync_to_async
from django.http.response import HttpResponseBase

from .. import conf
from ..exceptions import DeclarationError
from ..pipeline import guard
from . import recording

if TYPE_CHECKING:
    from .step import Step

P = ParamSpec("P")
R = TypeVar("R")

Subject = str | Callable[..., object]
Properties = Callable[..., Mapping[str, object]] | None


def decorator(
    step: Step, *, subject: Subject, properties: Properties
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Return the decorator that records ``step`` when the decorated function succeeds."""
    if not isinstance(subject, str) and not callable(subject):
        raise DeclarationError(f"track(subject=…) takes an argument's name or a function, not {subject!r}.")

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        _refuse(function)
        find = _named(function, subject) if isinstance(subject, str) else subject

        def succeeded(result: object, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            if isinstance(result, HttpResponseBase) and result.status_code >= 400:
                return
            if conf.reraising():
                _record(step, find, properties, result, args, kwargs)
            else:
                with guard.guard("journeys"):
                    _record(step, find, properties, result, args, kwargs)

        return _wrapped(function, succeeded)

    return decorate


def _wrapped(function: Callable[P, R], succeeded: Callable[[object, Any, Any], None]) -> Callable[P, R]:
    if iscoroutinefunction(function):
        coroutine = cast("Callable[P, Awaitable[Any]]", function)

        @wraps(function)
        async def awrapper(*args: P.args, **kwargs: P.kwargs) -> Any:
            result = await coroutine(*args, **kwargs)
            # In the thread of the host's own queries: the subject may have to be looked up.
            await sync_to_async(succeeded, thread_sensitive=True)(result, args, kwargs)
            return result

        return cast("Callable[P, R]", awrapper)

    @wraps(function)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        result = function(*args, **kwargs)
        succeeded(result, args, kwargs)
        return result

    return wrapper


def _record(
    step: Step,
    find: Callable[..., object],
    properties: Properties,
    result: object,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> None:
    with guard.theirs():
        subject = find(result, *args, **kwargs)
        if subject is None:
            return
        found = properties(result, *args, **kwargs) if properties is not None else {}
    recording.record(step.taken(subject, found))


def _named(function: Callable[..., object], name: str) -> Callable[..., object]:
    signature = inspect.signature(function)
    takes_any = any(known.kind is known.VAR_KEYWORD for known in signature.parameters.values())
    if name not in signature.parameters and not takes_any:
        raise DeclarationError(
            f"track(subject={name!r}): {function.__qualname__} has no argument of that name. "
            f"It has: {', '.join(signature.parameters) or 'none'}."
        )

    def find(result: object, *args: Any, **kwargs: Any) -> object:
        if name in kwargs:
            return kwargs[name]
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        return bound.arguments.get(name)

    return find


def _refuse(function: Any) -> None:
    if isinstance(function, type):
        raise DeclarationError(
            f'track() decorates functions; for {function.__name__} use @method_decorator(…, name="post").'
        )
    if not callable(function):
        raise DeclarationError(
            "track() is called with options and decorates a function: @step.track(subject=…)."
        )
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise DeclarationError(
            f"{function.__qualname__} is a generator, which succeeds nowhere in particular: "
            "call record() in it instead."
        )
