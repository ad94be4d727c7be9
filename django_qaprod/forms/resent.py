"""What a visitor sends again after it was kept: once the view has taken it, the kept one is given up.

The response to a POST that was kept sets a signed cookie with digests of what was sent and by whom. So a POST
that goes well asks the database about kept ones only where this visitor has sent the very same thing before.
It is given up only where the view itself has said that it took it; where its answer only looks like that, the
kept one waits in doubt, because a view that refuses something may answer so, too.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from django.conf import settings as django_settings
from django.core import signing
from django.db import connections
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.crypto import constant_time_compare, salted_hmac

from ..conf import events_alias
from ..pipeline import guard, identity
from ..store import submissions
from .confirmed import KEPT, NONCE
from .verdict import Verdict, verdict

if TYPE_CHECKING:
    from .rescue import Kept

MAX_AGE = 7 * 24 * 3600

_SALT = "django_qaprod.resent"
_MOST = 5
_DIGITS = 16
_TOKEN = "csrfmiddlewaretoken"  # noqa: S105 - the name of an input
#: How many names that no form knows may differ, and how long they may be together: it is a cookie.
_BESIDES_MOST, _BESIDES_LENGTH = 10, 200


class Entry(NamedTuple):
    """One that was kept: its id and key; digests of its words, its files, the user and the session.

    What came ``besides`` the form's fields is not in them: a captcha's token differs each time. No ``user``
    means that nobody could tell.
    """

    pk: str
    key: str
    words: str
    files: str
    user: str
    session: str
    besides: list[str]


@guard.guarded("forms.resent")
def remember(request: HttpRequest, response: HttpResponseBase, kept: Kept) -> None:
    """Set the cookie by which it is noticed that what is ``kept`` was sent again and taken."""
    besides = list(kept.besides)
    if len(besides) > _BESIDES_MOST or sum(map(len, besides)) > _BESIDES_LENGTH:
        besides = []
    words = _words(request, besides)
    if not words:
        return
    user, session = _visitor(request, vars(request))
    entry = Entry(kept.id, kept.key, words, _files(request, besides), user, session, besides)
    entries = [one for one in _entries(request) if one.pk != kept.id]
    response.set_cookie(
        KEPT,
        signing.dumps([*entries, entry][-_MOST:], salt=_SALT, compress=True),
        max_age=MAX_AGE,
        secure=request.is_secure(),
        httponly=True,
        samesite="Lax",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Again:
    """A POST of somebody for whom something was kept. ``given`` is the request as it was before its view.

    ``alike`` are the kept ones whose words it has: found before the view, which may change what was sent;
    ``None`` if nobody had read it until then.
    """

    request: HttpRequest
    given: Mapping[str, Any]
    alike: list[Entry] | None

    def give_up(self, response: HttpResponseBase, *, name: str, journey: str) -> None:
        """Give up what was kept of this POST before, if the view ``name`` has taken it.

        In the transaction that is open, so that it is given up if and only if the work is done. Raises only
        what has cost the view its transaction: then its work is undone, and what was kept still waits.
        """
        connection = connections[events_alias()]
        # A host that rolls back by itself has taken nothing.
        if connection.needs_rollback:
            return
        try:
            self._give_up(verdict(self.request, response, journey), name)
        except Exception as error:
            # A guard that has to know what is left of the transaction.
            guard.caught("forms.resent", error)
            if connection.needs_rollback:
                raise

    def _give_up(self, found: Verdict, name: str) -> None:
        if found is Verdict.NOT_TAKEN:
            return
        for entry in _alike(self.request) or () if self.alike is None else self.alike:
            same = self._is_same(entry)
            if same is False:
                # Somebody else at the same browser has work of their own.
                continue
            settle = submissions.taken if found is Verdict.TAKEN and same else submissions.doubt_taken
            settle(entry.pk, key=entry.key, name=name)

    def _is_same(self, entry: Entry) -> bool | None:
        """Whether it is the same visitor, ``None`` if that cannot be told."""
        user, session = _visitor(self.request, self.given)
        if user and entry.user:
            return user == entry.user
        if session == entry.session:
            return True
        # Who has a session since then, for instance. Somebody else it may also be since this very request.
        asked = getattr(self.given.get("user"), "pk", None)
        return True if entry.user and entry.user == _digest("user", _key(asked)) else None


def again(request: HttpRequest, given: Mapping[str, Any]) -> Again:
    """Return a POST that carries the cookie, before its view."""
    with guard.guard("forms.resent"):
        return Again(request=request, given=given, alike=_alike(request))
    return Again(request=request, given=given, alike=None)


def _alike(request: HttpRequest) -> list[Entry] | None:
    # What a view means to read as a stream is left alone.
    if "_post" not in vars(request) and "_body" not in vars(request):
        return None
    return [
        entry
        for entry in _entries(request)
        if constant_time_compare(entry.words, _words(request, entry.besides))
        # Files are read only if there is nothing else that differs.
        and constant_time_compare(entry.files, _files(request, entry.besides))
    ]


def _entries(request: HttpRequest) -> list[Entry]:
    try:
        found = signing.loads(request.COOKIES.get(KEPT, ""), salt=_SALT, max_age=MAX_AGE)
        return [Entry(*one) for one in found]
    except (signing.BadSignature, TypeError):
        # The latter is one of another version.
        return []


def _words(request: HttpRequest, besides: Collection[str]) -> str:
    """Return the same for a POST that is sent again, and another for other words in the same page.

    The nonce alone would not do: two forms of a page share its CSRF token, and whoever goes back and types
    something else means something else.
    """
    sent = request.POST
    nonce = sent.get(NONCE) or sent.get(_TOKEN)
    if not nonce:
        return ""
    ignored = {NONCE, _TOKEN, *besides}
    fields = sorted((name, values) for name, values in sent.lists() if name not in ignored)
    return _digest("words", (nonce, request.get_full_path(), fields))


def _files(request: HttpRequest, besides: Collection[str]) -> str:
    files = sorted(
        (name, one.name or "", _content(one))
        for name, some in request.FILES.lists()
        for one in some
        if name not in besides
    )
    return _digest("files", files) if files else ""


def _content(file: Any) -> str:
    content = hashlib.sha256()
    for part in file.chunks():
        content.update(part)
    # As if nobody had read it.
    file.seek(0)
    return content.hexdigest()


def _visitor(request: HttpRequest, given: Mapping[str, Any]) -> tuple[str, str]:
    """Return digests of who it was before the view, nothing if nobody has asked, and of the session."""
    # What Django remembers is written down when somebody asks, by the view for instance.
    key = identity.known({**vars(request), **given})
    session = request.COOKIES.get(django_settings.SESSION_COOKIE_NAME, "")
    return _digest("user", key) if key is not None else "", _digest("session", session) if session else ""


def _key(user: object) -> str:
    return "" if user is None else str(user)


def _digest(kind: str, of: object) -> str:
    words = json.dumps((kind, of))
    return salted_hmac(_SALT, words, algorithm="sha256").hexdigest()[:_DIGITS]
