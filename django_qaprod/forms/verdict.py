"""Whether a view has taken what was sent. What its answer looks like is a guess."""

from __future__ import annotations

from collections.abc import Collection
from enum import Enum
from time import perf_counter, time
from typing import cast
from urllib.parse import parse_qs, urljoin, urlsplit

from django.contrib.auth import REDIRECT_FIELD_NAME
from django.contrib.messages import ERROR
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import Resolver404, resolve
from django.utils.html import escape

from .. import context
from ..pipeline import process
from .confirmed import has_said, is_instead, login_path, looks_taken

_URL_NAMES = frozenset({"login", "signin", "sign_in", "log_in"})


class Verdict(Enum):
    """Whether a view has taken what was sent."""

    TAKEN = "taken"
    MAYBE = "maybe"
    NOT_TAKEN = "not taken"


def verdict(request: HttpRequest, response: HttpResponseBase, journey: str) -> Verdict:
    """Return whether a POST was taken.

    It was if the view has said so to ``confirm``, or has recorded a step, of the form's ``journey`` if it has
    one. A redirect may lead to the page behind it, or back to the form with a message; so it is a guess, and
    none if it leads to where one signs in.
    """
    if is_instead(response):
        return Verdict.NOT_TAKEN
    said = has_said(request)
    if said is not None:
        return Verdict.TAKEN if said else Verdict.NOT_TAKEN
    if response.status_code < 400 and took_step(journey):
        return Verdict.TAKEN
    if not looks_taken(response) or leads_to_login(request, response):
        return Verdict.NOT_TAKEN
    return Verdict.MAYBE


def took_step(journey: str) -> bool:
    """Return whether this request has recorded a step, of ``journey`` if that is named, that still stands.

    One may have been rolled back with work that failed, before the view answered.
    """
    current = context.current()
    if current is None or not current.taken or current.taken != (journey or current.taken):
        return False
    if not process.storing():
        return True
    # Not at every start of the host: it may have no journeys.
    from ..store import events

    # A clock may have been put right in between.
    since = time() - (perf_counter() - current.started) - 1
    return events.is_recorded(current.taken, request_id=current.request_id, since=since)


def shows_again(response: HttpResponseBase, names: Collection[str]) -> bool:
    """Return whether an answer is a page that has all these fields: the form once more."""
    if (
        not names
        or response.streaming
        or not response.headers.get("Content-Type", "").startswith("text/html")
    ):
        return False
    page = cast("HttpResponse", response).content.decode(response.charset, errors="replace")
    return all(f'name="{name}"' in page or f"name='{name}'" in page for name in map(escape, names))


def leads_back(request: HttpRequest, response: HttpResponseBase) -> bool:
    """Return whether a redirect leads to the address that it comes from."""
    target = urlsplit(urljoin(request.path, response.headers.get("Location", "")))
    return target.path == request.path


def tells_error(request: HttpRequest) -> bool:
    """Return whether the view has queued a message of an error for the visitor."""
    queued = getattr(getattr(request, "_messages", None), "_queued_messages", ())
    return any(message.level >= ERROR for message in queued)


def leads_to_login(request: HttpRequest, response: HttpResponseBase) -> bool:
    """Return whether a redirect leads to where one signs in, whichever page of the host's that is."""
    target = urlsplit(urljoin(request.path, response.headers.get("Location", "")))
    if target.path == login_path():
        return True
    if REDIRECT_FIELD_NAME in parse_qs(target.query, keep_blank_values=True):
        return True
    try:
        match = resolve(target.path, getattr(request, "urlconf", None))
    except Resolver404:
        return False
    return match.url_name in _URL_NAMES or "LoginView" in _names_of(getattr(match.func, "view_class", None))


def _names_of(view_class: type | None) -> set[str]:
    return {base.__name__ for base in view_class.__mro__} if view_class is not None else set()
