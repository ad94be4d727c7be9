"""What a visitor sends again after it was kept: once the view has taken it, the kept one is given up.

The response to a POST that was kept sets a signed cookie with a digest of what was sent. So a POST that goes
well asks the database about kept ones only where this visitor has sent the very same thing before.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from django.core import signing
from django.db import connections
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.crypto import constant_time_compare, salted_hmac

from ..conf import events_alias
from ..pipeline import guard
from ..store import submissions
from .confirmed import KEPT, NONCE, is_instead, says_taken

if TYPE_CHECKING:
    from .rescue import Kept

MAX_AGE = 7 * 24 * 3600

_SALT = "django_qaprod.resent"
_MOST = 5
_DIGITS = 16
_TOKEN = "csrfmiddlewaretoken"  # noqa: S105 - the name of an input

#: The digest of what was sent, and the id and the idempotency key under which it is kept.
Entry = tuple[str, str, str]


@guard.guarded("forms.resent")
def remember(request: HttpRequest, response: HttpResponseBase, kept: Kept) -> None:
    """Set the cookie by which it is noticed that what is ``kept`` was sent again and taken."""
    digest = _digest(request)
    if not digest:
        return
    entries = [entry for entry in _entries(request) if entry[1] != kept.id]
    response.set_cookie(
        KEPT,
        signing.dumps([*entries, (digest, kept.id, kept.key)][-_MOST:], salt=_SALT),
        max_age=MAX_AGE,
        secure=request.is_secure(),
        httponly=True,
        samesite="Lax",
    )


def give_up(request: HttpRequest, response: HttpResponseBase, name: str) -> None:
    """Give up what was kept of this POST before, if the answer says that the view ``name`` has taken it.

    In the transaction that is open, so that it is given up if and only if the work is done. Raises only
    what has cost the view its transaction: then its work is undone, and what was kept still waits.
    """
    connection = connections[events_alias()]
    # A host that rolls back by itself has taken nothing; nor has one that passes on what another view was
    # served instead of its answer.
    if connection.needs_rollback or is_instead(response):
        return
    try:
        for _, pk, key in _same(request, response):
            submissions.taken(pk, key=key, name=name)
    except Exception as error:
        # A guard that has to know what is left of the transaction.
        guard.caught("forms.resent", error)
        if connection.needs_rollback:
            raise


def _same(request: HttpRequest, response: HttpResponseBase) -> list[Entry]:
    digest = _digest(request) if says_taken(request, response) else ""
    if not digest:
        return []
    return [entry for entry in _entries(request) if constant_time_compare(entry[0], digest)]


def _entries(request: HttpRequest) -> list[Entry]:
    try:
        found = signing.loads(request.COOKIES.get(KEPT, ""), salt=_SALT, max_age=MAX_AGE)
    except signing.BadSignature:
        return []
    return [(digest, pk, key) for digest, pk, key in found]


def _digest(request: HttpRequest) -> str:
    """Return the same for a POST that is sent again, and another for other words in the same page.

    The nonce alone would not do: two forms of a page share its CSRF token, and whoever goes back and types
    something else means something else.
    """
    # The view is done, so it may be read now; as a stream that was read it is empty.
    sent = request.POST
    nonce = sent.get(NONCE) or sent.get(_TOKEN)
    if not nonce:
        return ""
    fields = sorted((name, values) for name, values in sent.lists() if name not in {NONCE, _TOKEN})
    files = sorted((name, [(one.name, one.size) for one in some]) for name, some in request.FILES.lists())
    words = json.dumps((nonce, request.get_full_path(), fields, files))
    return salted_hmac(_SALT, words, algorithm="sha256").hexdigest()[:_DIGITS]
