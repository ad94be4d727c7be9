"""Sentry, where the host has a client of its own: what it must see while a request is served.

``scrub_event`` is for ``sentry_sdk.init()``, in settings too: nothing is read when this is imported.
"""

from __future__ import annotations

from ...sinks.sentry.scrubbing import scrub_event

__all__ = ["install", "scrub_event"]


def install() -> None:
    """Watch for failures and for the host's client, which may be started later. May be called again."""
    from . import joining

    joining.install()
