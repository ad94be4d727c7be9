"""Encryption of what visitors sent, under keys of its own: ``QAPROD["RESCUE_KEYS"]``.

The only place that knows ``cryptography``, and no earlier than there is something to encrypt.
"""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from typing import TYPE_CHECKING

from django.conf import settings as django_settings

from .conf import settings
from .exceptions import NoKeyError, UnreadableError

if TYPE_CHECKING:
    from cryptography.fernet import MultiFernet

#: What makes a key, for whoever has none.
MAKE_A_KEY = (
    "Make one: python -c 'from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())'."
)

_SALT = b"django_qaprod.vault"


def available() -> bool:
    """Whether there is a key to encrypt with."""
    return bool(_keys())


def is_derived() -> bool:
    """Whether the key is made of ``SECRET_KEY``, for want of others: in DEBUG alone."""
    return django_settings.DEBUG and not any(_is_key(key) for key in settings().rescue_keys)


def encrypt(content: bytes) -> bytes:
    """Return the content encrypted with the first key, authenticated and dated (Fernet).

    Raises ``NoKeyError``.
    """
    return _box().encrypt(content)


def decrypt(content: bytes) -> bytes:
    """Return what was encrypted with any of the keys.

    Raises ``UnreadableError`` when none of them fits, or somebody has changed it, and ``NoKeyError``.
    """
    from cryptography.fernet import InvalidToken

    try:
        return _box().decrypt(content)
    except InvalidToken as error:
        raise UnreadableError("None of QAPROD['RESCUE_KEYS'] decrypts this.") from error


def rotate(content: bytes) -> bytes:
    """Return the content encrypted anew, with the first key. Raises as ``decrypt`` does."""
    from cryptography.fernet import InvalidToken

    try:
        return _box().rotate(content)
    except InvalidToken as error:
        raise UnreadableError("None of QAPROD['RESCUE_KEYS'] decrypts this.") from error


def is_current(content: bytes) -> bool:
    """Whether it is the first key that decrypts this, so that ``rotate`` would change nothing.

    Raises ``NoKeyError``.
    """
    from cryptography.fernet import InvalidToken

    try:
        _multi(_needed_keys()[:1]).decrypt(content)
    except InvalidToken:
        return False
    return True


def bad_keys() -> list[int]:
    """Return the positions of those of ``QAPROD["RESCUE_KEYS"]`` that are no Fernet keys, for the checks."""
    return [at for at, key in enumerate(settings().rescue_keys) if not _is_key(key)]


def _box() -> MultiFernet:
    return _multi(_needed_keys())


def _needed_keys() -> tuple[str, ...]:
    keys = _keys()
    if not keys:
        raise NoKeyError("Set QAPROD['RESCUE_KEYS']: without a key nothing can be kept.")
    return keys


def _keys() -> tuple[str, ...]:
    if is_derived():
        return (_derived(django_settings.SECRET_KEY),)
    return tuple(key for key in settings().rescue_keys if _is_key(key))


@cache
def _multi(keys: tuple[str, ...]) -> MultiFernet:
    from cryptography.fernet import Fernet, MultiFernet

    return MultiFernet([Fernet(key) for key in keys])


# Slow on purpose.
@cache
def _derived(secret: str) -> str:
    digest = hashlib.scrypt(secret.encode(), salt=_SALT, n=2**12, r=8, p=1, dklen=32)
    return base64.urlsafe_b64encode(digest).decode()


def _is_key(key: str) -> bool:
    try:
        return len(base64.urlsafe_b64decode(key)) == 32
    except ValueError:
        return False
