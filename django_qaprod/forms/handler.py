"""The host's whole handler, its middleware included, in which a replay becomes the original visitor."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache, partial
from typing import TYPE_CHECKING, Any, cast

from asgiref.sync import iscoroutinefunction
from django.apps import apps
from django.core import signals
from django.core.exceptions import ValidationError
from django.core.handlers.base import BaseHandler
from django.core.handlers.wsgi import WSGIRequest, get_script_name
from django.core.signals import setting_changed
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import set_script_prefix
from django.utils.functional import SimpleLazyObject

from .. import context
from ..clock import epoch
from ..store import replays
from .options import told_of
from .quiet import QuietSession
from .replaying import NotSettledError, Run, run_of
from .transactions import is_shared

if TYPE_CHECKING:
    from ..sent import Submission


class ReplayHandler(BaseHandler):
    """Answers a rebuilt request as the host's server would."""

    def __init__(self) -> None:
        self.load_middleware()
        cast("Any", self)._view_middleware.insert(0, become_visitor)

    def answer(self, request: WSGIRequest) -> HttpResponseBase:
        """Return the response, which the caller closes: that is what ends the request."""
        set_script_prefix(get_script_name(request.environ))
        signals.request_started.send(sender=ReplayHandler, environ=request.environ)
        expect(request)
        response: Any = self.get_response(request)
        response._handler_class = ReplayHandler
        return cast("HttpResponseBase", response)

    def process_exception_by_middleware(self, exception: Exception, request: HttpRequest) -> Any:
        """Learn what the view has raised; what rolls its work back without being an error is none here."""
        if isinstance(exception, NotSettledError):
            return exception.response
        run_of(request).error = exception
        return super().process_exception_by_middleware(exception, request)


@cache
def handler() -> ReplayHandler:
    """Return this process's handler: the middleware is loaded once."""
    return ReplayHandler()


def expect(request: HttpRequest) -> None:
    """Let middleware that asks who it is, before the view is known, see the visitor."""
    visitor = run_of(request).submission.user
    if visitor:
        # Where Django keeps whom it has looked up; looked up when somebody asks, because it may be a
        # middleware that chooses the tenant among whose users that is.
        request._cached_user = SimpleLazyObject(  # type: ignore[attr-defined]
            partial(_found_or_anonymous, visitor)
        )


def become_visitor(
    request: HttpRequest, view: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> HttpResponseBase | None:
    """Make the request the original visitor's, first of all ``process_view``; or refuse it."""
    run = run_of(request)
    current = context.current()
    if current is not None:
        current.replayed_at = epoch(run.claim.rescued.at)
        current.replayed_browser = run.submission.browser
        current.name = run.claim.rescued.name
        run.request_id = current.request_id
    options = told_of(view)
    if options is None:
        return _refuse(run, "The view at this address does not use serve_form any more.")
    if not is_shared(options, is_async=iscoroutinefunction(view)):
        replays.untransacted(run.claim)
    if hasattr(request, "user") or run.submission.user:
        user = _visitor(run.submission)
        if user is None:
            return _refuse(run, "The visitor's account is gone or has been deactivated.")
        _set_user(request, user)
    if hasattr(request, "session"):
        request.session = QuietSession(run.submission.session)
    return None


def _refuse(run: Run, why: str) -> HttpResponse:
    run.refuse(why)
    return HttpResponse(status=403)


def _visitor(submission: Submission) -> Any:
    """Return the user, fresh from the database; nothing if there is none any more who may sign in."""
    if not submission.user:
        from django.contrib.auth.models import AnonymousUser

        return AnonymousUser()
    return _active(submission.user) if apps.is_installed("django.contrib.auth") else None


def _found_or_anonymous(key: str) -> Any:
    from django.contrib.auth.models import AnonymousUser

    return _active(key) or AnonymousUser()


def _active(key: str) -> Any:
    from django.contrib.auth import get_backends, get_user_model

    try:
        pk = get_user_model()._meta.pk.to_python(key)
    except ValidationError:
        return None
    for backend in get_backends():
        # They know who may sign in; a deactivated user may not, whatever they say.
        user = backend.get_user(pk) if hasattr(backend, "get_user") else None
        if user is not None:
            return user if user.is_active else None
    return None


def _set_user(request: Any, user: Any) -> None:
    async def auser() -> Any:
        return user

    request.user = request._cached_user = request._acached_user = user
    request.auser = auser


def _forget(*, setting: str, **kwargs: object) -> None:
    if setting in {"MIDDLEWARE", "ROOT_URLCONF", "INSTALLED_APPS", "QAPROD"}:
        handler.cache_clear()


setting_changed.connect(_forget, dispatch_uid="qaprod.replays")
