"""What the system checks say about logs."""

from __future__ import annotations

import logging
from collections.abc import Iterator

from django.conf import settings as django_settings
from django.core.checks import CheckMessage, Error, Warning  # noqa: A004 - Django's names

from ..conf import MIDDLEWARE, settings
from ..pipeline import scrub


def check() -> Iterator[CheckMessage]:
    """Yield what is wrong."""
    chosen = settings()
    for event, names in chosen.usage_fields.items():
        for name in filter(scrub.is_secret_key, names):
            yield Error(
                f"QAPROD['USAGE_FIELDS'] allows {name!r} for {event!r}, but it is never logged: its name "
                "sounds like a secret's.",
                hint="If it holds no secret, give it another name.",
                id="qaprod.E022",
            )
    for key, name in (
        ("LOG_REQUESTS", "qaprod.request"),
        ("LOG_STEPS", "qaprod.step"),
        ("USAGE_FIELDS", "qaprod.usage"),
    ):
        if getattr(chosen, key.lower()) and not _is_heard(logging.getLogger(name)):
            yield Warning(
                f"QAPROD[{key!r}] is set, but nobody hears what the logger {name!r} says at INFO.",
                hint="Let LOGGING be what django_qaprod.logs.logging_config() returns, or give the logger "
                "'qaprod' the level INFO and a handler.",
                id="qaprod.W022",
            )
    if chosen.log_requests and MIDDLEWARE not in django_settings.MIDDLEWARE:
        yield Warning(
            "QAPROD['LOG_REQUESTS'] is on, but the middleware that ends a request is not installed: none is "
            "logged, and no line knows its request.",
            hint=f"List {MIDDLEWARE!r} first in MIDDLEWARE, or leave QAPROD['AUTO_MIDDLEWARE'] on.",
            id="qaprod.W023",
        )


def _is_heard(logger: logging.Logger | None) -> bool:
    if logger is None or not logger.isEnabledFor(logging.INFO):
        return False
    asked: logging.Logger | None = logger
    while asked is not None:
        if any(handler.level <= logging.INFO for handler in asked.handlers):
            return True
        asked = asked.parent if asked.propagate else None
    return False
