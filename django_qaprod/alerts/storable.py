"""Verdicts as every database takes them: keys are what visitors sent, numbers are what came of dividing."""

from __future__ import annotations

import hashlib
import math

from ..models import Alert
from ..store.statements import limit
from ..text import clean
from .judging.base import Verdict

#: Characters of what tells two keys apart that are alike as far as they fit.
_TOLD_APART = 8


def storable(verdict: Verdict, now: float) -> Verdict:
    """Return a verdict without what a store refuses: it would keep the rule from ever being told.

    A number that is none is left out, and so is a beginning that lies ahead.
    """
    since = verdict.since
    return verdict._replace(
        key=_key(verdict.key),
        value=_number(verdict.value),
        limit=_number(verdict.limit),
        words=clean(verdict.words, limit(Alert, "words")),
        usual=clean(verdict.usual, limit(Alert, "usual")),
        since=since if since is not None and 0 <= since <= now else None,
    )


def _key(key: str) -> str:
    most = limit(Alert, "key")
    if len(key) <= most:
        return clean(key, most)
    digest = hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:_TOLD_APART]
    return f"{clean(key, most - _TOLD_APART - 1)} {digest}"


def _number(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
