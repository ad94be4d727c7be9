"""System checks of expectations."""

from __future__ import annotations

from collections.abc import Iterator

from django.core.checks import CheckMessage, Error

from .. import registry
from .calendars import Calendar


def check() -> Iterator[CheckMessage]:
    """Yield what keeps an expectation from being looked at."""
    for spec in registry.expectations():
        yield from holidays(f"expectation {spec.name!r}", spec.due)


def holidays(whose: str, known: object) -> Iterator[CheckMessage]:
    """Yield what keeps the holidays of a calendar, or of a method of one, from being known."""
    calendar = getattr(known, "__self__", known)
    if isinstance(calendar, Calendar) and (why := calendar.unknown()):
        yield Error(
            f"The holidays of the {whose} are not known: {why}",
            hint='Give a code that the library holidays has, as holidays="GB" or "GB-ENG".',
            id="qaprod.E026",
        )
