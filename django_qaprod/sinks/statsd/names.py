"""The names of what goes out, and how a label of the host's becomes a part of one.

A label can hold anything, and the protocol escapes nothing: a newline begins another metric, a colon another
value. What stands in a name is therefore only ever one of few ASCII characters.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2s
from typing import Final

from ...options import StatsD

Attributes = tuple[tuple[str, str], ...]

#: Characters of one part of a name; what is longer is cut, and told apart by a digest.
MAX_PART: Final = 100
#: What stands for an attribute that has no value, and for the route of the site's first page.
NOTHING, ROOT = "none", "__root__"
#: Series whose name is remembered.
_REMEMBERED: Final = 4096

_MARKS: Final = str.maketrans({"<": None, ">": None})
_NAMED_GROUP: Final = re.compile(r"\(\?P<(\w+)>[^/)]*\)")
_NOT_IN_NAME: Final = re.compile(r"[^A-Za-z0-9_-]+")
_NOT_IN_TAG: Final = re.compile(r"[^A-Za-z0-9_./-]+")
_NOT_IN_DOTTED: Final = re.compile(r"[^A-Za-z0-9_.-]+|\.{2,}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A name, its type in the protocol, and the attributes that follow in it, in this order."""

    name: str
    type: str
    attributes: tuple[str, ...]


_REQUEST: Final = (
    "http.request.method",
    "http.route",
    "http.response.status_code",
    "qaprod.outcome",
)
REQUESTS: Final = Metric(name="qaprod.requests", type="c", attributes=_REQUEST)
DURATION: Final = Metric(name="http.server.request.duration", type="ms", attributes=_REQUEST)
FAILURES: Final = Metric(
    name="qaprod.failures",
    type="c",
    attributes=("qaprod.kind", "qaprod.severity", "qaprod.journey", "http.route", "qaprod.name"),
)
DEGRADATIONS: Final = Metric(
    name="qaprod.degradations",
    type="c",
    attributes=("qaprod.name", "qaprod.severity", "qaprod.journey", "http.route"),
)
ERRORS: Final = Metric(name="qaprod.internal.errors", type="c", attributes=("qaprod.part",))
DROPPED: Final = Metric(name="qaprod.internal.dropped", type="c", attributes=("qaprod.part",))

#: By name. What is not here (a gauge of the host's) is followed by whatever attributes it has.
METRICS: Final[Mapping[str, Metric]] = {
    metric.name: metric
    for metric in (
        REQUESTS,
        DURATION,
        Metric(
            name="qaprod.requests.browser", type="c", attributes=("http.route", "browser", "qaprod.outcome")
        ),
        FAILURES,
        DEGRADATIONS,
        Metric(name="qaprod.steps", type="c", attributes=("qaprod.journey", "qaprod.step", "qaprod.variant")),
        Metric(name="qaprod.degraded.short_circuited", type="c", attributes=("qaprod.name",)),
        ERRORS,
        DROPPED,
    )
}


class Names:
    """Makes names, in the style and with the prefix and tags that the options ask for."""

    def __init__(self, chosen: StatsD) -> None:
        self._tagged = chosen.tag_style == "datadog"
        self._prefix = f"{prefix}." if (prefix := dotted(chosen.prefix)) else ""
        self._tags = [f"{tag(key)}:{tag(value)}" for key, value in chosen.tags.items()]
        self.of = lru_cache(maxsize=_REMEMBERED)(self._of)

    def _of(self, name: str, label: str = "", attributes: Attributes = ()) -> tuple[str, str]:
        """Return what stands before a value and what stands behind it, the tags."""
        pairs = _pairs(name, label, attributes)
        first = self._prefix + (dotted(name) or NOTHING)
        if not self._tagged:
            return ".".join((first, *(part(value) for _, value in pairs))), ""
        tags = [*self._tags, *(f"{tag(key)}:{tag(value)}" for key, value in pairs if value)]
        return first, f"|#{','.join(tags)}" if tags else ""


@lru_cache(maxsize=_REMEMBERED)
def part(text: str) -> str:
    """Return a label as one part of a dotted name: ``jobs/<int:pk>/apply/`` is ``jobs-int_pk-apply``."""
    return _distinct(text, _NOT_IN_NAME.sub("_", _plain(text).replace("/", "-")))


@lru_cache(maxsize=_REMEMBERED)
def tag(text: str) -> str:
    """Return a label as the key or the value of a tag: ``jobs/<int:pk>/apply/`` is ``jobs/int_pk/apply``."""
    return _distinct(text, _NOT_IN_TAG.sub("_", _plain(text)))


def dotted(text: str) -> str:
    """Return text as the beginning of a name, which may have several parts."""
    return _distinct(text, _NOT_IN_DOTTED.sub("_", text[: 2 * MAX_PART]).strip("."))


def _pairs(name: str, label: str, attributes: Attributes) -> Attributes:
    """Return the attributes of a series, each in its place, with those that it lacks empty."""
    known = METRICS.get(name)
    if known is None:
        return attributes or ((("label", label),) if label and label != name else ())
    # What has run over has only a label.
    given = dict(attributes) or {known.attributes[0]: label}
    return tuple((key, given.get(key, "")) for key in known.attributes)


def _plain(text: str) -> str:
    """Return text in ASCII, without the marks of URL patterns; most letters of Europe stay readable."""
    if not text:
        return NOTHING
    short = _NAMED_GROUP.sub(r"\1", text[: 2 * MAX_PART]).strip("/^$").translate(_MARKS)
    if not short:
        return ROOT
    if short.isascii():
        return short
    return unicodedata.normalize("NFKD", short).encode("ascii", "ignore").decode("ascii") or "_"


def _distinct(text: str, made: str) -> str:
    """Return what was made of text, with a digest where too much was lost to tell it from others."""
    if len(made) <= MAX_PART and len(text) <= 2 * MAX_PART and text.isascii():
        return made
    digest = blake2s(text.encode("utf-8", "surrogatepass"), digest_size=4).hexdigest()
    return f"{made[: MAX_PART - 9]}-{digest}"
