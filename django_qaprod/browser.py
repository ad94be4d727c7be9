"""Tell the family of a browser from its User-Agent, coarsely and cheaply.

A family is for comparing ("the button broke in Safari"), not for identifying: versions and
platforms are thrown away, and so is whatever is not in the list.
"""

from __future__ import annotations

import re
from typing import Final

OTHER: Final = "Other"
BOT: Final = "Bot"

# In this order: nearly everyone claims to be Chrome or Safari, and some say who they are besides.
_FAMILIES: Final = (
    (
        BOT,
        re.compile(
            # Cubot makes telephones.
            r"(?<!cu)bot(?![a-z])|crawl|spider|slurp|curl/|wget/|python-|httpx|okhttp|go-http-client|java/|"
            r"axios/|node-fetch|postman|probe/|googlehc/|health-?check|headlesschrome|lighthouse|monitor|uptime|"
            r"scan|zgrab|facebookexternalhit|preview",
            re.IGNORECASE,
        ),
    ),
    ("Edge", re.compile(r"Edg(e|A|iOS)?/")),
    ("Opera", re.compile(r"OPR/|Opera|OPiOS/")),
    ("Samsung Internet", re.compile(r"SamsungBrowser/")),
    ("Firefox", re.compile(r"Firefox/|FxiOS/")),
    ("Chrome", re.compile(r"Chrome/|CriOS/|Chromium/")),
    ("Safari", re.compile(r"Safari/|AppleWebKit/")),
    ("Internet Explorer", re.compile(r"MSIE |Trident/")),
)

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
    for name, pattern in _FAMILIES:
        if pattern.search(user_agent):
            return name
    return OTHER
