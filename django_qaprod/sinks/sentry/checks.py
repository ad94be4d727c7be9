"""The system checks of Sentry."""

from __future__ import annotations

from collections.abc import Iterator

from django.core.checks import CheckMessage, Error, Warning  # noqa: A004 - Django's names

from ... import options
from ...conf import settings
from . import host
from .dsn import is_dsn


def check() -> Iterator[CheckMessage]:
    """Yield what is wrong with ``QAPROD["SENTRY"]``, and with what it finds of the host's client."""
    chosen = options.of(options.Sentry)
    if chosen is None:
        return
    client = host.client()
    if chosen.dsn and not is_dsn(chosen.dsn):
        # Not the DSN itself: it holds a key.
        yield Error(
            "QAPROD['SENTRY']['DSN'] is no DSN; no client is started.",
            hint="Copy it from your project's settings in Sentry: https://<key>@<host>/<number>.",
            id="qaprod.E020",
        )
    if chosen.event_url and not chosen.url_of("0" * 32):
        yield Error(
            "QAPROD['SENTRY']['EVENT_URL'] names no place for an event; failures are shown without a link.",
            hint='Write where Sentry shows one, with {event_id} for its id: "https://sentry.example'
            '/organizations/acme/issues/?query={event_id}". {event_uuid} is the id with dashes; there is no '
            "other placeholder.",
            id="qaprod.E021",
        )
    if not chosen.dsn and client is None:
        yield Warning(
            "QAPROD['SENTRY'] is set, but it has no DSN, and these settings start no client: nothing goes "
            "to Sentry.",
            hint="Call sentry_sdk.init() in your settings, or give a DSN to QAPROD['SENTRY']. If you call it "
            "elsewhere, in wsgi.py for instance, silence this check.",
            id="qaprod.W020",
        )
    release = client.options.get("release") if client is not None else None
    if release and settings().release and release != settings().release:
        yield Warning(
            f"Sentry's release is {release!r}, QAPROD['RELEASE'] {settings().release!r}: what has come back "
            "with a release is told differently in both.",
            hint="Give sentry_sdk.init() and QAPROD the same release.",
            id="qaprod.W021",
        )
