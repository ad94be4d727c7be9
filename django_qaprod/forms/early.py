"""The second catch: for the routes of ``QAPROD["SERVE_EARLY"]``, what fails before the view is reached.

A session that cannot be read, a tenant that cannot be found: such middleware of the host's runs before any
decorator. This one stands outside of it, and knows of the request what the server knows: it serves the plain
form, empty or with what was typed, and nothing of the user's.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Mapping
from types import TracebackType
from typing import Any, cast

from asgiref.sync import iscoroutinefunction, sync_to_async
from django.conf import settings as django_settings
from django.core.signals import got_request_exception
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.middleware.csrf import CsrfViewMiddleware
from django.urls import ResolverMatch, resolve
from django.utils.decorators import sync_and_async_middleware

from ..conf import settings
from ..degradation.degrading import name_of
from ..pipeline import guard
from .call import Call
from .ladder import climb_down
from .options import ServeOptions
from .serving import Serving

Handler = Callable[[HttpRequest], HttpResponseBase]
AsyncHandler = Callable[[HttpRequest], Awaitable[HttpResponseBase]]

_ERROR = "_qaprod_unhandled"
_METHODS = ("GET", "HEAD", "POST")
# What Django's own middleware would have set; it stands behind us.
_HEADERS = {
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
}


@sync_and_async_middleware
def serve_early(get_response: Handler | AsyncHandler) -> Handler | AsyncHandler:
    """Serve the plain form of a listed route where the host's middleware made it an error page.

    Put it behind ``capture_requests`` and before all others; the app does so itself.
    """
    got_request_exception.connect(_remember, dispatch_uid="qaprod.early")
    if iscoroutinefunction(get_response):
        return _async_middleware(get_response)
    return _middleware(get_response)  # type: ignore[arg-type]


def _middleware(get_response: Handler) -> Handler:
    def middleware(request: HttpRequest) -> HttpResponseBase:
        response = get_response(request)
        if response.status_code >= 500 and _ERROR in vars(request):
            return _served(request) or response
        return response

    return middleware


def _async_middleware(get_response: AsyncHandler) -> AsyncHandler:
    async def middleware(request: HttpRequest) -> HttpResponseBase:
        response = await get_response(request)
        if response.status_code >= 500 and _ERROR in vars(request):
            return await sync_to_async(_served, thread_sensitive=True)(request) or response
        return response

    return middleware


def _remember(*, request: HttpRequest | None = None, **kwargs: Any) -> None:
    error = sys.exc_info()[1]
    if request is not None and isinstance(error, Exception):
        vars(request)[_ERROR] = error


@guard.guarded("forms.early")
def _served(request: HttpRequest) -> HttpResponseBase | None:
    """Return what the visitor is served; nothing where that is not for us to decide."""
    error: Exception = vars(request)[_ERROR]
    if request.method not in _METHODS or django_settings.CSRF_USE_SESSIONS:
        return None
    match = _listed(request)
    options = getattr(match.func, "_qaprod_serves", None) if match is not None else None
    if match is None or not isinstance(options, ServeOptions):
        return None
    # What the view let pass means something, also as an error page.
    if options.reraises or _came_by(error.__traceback__):
        return None
    csrf = CsrfViewMiddleware(lambda request: None)  # type: ignore[arg-type]
    csrf.process_request(request)
    if csrf.process_view(request, match.func, match.args, match.kwargs) is not None:
        return None
    # Once the route is known, the view may have been reached and have done its work.
    doubt = "page" if request.method == "POST" and request.resolver_match is not None else ""
    request.resolver_match = match
    response: Any = climb_down(_call(options, request, match), error, in_doubt=doubt)
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    return csrf.process_response(request, response)


def _listed(request: HttpRequest) -> ResolverMatch | None:
    match = request.resolver_match or resolve(request.path_info, getattr(request, "urlconf", None))
    return match if match.view_name in settings().serve_early else None


def _came_by(traceback: TracebackType | None) -> bool:
    """Whether an error came out of a view that ``serve_form`` serves."""
    through = (Serving.serve.__code__, Serving.aserve.__code__)
    while traceback is not None:
        if traceback.tb_frame.f_code in through:
            return True
        traceback = traceback.tb_next
    return False


def _call(options: ServeOptions, request: HttpRequest, match: ResolverMatch) -> Call:
    view_class = getattr(match.func, "view_class", match.func)
    serving = Serving(options, options.name or name_of(view_class), is_async=iscoroutinefunction(match.func))
    return EarlyCall(serving, request, match.args, match.kwargs)


class EarlyCall(Call):
    """A call of a view that was not reached: nobody knows who is asking, so nobody's data is shown."""

    def form_classes(self) -> Mapping[str, type[Any]]:
        if self.options.forms or self.request.resolver_match is None:
            return self.options.forms
        view: Any = self.request.resolver_match.func
        made = view.view_class(**view.view_initkwargs)
        made.setup(self.request, *self.args, **self.kwargs)
        return cast("Mapping[str, type[Any]]", made.get_served_forms())

    def form_kwargs(self, name: str) -> tuple[dict[str, Any], bool]:
        return {}, False

    def templates(self) -> str | list[str]:
        return ""
