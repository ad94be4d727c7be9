"""What is known about the request, command, task or gauge that is being served now."""

from __future__ import annotations

import os
import re
from collections import deque
from collections.abc import Callable
from contextvars import ContextVar
from time import perf_counter
from typing import TYPE_CHECKING, Any, Literal

from .browser import family
from .conf import settings

if TYPE_CHECKING:
    from django.http import HttpRequest

#: The route of a request that no URL pattern matched.
UNMATCHED = "__unmatched__"

# https://www.w3.org/TR/trace-context/#traceparent-header: no all-zero ids; version 00 is 55 characters long,
# a later one may be longer.
# Compiled when a header is there to be read (``re`` keeps what it has compiled), not at each start.
_TRACEPARENT = (
    r"(?!ff|00.{54})[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-[0-9a-f]{2}(?:-.*)?"
)
_REQUEST_ID = r"[A-Za-z0-9._:/+=-]{8,128}"

Kind = Literal["request", "command", "task", "gauge"]

#: Returns the W3C ids of the trace and the span that a context is at now, if any: set by what traces.
span_ids: Callable[[Context], tuple[str, str] | None] | None = None


class Context:
    """One request, management command, task or reading of a gauge, while it runs.

    The defaults stand on the class so that a request which needs none of it pays for none of it;
    what can be derived is derived when somebody asks.
    """

    kind: Kind = "request"
    name = ""
    request: HttpRequest | None = None
    journey = ""
    subject = ""
    #: Whether a ``critical`` view is being served.
    critical = False
    #: How many errors were swallowed so that the visitor could go on.
    degraded = 0
    #: The journey of which a step was recorded last, and that step.
    taken = ""
    step = ""
    #: When what is served now was sent, in epoch seconds, if this is its replay.
    replayed_at: float | None = None
    #: From which family of browsers, if that is known.
    replayed_browser = ""
    #: Whether it ended with a response that was let go of: a destructor tells that, in the midst of anything.
    dropped = False
    #: What a tracer has for it, while one is on: the server's span, and then the one of its stream.
    span: Any = None
    #: The last log records as (created, level, logger, message), not yet scrubbed, the oldest first.
    lines: deque[tuple[float, str, str, str]] | None = None
    _request_id = ""
    _trace: tuple[str, str] | None = None

    def __init__(self, request: HttpRequest | None = None) -> None:
        self.request = request
        #: ``perf_counter`` at the beginning, in seconds.
        self.started = perf_counter()

    @property
    def request_id(self) -> str:
        """The id of the request: ``traceparent``'s trace id, a valid ``X-Request-ID``, or one of our own.

        Our own is the trace's where a tracer is on.
        """
        if not self._request_id:
            self._request_id = self._inherited_id() or self._own_id()
        return self._request_id

    @property
    def trace_id(self) -> str:
        """The id of the trace that a tracer is at; else the one that came with the request, or nothing."""
        return self._span_ids()[0]

    @property
    def span_id(self) -> str:
        """The id of the span that a tracer is at; else of the caller's that came with it, or nothing."""
        return self._span_ids()[1]

    @property
    def method(self) -> str:
        """The HTTP method, or nothing outside a request."""
        return (self.request.method or "") if self.request is not None else ""

    @property
    def route(self) -> str:
        """The URL pattern that matched, ``UNMATCHED`` when none did, nothing outside a request."""
        if self.request is None:
            return ""
        match = self.request.resolver_match
        return (match.route or "/") if match is not None else UNMATCHED

    @property
    def is_replay(self) -> bool:
        """Whether it is no visitor's request, but what one has sent before, sent again by staff."""
        return getattr(self.request, "qaprod_replay", None) is not None

    @property
    def browser(self) -> str:
        """The browser's family, or nothing outside a request; in a replay the visitor's."""
        if self.replayed_browser:
            return self.replayed_browser
        return family(self.request.META.get("HTTP_USER_AGENT", "")) if self.request is not None else ""

    def _inherited_id(self) -> str:
        if self.request is None or not settings().trust_request_id:
            return ""
        if self._trace_context()[0]:
            return self._trace_context()[0]
        given = self.request.META.get("HTTP_X_REQUEST_ID", "")
        return given if given and isinstance(given, str) and re.fullmatch(_REQUEST_ID, given) else ""

    def _traced_id(self) -> str:
        # A tracer goes on with the trace of any ``traceparent``, whether it is to be trusted or not.
        return "" if span_ids is None or self._trace_context()[0] else self.trace_id

    def _own_id(self) -> str:
        if self.request is None:
            return self._traced_id() or os.urandom(16).hex()
        # Kept with the request: what Django logs about it when the middleware is done has the same id.
        kept = self.request.__dict__
        if "_qaprod_id" not in kept:
            kept["_qaprod_id"] = self._traced_id() or os.urandom(16).hex()
        own: str = kept["_qaprod_id"]
        return own

    def _span_ids(self) -> tuple[str, str]:
        found = span_ids(self) if span_ids is not None else None
        return found or self._trace_context()

    def _trace_context(self) -> tuple[str, str]:
        if self._trace is None:
            header = self.request.META.get("HTTP_TRACEPARENT", "") if self.request is not None else ""
            found = re.fullmatch(_TRACEPARENT, header) if header and isinstance(header, str) else None
            self._trace = (found[1], found[2]) if found else ("", "")
        return self._trace


_current: ContextVar[Context | None] = ContextVar("qaprod", default=None)

#: Return the context of what is being served now, if anything is.
current = _current.get
#: Set the context; hand the token that it returns to ``leave``.
enter = _current.set
#: Put back the context of before.
leave = _current.reset
