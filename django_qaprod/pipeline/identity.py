"""Who met an error, as far as the host has found that out already."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from django.http import HttpRequest
from django.utils.crypto import salted_hmac
from django.utils.functional import LazyObject, empty

from ..conf import settings
from ..text import clean
from .guard import guarded

_SALT = "django_qaprod.user"
_MIDDLEWARE = "django.contrib.auth.middleware"


def user_of(request: HttpRequest | None) -> str:
    """Return the user's primary key, hashed or withheld as ``QAPROD["USER_IDS"]`` says.

    Nothing is evaluated: reading ``request.user`` would cost a query and add ``Vary: Cookie``.
    """
    return "" if request is None or settings().user_ids == "off" else as_stored(key_of(request))


def as_stored(key: str) -> str:
    """Return a user's primary key as ``QAPROD["USER_IDS"]`` has it stored beside what is encrypted."""
    how = settings().user_ids
    if how == "off":
        return ""
    return hashed(key) if how == "hash" and key else key


def key_of(request: HttpRequest) -> str:
    """Return the user's primary key itself, if the host has looked the user up. For what is encrypted."""
    return known(vars(request)) or ""


@guarded("identity")
def known(given: Mapping[str, Any]) -> str | None:
    """Return the key of who a request's attributes say it is: nothing for nobody, ``None`` if none was asked.

    What somebody has put in the place of Django's own user counts: an administrator who looks at the site as
    somebody else is that somebody, although Django remembers who has signed in.
    """
    user = given.get("user")
    if user is None or _is_unasked(user):
        if not _is_django_s(user):
            return None
        user = given.get("_cached_user") or given.get("_acached_user")
        if user is None or _is_unasked(user):
            return None
    key = getattr(user, "pk", None)
    return "" if key is None or issubclass(type(key), LazyObject) else clean(str(key), 100)


@lru_cache(maxsize=1024)
def hashed(key: str) -> str:
    """Return the digest that stands for a user: the same everywhere under one ``SECRET_KEY``."""
    return salted_hmac(_SALT, key, algorithm="sha256").hexdigest()[:32]


def _is_unasked(user: Any) -> bool:
    return issubclass(type(user), LazyObject) and user.__dict__.get("_wrapped", empty) is empty


def _is_django_s(user: Any) -> bool:
    """Whether what is not asked yet would say what Django remembers; or there is nothing."""
    return user is None or getattr(user.__dict__.get("_setupfunc"), "__module__", "") == _MIDDLEWARE
