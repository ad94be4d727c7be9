"""Each change that people made of a rule: who, when, from what to what. The admin's own log keeps them.

So they stand among the recent actions, too. A rule's row keeps the last change of each number alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from django.contrib.admin.models import LogEntry
from django.http import HttpRequest
from django.utils.translation import override

from ..dashboard import rules, words
from ..models import Rule
from .careful import AdminBase

#: Changes at once that are shown of a rule, the latest.
MOST = 50
# In an entry, beside what the admin reads of it.
_OURS = "rule"


class Change(NamedTuple):
    """What was changed: the key, what the rule said before, what it says, and whether the code does, too."""

    key: str
    before: Any
    after: Any
    in_code: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """A change in words."""

    at: datetime
    who: str
    name: str
    before: str
    after: str
    in_code: bool


def note(page: AdminBase, request: HttpRequest, name: str, changes: Iterable[Change]) -> None:
    """Keep what somebody has just changed of the rule of that name."""
    row, made = Rule.objects.filter(name=name).first(), list(changes)
    if row is None or not made:
        return
    # As the admin does it: who reads it may have another language.
    with override(None):
        told = [f"{one.name}: {one.before} → {one.after}" for one in (_in_words(change) for change in made)]
    message: Any = [{"changed": {"fields": told}, _OURS: made}]
    page.log_change(request, row, message)


def changes(row: Rule) -> list[Changed]:
    """Return what people have changed of a rule, the latest first. One query."""
    if row._state.adding:
        return []
    about = Rule._meta
    entries = LogEntry.objects.filter(
        content_type__app_label=about.app_label, content_type__model=about.model_name, object_id=str(row.pk)
    ).select_related("user")
    return [
        Changed(
            at=entry.action_time,
            who=entry.user.get_username(),
            name=said.name,
            before=said.before,
            after=said.after,
            in_code=change.in_code,
        )
        for entry in entries.order_by("-action_time", "-pk")[:MOST]
        for change in _kept(entry.change_message)
        for said in (_in_words(change),)
    ]


class _Words(NamedTuple):
    name: str
    before: str
    after: str


def _in_words(change: Change) -> _Words:
    before, after = (rules.in_words(change.key, value) for value in (change.before, change.after))
    return _Words(rules.name_of(change.key), before or words.NOTHING, after or words.NOTHING)


def _kept(message: str) -> list[Change]:
    """Return what we have noted in an entry; of one that somebody else wrote, nothing."""
    try:
        noted = [Change(*one) for one in json.loads(message)[0][_OURS]]
    except (ValueError, LookupError, TypeError):
        return []
    return noted
