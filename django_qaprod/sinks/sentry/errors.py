"""What goes wrong on the way to Sentry, for those who must not import the package to catch it."""

from __future__ import annotations


class RefusedError(Exception):
    """The place will never take this event."""
