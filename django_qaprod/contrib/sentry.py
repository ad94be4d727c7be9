"""Sentry."""


def install() -> None:
    """Let Sentry see."""
