"""The search box of the failures: ``key:value`` words and free text."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

from django.db.models import Q

from ..models import Affected, Failure, Occurrence

# -key:"quoted value", key:value, "quoted text", word; a minus only counts before a letter or a quote
_WORD = re.compile(
    r"""(?P<not>-(?=["a-z]))?(?:(?P<key>[a-z]+):(?:"(?P<quoted>[^"]*)"|(?P<value>\S+))|"(?P<phrase>[^"]*)"|(?P<word>\S+))""",
    re.IGNORECASE,
)
_MAX_LENGTH, _MAX_WORDS = 500, 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """A word of a search. ``key`` is empty for free text."""

    key: str
    value: str
    without: bool = False


def words(text: str, *, keys: Collection[str]) -> list[Word]:
    """Return the words of a search; what has a key that nobody knows is free text."""
    return list(_words(text[:_MAX_LENGTH].replace("\x00", ""), keys))[:_MAX_WORDS]


def condition(text: str) -> Q:
    """Return what failures must fulfil to be found: every word."""
    found = Q()
    for word in words(text, keys=_KEYS):
        one = _KEYS[word.key](word.value) if word.key else _free(word.value)
        found &= ~one if word.without else one
    return found


def names_a_state(text: str) -> bool:
    """Whether a search says by itself which states it wants, or asks for one certain person or request."""
    return any(
        word.key in _CERTAIN or (word.key == "is" and word.value in _STATES)
        for word in words(text, keys=_KEYS)
    )


def _words(text: str, keys: Collection[str]) -> Iterator[Word]:
    for match in _WORD.finditer(text):
        key, without = (match["key"] or "").lower(), bool(match["not"])
        if key in keys:
            yield Word(key=key, value=_first(match["quoted"], match["value"]), without=without)
        elif free := _first(match["phrase"], match["word"], match[0].removeprefix("-" if without else "")):
            yield Word(key="", value=free, without=without)


def _first(*values: str | None) -> str:
    return next((value for value in values if value is not None), "")


def _free(value: str) -> Q:
    columns = ("error_type", "message", "culprit", "name")
    found = Q()
    for column in columns:
        found |= Q(**{f"{column}__icontains": value})
    return found


def _is(value: str) -> Q:
    if value in _STATES:
        return Q(state=value)
    flags = {"regression": Q(regression=True), "critical": Q(critical=True), "served": Q(served__gt=0)}
    return flags.get(value, Q(pk__in=()))


def _affected(who: Affected.Who) -> Callable[[str], Q]:
    return lambda value: Q(pk__in=Affected.objects.filter(who=who, key=value).values("failure"))


_STATES = frozenset(Failure.State.values)
_CERTAIN = frozenset({"state", "failure", "occurrence", "request", "user", "subject"})
_KEYS: dict[str, Callable[[str], Q]] = {
    "kind": lambda value: Q(kind=value),
    "name": lambda value: Q(name=value),
    "severity": lambda value: Q(severity=value),
    "state": lambda value: Q(state=value),
    "journey": lambda value: Q(journey__iexact=value),
    "route": lambda value: Q(route__icontains=value),
    "release": lambda value: Q(last_release=value) | Q(first_release=value),
    "is": _is,
    "user": _affected(Affected.Who.USER),
    "subject": _affected(Affected.Who.SUBJECT),
    # As events in Sentry have it among their tags.
    "failure": lambda value: Q(fingerprint=value),
    # As log lines and spans have it; only some are kept.
    "occurrence": lambda value: Q(pk__in=Occurrence.objects.filter(pk=value).values("failure")),
    # A subquery: a join would repeat a failure for each of its occurrences.
    "request": lambda value: Q(pk__in=Occurrence.objects.filter(request_id=value).values("failure")),
}
