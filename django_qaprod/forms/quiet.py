"""The session of a request whose view failed: what the view did to it is dropped, and nothing is saved."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django.conf import settings as django_settings
from django.contrib.sessions.backends.base import SessionBase
from django.http import HttpRequest
from django.middleware.csrf import CSRF_SESSION_KEY

from ..pipeline.guard import guarded

# What login() and logout() change of a request; and what a view may put in the place of what came, to show a
# page with ``self.get()`` for instance, or to tidy what was typed.
_GIVEN = ("user", "auser", "method", "_post", "_files")


class QuietSession(SessionBase):
    """A session in memory.

    With ``store``, a function that opens the visitor's own, it begins with what is stored there, read when
    somebody asks. Sealed, it reads nothing any more: the middleware behind us must not meet a dead database.
    Saving, ending and renewing do nothing, so the visitor's cookie and what is stored stay as they are.
    """

    def __init__(
        self,
        data: Mapping[str, Any] | None = None,
        *,
        store: Callable[[], SessionBase] | None = None,
        accessed: bool = False,
    ) -> None:
        self._store = store
        self._sealed = store is None
        self._token_saved = False
        super().__init__(store().session_key if store is not None else None)
        #: Whether the response varies by the cookie.
        self.accessed = accessed
        if data is not None or store is None:
            self._session_cache = dict(data or {})

    def seal(self) -> None:
        """Read nothing from now on."""
        self._sealed = True

    @property
    def modified(self) -> bool:
        """Whether the cookie is to be set: for a token that was saved."""
        return self._token_saved

    @modified.setter
    def modified(self, value: bool) -> None:
        pass

    def load(self) -> dict[str, Any]:
        return {} if self._store is None or self._sealed else dict(self._store().load())

    def is_empty(self) -> bool:
        # "Empty" has the cookie deleted, where there is one.
        return not self._session_key

    def __setitem__(self, key: str, value: Any) -> None:
        super().__setitem__(key, value)
        if key == CSRF_SESSION_KEY:
            self._save_token(value)

    @guarded("forms.session")
    def _save_token(self, secret: str) -> None:
        if self._store is None:
            return
        # Nothing else is saved; but without its token the form could not be sent.
        store = self._store()
        store[CSRF_SESSION_KEY] = secret
        store.save()
        self._session_key = store.session_key
        self._token_saved = True

    def save(self, must_create: bool = False) -> None:
        pass

    def create(self) -> None:
        pass

    def delete(self, session_key: str | None = None) -> None:
        pass

    def exists(self, session_key: str) -> bool:
        return False

    def cycle_key(self) -> None:
        pass

    def flush(self) -> None:
        self.clear()

    async def asave(self, must_create: bool = False) -> None:
        pass

    async def acreate(self) -> None:
        pass

    async def adelete(self, session_key: str | None = None) -> None:
        pass

    async def acycle_key(self) -> None:
        pass

    async def aflush(self) -> None:
        self.clear()

    async def aexists(self, session_key: str) -> bool:
        return False

    @classmethod
    def clear_expired(cls) -> None:
        pass


def visitor_of(request: HttpRequest) -> dict[str, Any]:
    """Return what a view may change of a request, who the visitor is above all, for ``hush``.

    Nobody is looked up, and nothing is read.
    """
    now = request.__dict__
    return {name: now[name] for name in _GIVEN if name in now}


@guarded("forms.session")
def hush(request: HttpRequest, visitor: Mapping[str, Any]) -> None:
    """Give the request a session and messages of which the failed view knows nothing.

    And the ``visitor`` there was before: a view that signs somebody in and then fails has signed in nobody.
    And what was sent, as it came.
    """
    request.__dict__.update(visitor)
    if "_post" not in visitor and ("_body" in request.__dict__ or not request._read_started):  # type: ignore[attr-defined]
        # It can be read anew from what came.
        for name in ("_post", "_files"):
            request.__dict__.pop(name, None)
    given = getattr(request, "session", None)
    if isinstance(given, SessionBase):
        store, key = type(given), request.COOKIES.get(django_settings.SESSION_COOKIE_NAME)
        # What the view has read already need not be asked of a store that may not answer any more.
        loaded = None if given.modified else vars(given).get("_session_cache")
        request.session = QuietSession(loaded, store=lambda: store(key), accessed=given.accessed)
    # What the view wanted to tell ("Saved!") is dropped; what was waiting before is still to be told.
    if hasattr(request, "_messages"):
        from django.contrib.messages.storage import default_storage

        request._messages = default_storage(request)


def seal(request: HttpRequest) -> None:
    """Keep those behind us from reading a session that may not answer."""
    session = getattr(request, "session", None)
    if isinstance(session, QuietSession):
        session.seal()
