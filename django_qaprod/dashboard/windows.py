"""The stretch of time that a page shows, chosen by ``?window=``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from ..queries.window import Window

_SPANS: dict[str, tuple[Promise, timedelta | None]] = {
    "today": (_("today"), None),
    "24h": (_("24 hours"), timedelta(hours=24)),
    "7d": (_("7 days"), timedelta(days=7)),
    "28d": (_("28 days"), timedelta(days=28)),
}
PARAMETER = "window"


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One of the stretches to choose from."""

    key: str
    label: Promise
    chosen: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """The stretch that was chosen, and the choices. Whatever is not one of them is the default."""

    key: str
    label: Promise
    window: Window
    choices: list[Choice]


def choose(given: Mapping[str, str], *, default: str = "24h") -> Chosen:
    """Return the window that the query string asks for."""
    key = given.get(PARAMETER, default)
    if key not in _SPANS:
        key = default
    label, span = _SPANS[key]
    return Chosen(
        key=key,
        label=label,
        window=Window.today() if span is None else Window.last(span),
        choices=[
            Choice(key=known, label=words, chosen=known == key) for known, (words, _span) in _SPANS.items()
        ],
    )
