"""Which errors are alike: a digest of what they are, where they come from and what they say.

Line numbers are left out, or every edit of a file would give its errors a new name; what varies from one
happening to the next (numbers, ids, quoted values, addresses, dates, paths) is left out of the message.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache, lru_cache
from hashlib import blake2b
from typing import Any, Final, Protocol

from django.utils.module_loading import import_string

from ..conf import settings
from .guard import guarded

#: Goes up when the recipe changes, so that failures of two recipes are never taken for one.
VERSION: Final = "v1"
MAX_MESSAGE: Final = 300

# Where it can, a branch begins with a character and looks behind it then: one look rules most of them out.
_BEFORE_ADDRESSES: Final = r"""
      '(?<!\w')[^'\n]*'(?!\w) | "[^"\n]*"
    | <[^<>\n]*>
    | \[(?:scrubbed|email|card|iban)\]
    """
_ADDRESSES: Final = r"| [\w.+-]+@[\w-]+(?:\.[\w-]+)+"
_BEHIND_ADDRESSES: Final = r"""
    | [0-9a-fA-F](?<!\w.)[0-9a-fA-F]{7}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\b
    | 0(?<!\w0)[xX][0-9a-fA-F]+
    | /(?<![\w.]/)[\w.%+~-]+(?:/[\w.%+~-]+)+/?
    | [0-9a-fA-F](?<!\w.)(?:(?<=\d)|(?=[a-fA-F]*\d))[0-9a-fA-F]{7,}\b
    | \d\d*(?:[.,:/T-]\d+)*Z?
    """
# Addresses are looked for at every character of every word.
_VARIABLE_WITHOUT_ADDRESSES: Final = re.compile(_BEFORE_ADDRESSES + _BEHIND_ADDRESSES, re.VERBOSE)
_VARIABLE: Final = re.compile(_BEFORE_ADDRESSES + _ADDRESSES + _BEHIND_ADDRESSES, re.VERBOSE)
_REPEATED: Final = re.compile(r"\*(?:[\s,;:|]*\*)+")


class Chooser(Protocol):
    """``QAPROD["FINGERPRINT"]``: names the group, given the exception or log record and our own choice."""

    def __call__(self, error: Any, default: str, /) -> str: ...


def of(kind: str, types: Sequence[str], where: Sequence[str], message: str) -> str:
    """Return the fingerprint of an error: its kind, the types and functions of its chain, its message."""
    return _digest((kind, *types, *where, normalise(message)))


def chosen(words: str) -> str:
    """Return the fingerprint for a group that the host named itself."""
    return _digest(("chosen", words))


def by_host(error: object, default: str) -> str:
    """Return what ``QAPROD["FINGERPRINT"]`` makes of it, ``default`` when it is not set or fails."""
    path = settings().fingerprint
    if not path:
        return default
    answer = _ask(path, error, default)
    return default if not answer or answer == default else chosen(answer)


def normalise(message: str) -> str:
    """Return the message without what varies from one happening to the next."""
    message = message[: MAX_MESSAGE * 4]
    variable = _VARIABLE if "@" in message else _VARIABLE_WITHOUT_ADDRESSES
    return _REPEATED.sub("*", variable.sub("*", message))[:MAX_MESSAGE]


@guarded("fingerprint")
def _ask(path: str, error: object, default: str) -> str:
    return str(_chooser(path)(error, default))


@cache
def _chooser(path: str) -> Chooser:
    found: Chooser = import_string(path)
    return found


@lru_cache(maxsize=1024)
def _digest(parts: tuple[str, ...]) -> str:
    text = "\0".join(parts).encode("utf-8", "replace")
    return f"{VERSION}:{blake2b(text, digest_size=16).hexdigest()}"
