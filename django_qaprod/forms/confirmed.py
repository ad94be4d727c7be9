"""Tells the guard in the visitor's browser that what was sent has been taken, so that it forgets it."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from django.conf import settings as django_settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import resolve_url
from django.urls import NoReverseMatch

from ..pipeline.guard import guarded

#: The input by which ``{% qaprod_form_guard %}`` tells one draft from another.
NONCE = "qaprod_form"
#: The cookie that the guard reads and removes: the nonces that were taken, the latest last.
COOKIE = "qaprod_done"
#: The cookie of who sent something that was kept (see ``resent``).
KEPT = "qaprod_kept"
#: How long a draft may wait in a browser; the cookie waits as long for a page that reads it.
MAX_HOURS = 7 * 24

_NONCE = re.compile(r"[0-9a-f]{32}", re.ASCII)
_MOST = 5
_TAKEN = frozenset({201, 202, 204, 205})
# 307 and 308 have the browser send it again to somewhere else.
_REDIRECTS = frozenset({301, 302, 303})


@guarded("forms.confirm")
def confirm(request: HttpRequest, response: HttpResponseBase, *, taken: bool | None = None) -> None:
    """Set the cookie that has the visitor's browser forget its draft, if the submission was ``taken``.

    ``None`` leaves it to the answer: a redirect means success, unless it leads to the login page, and so do
    201, 202, 204 and 205. A 200 does not, because the form with its errors is one as well; a view whose
    answer to success is a plain 200 calls this itself, with ``taken=True``. What was kept of the same POST
    before is given up then, too.

    Sets nothing where the POST carried no nonce, or nobody has read it.
    """
    if taken is not None:
        request._qaprod_taken = taken  # type: ignore[attr-defined]
    if says_taken(request, response):
        forget_draft(request, response)


@guarded("forms.confirm")
def forget_draft(request: HttpRequest, response: HttpResponseBase) -> None:
    """Set the cookie, whoever has what was sent: the view, or we because the view has failed."""
    nonce = nonce_of(request)
    if not nonce:
        return
    # Several tabs may be answered before one of them shows a page that reads the cookie.
    before = [one for one in request.COOKIES.get(COOKIE, "").split(".") if _NONCE.fullmatch(one)]
    response.set_cookie(
        COOKIE,
        ".".join([*(one for one in before if one != nonce), nonce][-_MOST:]),
        max_age=MAX_HOURS * 3600,
        secure=request.is_secure(),
        samesite="Lax",
    )


def nonce_of(request: HttpRequest) -> str:
    """Return the nonce that a POST carried, or nothing."""
    # Not request.POST: a view may read the body by itself, later or as a stream.
    sent = getattr(request, "_post", None)
    nonce = sent.get(NONCE) if sent else None
    return nonce if nonce and _NONCE.fullmatch(nonce) else ""


def says_taken(request: HttpRequest, response: HttpResponseBase) -> bool:
    """Return whether a POST was taken: what its view said to ``confirm``, else what the answer looks like."""
    said = has_said(request)
    return looks_taken(response) if said is None else said


def has_said(request: HttpRequest) -> bool | None:
    """Return what the view said to ``confirm``, nothing if it said nothing."""
    return getattr(request, "_qaprod_taken", None)


def looks_taken(response: HttpResponseBase) -> bool:
    """Return whether an answer looks as if the POST was taken. It is a guess, good enough for a draft."""
    if response.status_code in _REDIRECTS:
        return urlsplit(response.get("Location", "")).path != login_path()
    return response.status_code in _TAKEN


def mark_instead(response: HttpResponseBase) -> None:
    """Mark what the visitor is served instead of a view's answer: it says nothing of that view's work."""
    response._qaprod_instead = True  # type: ignore[attr-defined]


def is_instead(response: HttpResponseBase) -> bool:
    """Whether it was served instead of a view's answer."""
    return getattr(response, "_qaprod_instead", False)


def login_path() -> str:
    """Return the path of ``LOGIN_URL``, nothing if that leads nowhere."""
    try:
        return urlsplit(resolve_url(django_settings.LOGIN_URL)).path
    except NoReverseMatch:
        return ""
