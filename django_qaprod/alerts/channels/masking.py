"""Take a channel's secrets out of what is said about it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from urllib.parse import parse_qsl, quote, quote_plus, unquote, urlsplit

from ...text import one_line

MASKED = "[masked]"
#: Characters of an error that are kept.
MAX_WORDS = 400
#: Characters: what is shorter is a word, and no secret by itself.
LEAST = 4


def mask(text: str, secrets: Iterable[str]) -> str:
    """Return the text on one line without these secrets, however they are quoted."""
    for secret in sorted(set(_forms(secrets)), key=len, reverse=True):
        text = text.replace(secret, MASKED)
    return one_line(text, MAX_WORDS)


def of_url(url: str, *, host: bool = False) -> set[str]:
    """Return what is secret in a URL: all but its host, and with ``host`` that, too, if it may be a token.

    Many services put their token into the path, some that Apprise knows where the host would be.
    """
    try:
        parts = urlsplit(url)
        named = [parts.username or "", parts.password or "", parts.fragment]
        # As it was written: ``hostname`` is in lower case.
        place = parts.netloc.rpartition("@")[2]
    except ValueError:
        return {url}
    query = [value for pair in parse_qsl(parts.query, keep_blank_values=True) for value in pair[1:]]
    found = [*named, parts.query, *query, *parts.path.split("/")]
    if host and "." not in place and parts.hostname != "localhost":
        found += [place, place.partition(":")[0], parts.hostname or ""]
    long = {part for part in found if len(part) >= LEAST}
    # Whole, these are told by their slash.
    return {url, *long, *(whole for whole in (parts.path, parts.path.strip("/")) if len(whole) >= LEAST)}


def _forms(secrets: Iterable[str]) -> Iterator[str]:
    for secret in secrets:
        if secret:
            yield from (secret, unquote(secret), quote(secret), quote(secret, safe=""), quote_plus(secret))
