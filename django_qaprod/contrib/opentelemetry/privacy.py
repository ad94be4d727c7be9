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

_DJANGO = "opentelemetry.instrumentation.django"
# Longer ones are rarely the same twice.
_REMEMBERED_LENGTH = 300


def hide(span: Span) -> None:
    """Overwrite what a request's span was started with, where others export it."""
    held = getattr(span, "attributes", None) or {}
    span.set_attributes(dict.fromkeys(HIDDEN & held.keys(), scrub.SCRUBBED))


def scrubbed(span: ReadableSpan) -> ReadableSpan:
    """Return a copy of a span that may leave."""
    given = span.attributes or {}
    of_request = span.kind is SpanKind.SERVER or getattr(span.instrumentation_scope, "name", "") == _DJANGO
    path = str(given.get("url.path") or given.get("http.target") or "") if of_request else ""
    words = _Words(path, str(given.get("http.route", "")))
    return ReadableSpan(
        name=_text(span.name),
        context=span.context,
        parent=span.parent,
        resource=span.resource,
        attributes=dict(_attributes(given, HIDDEN if of_request else frozenset())),
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
        attributes = dict(_attributes(event.attributes or {}))
        for key in ("exception.message", "exception.stacktrace") if self._path else ():
            if key in attributes:
                attributes[key] = str(attributes[key]).replace(self._path, self._route)
        return Event(event.name, attributes, event.timestamp)

    def without_path(self, words: str) -> str:
        return _text(words.replace(self._path, self._route) if self._path else words)


def _attributes(given: Mapping[str, Any], hidden: frozenset[str] = frozenset()) -> Iterator[tuple[str, Any]]:
    for key, value in given.items():
        if key not in hidden:
            yield key, value_of(key, value)


def value_of(key: str, value: Any) -> Any:
    """Return an attribute's value as it may leave."""
    if isinstance(value, (bool, int, float)):
        return value
    if _is_secret(key):
        return scrub.SCRUBBED
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
