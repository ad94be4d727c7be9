"""Where the faults get into the site: what breaks in a view, and what breaks around it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, Never

from django.contrib.sessions.backends.base import SessionBase
from django.db import OperationalError, connections
from django.http import HttpRequest, HttpResponse
from django.views.decorators.debug import sensitive_post_parameters

from . import faults

# Whoever has to put things right again.
_SPARED = ("/chaos/", "/admin/", "/qaprod/", "/static/")


class RuleError(LookupError):
    """A rule of the site is not there."""


class SessionStoreError(ConnectionError):
    """The session store does not answer."""


def before_the_work(request: HttpRequest) -> None:
    """Fail as a view does before it has changed anything."""
    if faults.on("secret-form"):
        # What a developer meant for the log: nothing of what is sent may be seen, and so nothing is kept.
        sensitive_post_parameters()(lambda request: None)(request)
        raise RuleError("No rule “declaration-2”.")
    if faults.on("broken-view"):
        raise RuleError("No rule “length-of-statement”.")


def after_the_work() -> None:
    """Fail as a view does when all has been written."""
    if faults.on("broken-audit"):
        raise ConnectionRefusedError("The audit log does not answer.")


def around(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Take the session store or the database away from a request of the site. Stands behind the sessions."""

    def middleware(request: HttpRequest) -> HttpResponse:
        if request.path.startswith(_SPARED):
            return get_response(request)
        if faults.on("dead-sessions"):
            request.session = DeadSession(request.session.session_key)
        with ExitStack() as stack:
            if faults.on("dead-database"):
                stack.enter_context(connections["default"].execute_wrapper(_refuse))
            return get_response(request)

    return middleware


def news(request: HttpRequest) -> dict[str, str]:
    """Return what the head of each page needs; a context processor."""
    if faults.on("broken-context") and not request.path.startswith(_SPARED):
        raise KeyError("news")
    return {}


class DeadSession(SessionBase):
    """A session of a store that does not answer."""

    def load(self) -> Never:
        raise SessionStoreError("The session store does not answer.")

    def save(self, must_create: bool = False) -> Never:
        self.load()

    def exists(self, session_key: str) -> Never:
        self.load()

    def create(self) -> Never:
        self.load()

    def delete(self, session_key: str | None = None) -> Never:
        self.load()


def _refuse(*args: Any, **kwargs: Any) -> Never:
    raise OperationalError("server closed the connection unexpectedly")
