"""The client of our own. It is no scope's, so nothing of the host's or of Sentry's integrations uses it."""

from __future__ import annotations

from typing import Any

import sentry_sdk
from sentry_sdk.client import SDK_INFO

from ...options import Sentry
from .scrubbing import scrub_event
from .transport import OneByOne


def client_of(chosen: Sentry) -> sentry_sdk.Client:
    """Return a client that sends events and does nothing else: no integrations, sessions, traces, threads."""
    name = SDK_INFO["name"]
    try:
        return sentry_sdk.Client(
            dsn=chosen.dsn,
            environment=chosen.environment or None,
            # Without one it would ask git for it.
            release="",
            transport=OneByOne,
            default_integrations=False,
            auto_enabling_integrations=False,
            auto_session_tracking=False,
            enable_backpressure_handling=False,
            send_client_reports=False,
            spotlight=False,
            before_send=_before_send if chosen.scrub is not False else _without_empty_release,
        )
    finally:
        # A client of the host's in the same process has put its own name there.
        SDK_INFO["name"] = name


def _before_send(event: Any, hint: Any) -> Any:
    return scrub_event(_without_empty_release(event, hint), hint)


def _without_empty_release(event: Any, hint: Any) -> Any:
    if not event.get("release"):
        event.pop("release", None)
    return event
