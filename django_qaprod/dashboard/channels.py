"""What the page of channels shows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from .. import clock
from ..models import Channel
from ..store import channels
from . import words

_KINDS: Mapping[str, Promise] = {
    "email": gettext_lazy("e-mail"),
    "webhook": gettext_lazy("webhook"),
    "apprise": gettext_lazy("Apprise"),
    "class": gettext_lazy("the project's own"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """A channel as the settings say. ``kind`` is empty where they make none."""

    name: str
    kind: str
    fallback: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A channel. ``state`` is ``fine``, ``failing``, ``alone``, ``unused`` or ``wrong``, also in words."""

    name: str
    kind: str
    fallback: str
    state: str
    state_words: str
    sent_at: datetime | None
    failed_at: datetime | None
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelsPage:
    """What the template shows; ``gone`` are names that are configured no more."""

    rows: list[Shown]
    gone: list[str]


def page(declared: Iterable[Declared]) -> ChannelsPage:
    """Return the channels that are declared, with how each does. One query."""
    states, known = channels.states(), list(declared)
    return ChannelsPage(
        rows=[_shown(one, states.get(one.name)) for one in known],
        gone=sorted(states.keys() - {one.name for one in known}),
    )


def _shown(one: Declared, row: Channel | None) -> Shown:
    state, in_words = _state(one, row)
    return Shown(
        name=one.name,
        kind=str(_KINDS.get(one.kind, one.kind)),
        fallback=one.fallback,
        state=state,
        state_words=in_words,
        sent_at=row.sent_at if row is not None else None,
        failed_at=row.failed_at if row is not None else None,
        error=row.error if row is not None else "",
    )


def _state(one: Declared, row: Channel | None) -> tuple[str, str]:
    if not one.kind:
        return "wrong", _("its settings make no channel")
    if row is None:
        return "unused", _("not used yet")
    if row.open_until is not None and row.open_until > clock.now():
        return "alone", _("left alone until %(until)s") % {"until": words.moment(row.open_until)}
    return ("failing", _("failing")) if row.failures else ("fine", _("fine"))
