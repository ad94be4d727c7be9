"""The middleware: counts every request, and changes none.

It reads nothing that the view has not read: no body, no POST, no ``request.user``.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING

from asgiref.sync import iscoroutinefunction
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.decorators import sync_and_async_middleware

from ..browser import family
from ..context import UNMATCHED, Context, enter, leave
from ..pipeline import hooks, numbers, process
from ..pipeline.guard import guarded
from . import streams

if TYPE_CHECKING:
    from ..records import Outcome

Handler = Callable[[HttpRequest], HttpResponseBase]
AsyncHandler = Callable[[HttpRequest], Awaitable[HttpResponseBase]]

# https://opentelemetry.io/docs/specs/semconv/http/http-metrics/: a method that is not known is "_OTHER".
_METHODS = {
    method: method
    for method in ("GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "QUERY")
}

#: What an adapter has to see of a request from outside of all other middleware: by Django's names of the
#: methods (``process_view``, ``process_exception``).
methods: dict[str, Callable[..., object]] = {}


@sync_and_async_middleware
def capture_requests(get_response: Handler | AsyncHandler) -> Handler | AsyncHandler:
    """Count requests by route, method, status and outcome, and let errors find the request they belong to."""
    middleware: Handler | AsyncHandler
    if iscoroutinefunction(get_response):
        middleware = _async_middleware(get_response)
    else:
        middleware = _middleware(get_response)  # type: ignore[arg-type]
    for name, method in methods.items():
        # Django calls it in a thread, unless it is a coroutine; errors it hands on from a thread anyway.
        awaited = name == "process_view" and iscoroutinefunction(middleware)
        setattr(middleware, name, _awaited(method) if awaited else method)
    return middleware


def _awaited(method: Callable[..., object]) -> Callable[..., Awaitable[object]]:
    async def awaited(*args: object) -> object:
        return method(*args)

    return awaited


def _middleware(get_response: Handler) -> Handler:
    def middleware(request: HttpRequest) -> HttpResponseBase:
        context = Context(request)
        token = enter(context)
        response = None
        try:
            response = get_response(request)
        finally:
            leave(token)
            _finish(context, request, response)
        return response

    return middleware


def _async_middleware(get_response: AsyncHandler) -> AsyncHandler:
    async def middleware(request: HttpRequest) -> HttpResponseBase:
        context = Context(request)
        token = enter(context)
        response = None
        try:
            response = await get_response(request)
        finally:
            leave(token)
            _finish(context, request, response)
        return response

    return middleware


@guarded("capture.request")
def _finish(context: Context, request: HttpRequest, response: HttpResponseBase | None) -> None:
    # The visitor's own request was counted when it was sent.
    if not process.recording() or context.is_replay:
        return
    if response is None:
        # An exception passes through here only when it ends the process or the visitor has gone.
        _count(context, request, 0, "aborted")
    elif not response.streaming or not streams.wrap(
        response, context, partial(_count, context, request, response.status_code)
    ):
        _count(context, request, response.status_code)


def _count(context: Context, request: HttpRequest, status: int, outcome: Outcome | None = None) -> None:
    now = perf_counter()
    match = request.resolver_match
    key = (
        (match.route or "/") if match is not None else UNMATCHED,
        _METHODS.get(request.method or "", "_OTHER"),
        status,
        outcome or _outcome(status, context),
        family(request.META.get("HTTP_USER_AGENT", "")),
    )
    numbers.request(key, now - context.started)
    if hooks.request_witnesses:
        hooks.tell(hooks.request_witnesses, context, key, now - context.started)
    # Not in a destructor: what a tick does may want a lock that is held below.
    if now >= process.due() and not context.dropped:
        process.tick(now)


def _outcome(status: int, context: Context) -> Outcome:
    if status >= 500:
        return "server_error"
    if context.degraded:
        return "degraded"
    return "client_error" if status >= 400 else "ok"
