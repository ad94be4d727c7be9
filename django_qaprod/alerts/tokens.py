"""The secret in a link that lets who was told of alerts act on them, without a login.

It names the alerts of one message and the channel that it went to, and is signed with the site's
``SECRET_KEY``; those of ``SECRET_KEY_FALLBACKS`` are still good. Nothing is stored of it, so it cannot be
taken back: therefore it is good for a month, and for very little.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import NamedTuple

from django.core.signing import BadSignature, TimestampSigner

#: How long a link is good.
GOOD_FOR = timedelta(days=30)
#: Alerts that one link is for.
MOST_ALERTS = 20

# Changes with what is signed, so that an old link never means something else.
_SALT = "qaprod.alerts.link.1"
_MOST_CHANNEL = 100
_MOST_TOKEN = 2_000


class Ticket(NamedTuple):
    """What a link is for: the alerts of a message, by id, and the name of the channel that it went to."""

    alerts: tuple[int, ...]
    channel: str


def make(alerts: Iterable[int], channel: str) -> str:
    """Return the token of a link: letters, digits, dots, hyphens and underscores."""
    ids = list(dict.fromkeys(alerts))[:MOST_ALERTS]
    return _signer().sign_object({"alerts": ids, "channel": channel[:_MOST_CHANNEL]})


def read(token: str) -> Ticket | None:
    """Return what a token is for; ``None`` when it is too old, or not ours. Compares in constant time."""
    if len(token) > _MOST_TOKEN:
        return None
    try:
        said = _signer().unsign_object(token, max_age=GOOD_FOR)
    except BadSignature:
        return None
    return Ticket(tuple(said["alerts"]), said["channel"])


def _signer() -> TimestampSigner:
    # A dot rather than the usual colon, at which some mail and chat programs end a link.
    return TimestampSigner(salt=_SALT, sep=".")
