"""Serves a view to a replay: its outcome is settled together with its effect, and errors are raised."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, cast

from asgiref.sync import sync_to_async
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from .answers import can_render, checked, late_middleware
from .building import build, judge
from .replaying import begin, settle
from .transactions import Transactions, of_posts

if TYPE_CHECKING:
    from .call import Call
    from .serving import Handler, Serving


def serve(
    serving: Serving,
    view: Handler,
    request: HttpRequest,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    call: Callable[[], Call],
) -> HttpResponseBase:
    """Call the view, and store with its work that a kept submission was taken."""
    atomic, work = serving.options.atomic, Transactions()
    try:
        valid = _judged(call)
        if not atomic:
            begin(request)
        work.open(serving.excluded.asked_for(), of_posts() if atomic else ())
        response = checked(view(request, *args, **kwargs), serving.name)
        if can_render(response) and not late_middleware():
            response = response.render()
        settle(request, response, valid)
        work.commit(strictly=True)
    except Exception as error:
        work.roll_back(error)
        raise
    finally:
        work.abandon()
    if work.hook_error is not None:
        serving.note_callback(work.hook_error, call)
    return cast("HttpResponseBase", response)


async def aserve(
    serving: Serving,
    view: Callable[..., Awaitable[Any]],
    request: HttpRequest,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    call: Callable[[], Call],
) -> HttpResponseBase:
    """Do as ``serve`` does for an async view, whose work belongs to no transaction of ours."""
    valid = await sync_to_async(_judged, thread_sensitive=True)(call)
    begin(request)
    response = checked(await view(request, *args, **kwargs), serving.name)
    if can_render(response):
        response = await sync_to_async(response.render, thread_sensitive=True)()
    await sync_to_async(settle, thread_sensitive=True)(request, response, valid)
    return cast("HttpResponseBase", response)


def _judged(call: Callable[[], Call]) -> bool | None:
    made = call()
    try:
        return judge(made, build(made, bound=True))
    finally:
        made.lift()
