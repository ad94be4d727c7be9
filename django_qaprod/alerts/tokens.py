"""The secret in a link that lets who was told of alerts act on them, without a login.

It names one message, which the notifications of its alerts share, and the channel that it went to: so it is
equally short for one alert and for five hundred, and the same message sent again has a link to the same ones.
It is signed with the site's ``SECRET_KEY``; those of ``SECRET_KEY_FALLBACKS`` are still good. Nothing is
stored of it, so it cannot be taken back: therefore it is good for a month, and for very little.
"""

from __future__ import annotations

from datetime import timedelta
from typing import NamedTuple

from django.core.signing import BadSignature, TimestampSigner

#: How long a link is good.
GOOD_FOR = timedelta(days=30)

# Changes with what is signed, so that an old link never means something else.
_SALT = "qaprod.alerts.link.2"
_MOST_CHANNEL = 100
_MOST_TOKEN = 1_000


class Ticket(NamedTuple):
    """What a link is for: the alerts of a message, by its id, and the name of the channel that it went to."""

    message: str
    channel: str


def make(message: str, channel: str) -> str:
    """Return the token of a link: letters, digits, dots, hyphens and underscores."""
    return _signer().sign_object({"message": message, "channel": channel[:_MOST_CHANNEL]})


def read(token: str) -> Ticket | None:
    """Return what a token is for; ``None`` when it is too old, or not ours. Compares in constant time."""
    if len(token) > _MOST_TOKEN:
        return None
    try:
        said = _signer().unsign_object(token, max_age=GOOD_FOR)
    except BadSignature:
        return None
    return Ticket(said["message"], said["channel"])


def _signer() -> TimestampSigner:
    # A dot rather than the usual colon, at which some mail and chat programs end a link.
    return TimestampSigner(salt=_SALT, sep=".")
