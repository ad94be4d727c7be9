"""Switches on the official instrumentation of Django, once, and without what we do not want of it."""

from __future__ import annotations

import logging
import os
from typing import Any

from django.conf import settings as django_settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from opentelemetry import trace
from opentelemetry.context import detach
from opentelemetry.instrumentation.django import DjangoInstrumentor
from opentelemetry.metrics import NoOpMeterProvider

from ... import conf, context
from ...capture import middleware
from ...pipeline import guard
from . import privacy, providing

_MIDDLEWARE = "opentelemetry.instrumentation.django"
# Where its middleware keeps, in ``request.META``, the exception that it will record, and what it has to end.
_EXCEPTION, _ACTIVATION, _TOKEN = (
    f"opentelemetry-instrumentor-django.{name}" for name in ("exception_key", "activation_key", "token")
)
# It says that a context was left elsewhere than it was entered.
_CONTEXT_LOGGER = logging.getLogger("opentelemetry.context")

# Whether it was us.
_ours = False


def install() -> None:
    """Instrument Django, unless the host has done so; never twice."""
    global _ours
    # The older conventions have the query string in "http.url". Read once, by whoever instruments first.
    os.environ.setdefault("OTEL_SEMCONV_STABILITY_OPT_IN", "http")
    _CONTEXT_LOGGER.addFilter(_not_ours)
    middleware.methods["process_exception"] = _on_exception
    if instrumented():
        if not _ours:
            middleware.methods["process_view"] = _on_view
        return
    _ours = True
    DjangoInstrumentor().instrument(
        tracer_provider=providing.OnFirstUse(),
        # Its histograms would be the series that our own buckets have already.
        meter_provider=NoOpMeterProvider(),
        request_hook=_on_request,
        response_hook=_on_response,
        middleware_position=_position(),
    )


def uninstall() -> None:
    """Take back what ``install`` did. For tests."""
    global _ours
    for name in ("process_view", "process_exception"):
        middleware.methods.pop(name, None)
    _CONTEXT_LOGGER.removeFilter(_not_ours)
    if _ours:
        DjangoInstrumentor().uninstrument()
    _ours = False


def instrumented() -> bool:
    """Whether Django is instrumented already: by hand, by ``opentelemetry-instrument``, or by us."""
    listed = any(entry.startswith(_MIDDLEWARE) for entry in django_settings.MIDDLEWARE)
    return listed or DjangoInstrumentor().is_instrumented_by_opentelemetry


def will_record(current: context.Context, error: BaseException | None) -> bool:
    """Whether the instrumentation makes an event of an error: where it and the provider are the host's.

    Elsewhere it is kept from that.
    """
    if error is None or current.request is None or current.request.META.get(_EXCEPTION) is not error:
        return False
    if _ours or providing.is_ours():
        del current.request.META[_EXCEPTION]
        return False
    return True


def close(current: context.Context) -> None:
    """End the span that the instrumentation leaves open when no response came.

    It would end when the request is forgotten. Under ASGI we are not in the context in which it was begun:
    there is nothing to put back then, and nothing to complain of.
    """
    if current.request is None:
        return
    activation, token = (current.request.META.pop(key, None) for key in (_ACTIVATION, _TOKEN))
    if activation is not None:
        activation.__exit__(None, None, None)
    if token is not None:
        detach(token)


def _not_ours(record: logging.LogRecord) -> bool:
    return not guard.inside()


def _position() -> int:
    """Return where theirs is to stand: behind ours, which otherwise is put first when theirs is there."""
    listed = list(django_settings.MIDDLEWARE)
    return listed.index(conf.MIDDLEWARE) + 1 if conf.MIDDLEWARE in listed else 0


@guard.guarded("opentelemetry")
def _on_request(span: trace.Span, request: HttpRequest) -> None:
    """Remember the span of a request: where our middleware stands, none is visible."""
    current = context.current()
    if current is not None:
        current.span = span
    privacy.remember(span, request.path)
    if not providing.is_ours():
        privacy.hide(span)


@guard.guarded("opentelemetry")
def _on_response(span: trace.Span, request: HttpRequest, response: HttpResponseBase) -> None:
    """Complete the span of a request, before it ends."""
    _tell_root(span, request)


@guard.guarded("opentelemetry")
def _on_view(request: HttpRequest, *args: Any) -> None:
    """Remember the span that the host's instrumentation has made."""
    span, current = trace.get_current_span(), context.current()
    if current is not None:
        current.span = span
    if not span.get_span_context().is_valid:
        providing.ensure()
    _tell_root(span, request)


def _tell_root(span: Any, request: HttpRequest) -> None:
    """Name the route of ``path("")`` as our numbers do; the instrumentation leaves out what is empty."""
    match = request.resolver_match
    if match is None or match.route or not span.is_recording():
        return
    span.set_attribute("http.route", "/")
    # Not a name that the host has chosen; spans need not have one that can be read.
    if getattr(span, "name", None) in {request.method, f"{request.method} {match.url_name}"}:
        span.update_name(f"{request.method} /")


@guard.guarded("opentelemetry")
def _on_exception(request: HttpRequest, exception: Exception) -> None:
    """Keep what becomes no failure from being recorded as one: a page that was not found is no error."""
    if _ours or providing.is_ours():
        request.META.pop(_EXCEPTION, None)
