"""Who met an error, as far as the host has found that out already."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from django.http import HttpRequest
from django.utils.crypto import salted_hmac
from django.utils.functional import LazyObject, empty

from ..conf import settings
from ..text import clean
from .guard import guarded

_SALT = "django_qaprod.user"


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
    return _key(request) or ""


@lru_cache(maxsize=1024)
def hashed(key: str) -> str:
    """Return the digest that stands for a user: the same everywhere under one ``SECRET_KEY``."""
    return salted_hmac(_SALT, key, algorithm="sha256").hexdigest()[:32]


@guarded("identity")
def _key(request: HttpRequest) -> str:
    known = request.__dict__
    user: Any = known.get("_cached_user") or known.get("_acached_user") or _evaluated(known.get("user"))
    key = getattr(user, "pk", None)
    return "" if key is None or issubclass(type(key), LazyObject) else clean(str(key), 100)


def _evaluated(user: Any) -> Any:
    if issubclass(type(user), LazyObject):
        wrapped = user.__dict__.get("_wrapped", empty)
        return None if wrapped is empty else wrapped
    return user
