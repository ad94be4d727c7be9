"""``degrade``: an error in what is nice to have costs the visitor that part, not the page."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from functools import wraps
from inspect import isawaitable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypedDict, TypeVar, Unpack, overload

from asgiref.sync import iscoroutinefunction
from django.conf import settings as django_settings
from django.core.exceptions import BadRequest, PermissionDenied, RequestAborted, SuspiciousOperation
from django.db.transaction import Atomic
from django.http import Http404
from django.http.multipartparser import MultiPartParserError

from .. import context, registry
from ..conf import in_test_run, settings
from ..exceptions import DeclarationError, QAProdError, UnknownStepError
from ..pipeline import guard, numbers, process
from ..registry import SEVERITIES
from .breaker import REFUSED, CircuitBreaker, CircuitOpenError
from .declaration import exception_types, journey_name, refuse_generators, require_function
from .fallback import fallback_from
from .savepoints import in_transaction, let_pass, open_savepoints, release, roll_back

if TYPE_CHECKING:
    from ..records import Severity

P = ParamSpec("P")
R = TypeVar("R")
F = TypeVar("F")
#: An exception class, or several.
Types = type[Exception] | Iterable[type[Exception]]

#: Says what Django is to answer, so it passes; name it in ``only`` to swallow it.
MEANT_FOR_DJANGO: tuple[type[Exception], ...] = (
    Http404,
    PermissionDenied,
    SuspiciousOperation,
    BadRequest,
    MultiPartParserError,
    RequestAborted,
)

#: How often a breaker was open when a call came, by the breaker's or the decorator's name.
SHORT_CIRCUITED = "qaprod.degraded.short_circuited"

_FOR_FUNCTIONS = (
    "fallback and breaker are for the decorator: a block cannot be skipped or replaced. "
    "Look at `section.failed` behind it."
)

# The host's handlers get these, as from any other code: not our own logger, which nobody has to read.
logger = logging.getLogger("qaprod.degrade")


class Options(TypedDict, total=False):
    """The options of ``degrade`` besides ``name`` and ``fallback``."""

    only: Types
    excluding: Types
    severity: Severity
    journey: object
    reraise: bool | None
    breaker: CircuitBreaker | None


class Section:
    """What became of a ``with degrade(…)`` block: ``failed``, and with which ``error``."""

    __slots__ = ("_savepoints", "error")

    def __init__(self) -> None:
        self.error: Exception | None = None
        self._savepoints: list[Atomic] = []

    @property
    def failed(self) -> bool:
        """Whether the block was broken off."""
        return self.error is not None


class degrade(Generic[F]):  # noqa: N801 - reads as the keyword that it nearly is
    """Swallow an error, record it as a degradation, and go on with the fallback.

    As a decorator, always called, on functions and methods, sync and async::

        @degrade(fallback=dict)
        def prefill(teacher): ...

    and around a block, with ``async with`` as well::

        with degrade("school search") as section:
            schools = search(q)

    An error is logged as ERROR by the logger ``qaprod.degrade``, and the request counts as degraded. In a
    transaction the work of what failed is rolled back to a savepoint; transactions belong to threads, so an
    ``async def`` gets none. An object serves one block at a time; make one per block.

    ``fallback`` is a value, or a function that is given the exception or nothing; an error that it raises has
    the first as its context and is raised. ``only`` names the exceptions that are swallowed. Without it all
    are, but for those that tell Django what to answer (``Http404``, ``PermissionDenied``,
    ``SuspiciousOperation``, ``BadRequest`` …) and those that ``excluding`` names. Exits, interrupts and
    cancellations always pass. ``reraise`` (default: ``QAPROD["RERAISE"]``, else in DEBUG and test runs)
    raises the error with a note instead. ``breaker`` is a ``CircuitBreaker``: while it is open, the fallback
    is served at once.

    Raises ``DeclarationError`` for a use that cannot work.
    """

    @overload
    def __init__(
        self: degrade[None], name: str = "", *, fallback: None = None, **options: Unpack[Options]
    ) -> None: ...
    @overload
    def __init__(
        self: degrade[F],
        name: str = "",
        *,
        fallback: Callable[[Exception], Awaitable[F]],
        **options: Unpack[Options],
    ) -> None: ...
    @overload
    def __init__(
        self: degrade[F], name: str = "", *, fallback: Callable[[Exception], F], **options: Unpack[Options]
    ) -> None: ...
    @overload
    def __init__(
        self: degrade[F], name: str = "", *, fallback: Callable[[], F], **options: Unpack[Options]
    ) -> None: ...
    @overload
    def __init__(self: degrade[F], name: str = "", *, fallback: F, **options: Unpack[Options]) -> None: ...

    def __init__(
        self,
        name: str = "",
        *,
        fallback: Any = None,
        only: Types = (),
        excluding: Types = (),
        severity: Severity = "error",
        journey: object = "",
        reraise: bool | None = None,
        breaker: CircuitBreaker | None = None,
    ) -> None:
        if not isinstance(name, str):
            raise DeclarationError("Call the decorator: write @degrade(), not @degrade. A name is a string.")
        if severity not in SEVERITIES:
            raise DeclarationError(f"severity is one of {', '.join(SEVERITIES)}, not {severity!r}.")
        if breaker is not None and not isinstance(breaker, CircuitBreaker):
            raise DeclarationError(f"breaker is a CircuitBreaker, not {breaker!r}.")
        self.name = name
        self.severity = severity
        self.journey = journey_name(journey, "degrade") if journey else ""
        self._only = exception_types(only, "only") if only else ()
        excluded = exception_types(excluding, "excluding") if excluding else ()
        self._excluding = excluded if self._only else MEANT_FOR_DJANGO + excluded
        self._reraise = reraise
        self._breaker = breaker
        self._fallback = fallback_from(fallback)
        self._for_function = fallback is not None or breaker is not None
        self._async_fallback = fallback is not None and iscoroutinefunction(fallback)
        self._sections: list[Section] = []

    @overload
    def __call__(
        self, function: Callable[P, Coroutine[Any, Any, R]], /
    ) -> Callable[P, Coroutine[Any, Any, R | F]]: ...
    @overload
    def __call__(self, function: Callable[P, R], /) -> Callable[P, R | F]: ...

    def __call__(self, function: Callable[..., Any], /) -> Callable[..., Any]:
        """Return the function, degrading."""
        require_function(function, "@degrade(…)", "decorate the methods that may fail")
        refuse_generators(function, "@degrade(…)")
        name = self.name or name_of(function)
        if self.journey:
            registry.refer(self.journey, by=f"@degrade of {name}")
        if iscoroutinefunction(function):
            return self._async_wrapper(function, name)
        if self._async_fallback:
            raise DeclarationError(f"{name} is not async: its fallback cannot be, either.")
        return self._wrapper(function, name)

    def __enter__(self) -> Section:
        section = self._open_section()
        if in_transaction() and not self._raises():
            open_savepoints(section._savepoints)
        return section

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        section = self._sections.pop()
        if not isinstance(error, Exception) or not self._swallows(error, self.name):
            _end(section._savepoints, error)
            return False
        roll_back(section._savepoints, error)
        section.error = error
        self._record(error, self.name, served=True)
        return True

    async def __aenter__(self) -> Section:
        return self._open_section()

    async def __aexit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        return self.__exit__(error_type, error, traceback)

    def _wrapper(self, function: Callable[..., Any], name: str) -> Callable[..., Any]:
        breaker = self._breaker

        @wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            ticket = 0
            if breaker is not None:
                ticket = breaker.enter()
                if ticket == REFUSED and not self._raises():
                    return self._short_circuited(breaker, name)
            opened: list[Atomic] = []
            try:
                if in_transaction() and not self._raises():
                    open_savepoints(opened)
                value = function(*args, **kwargs)
                if opened:
                    release(opened)
            except Exception as error:
                if not self._swallows(error, name):
                    let_pass(opened, error)
                    raise
                roll_back(opened, error)
                return self._served(error, name, ticket)
            finally:
                # What is still open here was ended by an exit or an interrupt.
                if opened:
                    release(opened)
            if breaker is not None:
                breaker.succeeded(ticket)
            return value

        return wrapper

    def _async_wrapper(self, function: Callable[..., Any], name: str) -> Callable[..., Any]:
        breaker = self._breaker

        @wraps(function)
        async def wrapper(*args: Any, **kwargs: Any) -> Any:
            ticket = 0
            if breaker is not None:
                ticket = breaker.enter()
                if ticket == REFUSED and not self._raises():
                    return await _awaited(self._short_circuited(breaker, name))
            try:
                value = await function(*args, **kwargs)
            except Exception as error:
                if not self._swallows(error, name):
                    raise
                return await self._aserved(error, name, ticket)
            if breaker is not None:
                breaker.succeeded(ticket)
            return value

        return wrapper

    def _swallows(self, error: Exception, name: str) -> bool:
        if (self._only and not isinstance(error, self._only)) or isinstance(error, self._excluding):
            return False
        if self._raises():
            add_note(error, f"In production degrade swallows this error ({name or 'a block'}).")
            return False
        return True

    def _raises(self) -> bool:
        chosen = self._reraise if self._reraise is not None else settings().reraise
        return (django_settings.DEBUG or in_test_run()) if chosen is None else chosen

    def _served(self, error: Exception, name: str, ticket: int) -> Any:
        if self._breaker is not None:
            self._breaker.failed(ticket)
        served = False
        try:
            value = self._fallback(error)
            served = True
        finally:
            self._record(error, name, served=served)
        return value

    async def _aserved(self, error: Exception, name: str, ticket: int) -> Any:
        if self._breaker is not None:
            self._breaker.failed(ticket)
        served = False
        try:
            value = await _awaited(self._fallback(error))
            served = True
        finally:
            self._record(error, name, served=served)
        return value

    def _short_circuited(self, breaker: CircuitBreaker, name: str) -> Any:
        _count_degraded()
        if process.recording():
            numbers.count(SHORT_CIRCUITED, breaker.name or name)
        return self._fallback(CircuitOpenError(breaker.name or name))

    def _record(self, error: Exception, name: str, *, served: bool) -> None:
        if served:
            _count_degraded()
        _report(
            error,
            severity=self.severity,
            name=name,
            journey=self.journey,
            served=served,
            extra={"breaker": self._breaker.describe()} if self._breaker is not None else None,
        )
        # After the report, which marks the error, so that this record of it is not taken for another one.
        _log(error, name, served=served)

    def _open_section(self) -> Section:
        if self._for_function:
            self._refuse(DeclarationError(_FOR_FUNCTIONS))
        if self.journey:
            self._require_journey()
        section = Section()
        self._sections.append(section)
        return section

    def _require_journey(self) -> None:
        # The system check knows the decorated functions; a block is met when it runs.
        try:
            registry.journey(self.journey)
        except UnknownStepError as error:
            self._refuse(error)

    def _refuse(self, refusal: QAProdError) -> None:
        if self._raises():
            raise refusal
        guard.caught("degrade", refusal)


def _end(opened: list[Atomic], error: BaseException | None) -> None:
    if error is None:
        release(opened)
    else:
        let_pass(opened, error)


async def _awaited(value: Any) -> Any:
    return await value if isawaitable(value) else value


def name_of(function: Callable[..., Any]) -> str:
    """Return the dotted name of what is decorated."""
    return f"{function.__module__}.{getattr(function, '__qualname__', type(function).__qualname__)}"


def _count_degraded() -> None:
    current = context.current()
    if current is not None:
        current.degraded += 1


@guard.guarded("degrade")
def add_note(error: Exception, words: str) -> None:
    """Tell the developer who gets to see an error what would become of it."""
    note = f"{words} See QAPROD['RERAISE']."
    if note not in getattr(error, "__notes__", ()):
        error.add_note(note)


@guard.guarded("degrade")
def _report(error: Exception, **particulars: Any) -> None:
    # Not at every start of the host; where it comes to that, the stack may be nearly full.
    from ..pipeline.failures import report_exception

    report_exception(error, kind="degraded", **particulars)


@guard.guarded("degrade")
def _log(error: Exception, name: str, *, served: bool) -> None:
    what = "was served without it" if served else "could not be served: its fallback failed, too"
    logger.error("%s failed; the visitor %s.", name or "A part of the page", what, exc_info=error)
