"""Puts on spans what becomes of a request: failures, degradations, steps, its stream, that nobody waited."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from opentelemetry import trace
from opentelemetry.trace import Span, SpanContext, Status, StatusCode

from ... import __version__, context, options
from ...pipeline import hooks, numbers
from . import events, instrumenting

if TYPE_CHECKING:
    from ...context import Context
    from ...records import EventRecord, FailureRecord

_SCOPE = "django_qaprod"

# Those whose span is one that was begun here. A span itself need not tell by whom it was.
_streams: WeakSet[Context] = WeakSet()


def install() -> None:
    """Listen to what happens in requests. May be called again."""
    context.span_ids = _ids
    for witnesses, witness in _witnesses():
        if witness not in witnesses:
            witnesses.append(witness)


def uninstall() -> None:
    """Listen no more. For tests."""
    context.span_ids = None
    _tracer.cache_clear()
    for witnesses, witness in _witnesses():
        if witness in witnesses:
            witnesses.remove(witness)


def _witnesses() -> tuple[tuple[list[Any], Any], ...]:
    return (
        (hooks.failure_witnesses, _on_failure),
        (hooks.step_witnesses, _on_step),
        (hooks.stream_witnesses, _on_stream),
        (hooks.request_witnesses, _on_end),
    )


def _ids(current: Context) -> tuple[str, str] | None:
    """Return the ids of the span that the code is in, or of the request's where there is none."""
    found = trace.get_current_span().get_span_context()
    if not found.is_valid and current.span is not None:
        found = current.span.get_span_context()
    return _hexadecimal(found) if found.is_valid else None


def _on_failure(record: FailureRecord, error: BaseException | None) -> FailureRecord:
    current = context.current()
    if record.kind == "degraded" and current is not None:
        _set(current, {"qaprod.degraded": True, "qaprod.journey": record.journey})
    span, at = _recording(current), int(record.at * 1e9)
    if span is not None and error is None:
        span.add_event("qaprod.failure", events.of_words(record), at)
    elif span is not None and current is not None and instrumenting.will_record(current, error):
        span.set_attributes(events.of_failure(record))
    elif span is not None:
        span.add_event("exception", events.of_exception(record), at)
    return record if record.trace_id else _with_ids(record)


def _with_ids(record: FailureRecord) -> FailureRecord:
    """Return the record of what happened outside of any request with the ids of the span, if there is one."""
    found = trace.get_current_span().get_span_context()
    if not found.is_valid:
        return record
    trace_id, span_id = _hexadecimal(found)
    return replace(record, trace_id=trace_id, span_id=span_id)


def _on_step(event: EventRecord) -> None:
    current = context.current()
    span = _recording(current)
    if span is not None:
        span.add_event("qaprod.step", events.of_step(event))
    if current is not None:
        _set(current, {"qaprod.journey": event.journey})


def _on_stream(current: Context) -> None:
    """Begin a span for what is left of a request when its view has returned, and its own span has ended."""
    if current.span is not None and current.span.get_span_context().is_valid:
        current.span = _tracer().start_span(
            f"{current.method} {current.route} stream",
            trace.set_span_in_context(current.span),
            attributes={"http.route": current.route},
        )
        _streams.add(current)


def _on_end(current: Context, key: numbers.RequestKey, seconds: float) -> None:
    span: Any = current.span
    if span is None:
        return
    if span.is_recording():
        _tell_outcome(span, key[3])
        if current in _streams:
            span.end()
    if key[3] == "aborted":
        instrumenting.close(current)
    spans = span.get_span_context()
    if spans.trace_flags.sampled and numbers.wants_exemplar(key, seconds) and _exemplars():
        trace_id, span_id = _hexadecimal(spans)
        numbers.exemplar(key, seconds, trace_id=trace_id, span_id=span_id)


def _tell_outcome(span: Any, outcome: str) -> None:
    """Say on a span that is still open what became of the request: that of a stream, or of one broken off."""
    span.set_attribute("qaprod.outcome", outcome)
    if outcome == "server_error":
        span.set_status(Status(StatusCode.ERROR))


@cache
def _tracer() -> trace.Tracer:
    # Once: to ask for it takes the SDK longer than a span.
    return trace.get_tracer(_SCOPE, __version__)


def _exemplars() -> bool:
    chosen = options.of(options.OpenTelemetry)
    return chosen is not None and chosen.metrics and chosen.exemplars


def _recording(current: Context | None) -> Span | None:
    """Return the span that the code is in, or the request's, whichever takes something."""
    found = trace.get_current_span()
    if not found.is_recording() and current is not None and current.span is not None:
        found = current.span
    return found if found.is_recording() else None


def _set(current: Context, attributes: dict[str, Any]) -> None:
    if current.span is not None and current.span.is_recording():
        current.span.set_attributes({key: value for key, value in attributes.items() if value})


def _hexadecimal(spans: SpanContext) -> tuple[str, str]:
    return trace.format_trace_id(spans.trace_id), trace.format_span_id(spans.span_id)
