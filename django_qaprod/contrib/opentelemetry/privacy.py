"""What nobody is to see is taken out of spans: query strings, paths, addresses, secrets in any text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.trace import Link, Span, SpanKind, Status

from ...pipeline import scrub

#: Attributes of a request's span that tell its path and query string, and who sent it: the names that the
#: conventions have for them, and those of before they were stable
#: (https://opentelemetry.io/docs/specs/semconv/non-normative/http-migration/).
HIDDEN = frozenset(
    {
        "url.path", "url.query", "url.full", "client.address", "client.port", "network.peer.address",
        "network.peer.port", "http.url", "http.target", "http.client_ip", "net.peer.ip", "net.peer.name",
        "net.peer.port", "net.sock.peer.addr", "net.sock.peer.name", "net.sock.peer.port",
    }
)  # fmt: skip

#: What tells of a visitor on any span.
_OF_VISITORS = frozenset({"client.address", "client.port", "http.client_ip"})
_HEADER = "http.request.header."
_LARGE = 10**11

# The paths of the requests whose traces are under way, by trace: spans within one repeat it, too.
_paths: dict[int, str] = {}
_MOST_PATHS = 2048

_DJANGO = "opentelemetry.instrumentation.django"
# Longer ones are rarely the same twice.
_REMEMBERED_LENGTH = 300


def remember(span: Span, path: str) -> None:
    """Know the path of a request, to take it out of all spans of its trace."""
    while len(_paths) >= _MOST_PATHS:
        _paths.pop(next(iter(_paths)), None)
    _paths[span.get_span_context().trace_id] = path


def hide(span: Span) -> None:
    """Overwrite what a request's span was started with, where others export it."""
    held = getattr(span, "attributes", None) or {}
    span.set_attributes(dict.fromkeys(HIDDEN & held.keys(), scrub.SCRUBBED))


def scrubbed(span: ReadableSpan) -> ReadableSpan:
    """Return a copy of a span that may leave."""
    given = span.attributes or {}
    of_request = span.kind is SpanKind.SERVER or getattr(span.instrumentation_scope, "name", "") == _DJANGO
    path = str(given.get("url.path") or given.get("http.target") or "") if of_request else ""
    known = _paths.get(span.context.trace_id, "") if span.context is not None else ""
    words = _Words(known or path, str(given.get("http.route") or "[path]"))
    hidden = HIDDEN if of_request else _OF_VISITORS
    return ReadableSpan(
        name=words.without_path(span.name),
        context=span.context,
        parent=span.parent,
        resource=span.resource,
        attributes=words.attributes(given, hidden),
        events=[words.event(event) for event in span.events],
        links=[Link(link.context, dict(_attributes(link.attributes or {}))) for link in span.links],
        kind=span.kind,
        status=Status(span.status.status_code, words.without_path(span.status.description or "") or None),
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )


class _Words:
    """What was said about a request, which may repeat its path."""

    def __init__(self, path: str, route: str) -> None:
        self._path = path if len(path) > 2 else ""
        self._route = route

    def event(self, event: Event) -> Event:
        return Event(event.name, self.attributes(event.attributes or {}), event.timestamp)

    def attributes(self, given: Mapping[str, Any], hidden: frozenset[str] = frozenset()) -> dict[str, Any]:
        kept = dict(_attributes(given, hidden))
        if self._path:
            for key, value in kept.items():
                if isinstance(value, str) and self._path in value and key != "http.route":
                    kept[key] = value.replace(self._path, self._route)
        return kept

    def without_path(self, words: str) -> str:
        return _text(words.replace(self._path, self._route) if self._path else words)


def _attributes(given: Mapping[str, Any], hidden: frozenset[str] = frozenset()) -> Iterator[tuple[str, Any]]:
    for key, value in given.items():
        if key not in hidden and not _names_sender(key):
            yield key, value_of(key, value)


def _names_sender(key: str) -> bool:
    return key.startswith(_HEADER) and ("forwarded" in key or "real_ip" in key)


def value_of(key: str, value: Any) -> Any:
    """Return an attribute's value as it may leave."""
    if isinstance(value, bool):
        return value
    if _is_secret(key):
        return scrub.SCRUBBED
    if isinstance(value, (int, float)):
        # A card's number is one, too.
        return scrub.under(key, value) if abs(value) >= _LARGE else value
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, Sequence) and not isinstance(value, bytes):
        return tuple(value_of(key, one) for one in value)
    return scrub.json(value)


def _text(value: str) -> str:
    return _remembered(value) if len(value) <= _REMEMBERED_LENGTH else scrub.text(value, scrub.MAX_TEXT)


# What spans say is mostly the same.
_remembered = lru_cache(maxsize=4096)(scrub.text)
_is_secret = lru_cache(maxsize=1024)(scrub.is_secret_key)
