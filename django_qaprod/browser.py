"""Tell the family of a browser from its User-Agent, coarsely and cheaply.

A family is for comparing ("the button broke in Safari"), not for identifying: versions and
platforms are thrown away, and so is whatever is not in the list.
"""

from __future__ import annotations

import re
from typing import Final

OTHER: Final = "Other"
BOT: Final = "Bot"

# Looked for in this order: nearly everyone claims to be Chrome or Safari, and some say who they are besides.
_FAMILIES: Final = (
    ("Edge", ("Edg/", "Edge/", "EdgA/", "EdgiOS/")),
    ("Opera", ("OPR/", "Opera", "OPiOS/")),
    ("Samsung Internet", ("SamsungBrowser/",)),
    ("Firefox", ("Firefox/", "FxiOS/")),
    ("Chrome", ("Chrome/", "CriOS/", "Chromium/")),
    ("Safari", ("Safari/", "AppleWebKit/")),
    ("Internet Explorer", ("MSIE ", "Trident/")),
)
_BOTS: Final = (
    "crawl", "spider", "slurp", "curl/", "wget/", "python-", "httpx", "okhttp", "go-http-client", "java/",
    "axios/", "node-fetch", "postman", "probe/", "googlehc/", "healthcheck", "health-check", "headlesschrome",
    "lighthouse", "monitor", "uptime", "scan", "zgrab", "facebookexternalhit", "preview",
)  # fmt: skip
# Cubot makes telephones.
_BOT: Final = r"(?<!cu)bot(?![a-z])"

_CACHE_SIZE: Final = 1024
_MAX_LENGTH: Final = 512
_cache: dict[str, str] = {}


def family(user_agent: str) -> str:
    """Return the browser's family, ``Bot`` for what says it is one, ``Other`` for the rest.

    The answers are remembered; a flood of made-up agents empties the memory and never grows it.
    """
    known = _cache.get(user_agent)
    if known is not None:
        return known
    found = _family(user_agent[:_MAX_LENGTH])
    if len(user_agent) <= _MAX_LENGTH:
        if len(_cache) >= _CACHE_SIZE:
            _cache.clear()
        _cache[user_agent] = found
    return found


def _family(user_agent: str) -> str:
    if _is_bot(user_agent.lower()):
        return BOT
    for name, words in _FAMILIES:
        if any(word in user_agent for word in words):
            return name
    return OTHER


def _is_bot(lowered: str) -> bool:
    return any(word in lowered for word in _BOTS) or re.search(_BOT, lowered) is not None
