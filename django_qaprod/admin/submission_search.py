"""The search box of the rescued submissions: ``key:value`` words and free text."""

from __future__ import annotations

import re
from collections.abc import Callable

from django.db.models import Q

from ..queries import submissions
from ..sent import id_ending
from .search import Word, words

_ID = re.compile(r"[0-9a-f]{32}", re.IGNORECASE)


def condition(text: str) -> Q:
    """Return what submissions must fulfil to be found: every word."""
    found = Q()
    for word in words(text, keys=_KEYS):
        one = _KEYS[word.key](word.value) if word.key else _free(word.value)
        found &= ~one if word.without else one
    return found


def names_a_state(text: str) -> bool:
    """Whether a search says by itself which states it wants, or asks for certain submissions."""
    return any(_names_a_state(word) for word in words(text, keys=_KEYS))


def _names_a_state(word: Word) -> bool:
    return word.key in {"state", "is", "id", "user", "subject", "request"} or bool(
        not word.key and _ending(word.value)
    )


def _ending(value: str) -> str:
    """Return the whole id, or how the id ends of which this is the reference; nothing for other text."""
    return value.lower() if _ID.fullmatch(value) else id_ending(value)


def _id(value: str) -> Q:
    ending = _ending(value)
    return Q(pk__endswith=ending) if ending else Q(pk__in=())


def _free(value: str) -> Q:
    found = Q(user=value) | _id(value)
    for column in ("subject", "name", "route"):
        found |= Q(**{f"{column}__icontains": value})
    return found


def _is(value: str) -> Q:
    flags = {"doubtful": ~Q(in_doubt=""), "edited": Q(version__gt=1), "expiring": submissions.expiring()}
    return flags.get(value, Q(state=value))


_KEYS: dict[str, Callable[[str], Q]] = {
    "id": _id,
    "is": _is,
    "state": lambda value: Q(state=value),
    "journey": lambda value: Q(journey__iexact=value),
    "view": lambda value: Q(name__icontains=value),
    "route": lambda value: Q(route__icontains=value),
    "user": lambda value: Q(user=value),
    "subject": lambda value: Q(subject=value),
    "request": lambda value: Q(request_id=value),
    "release": lambda value: Q(release=value),
}
