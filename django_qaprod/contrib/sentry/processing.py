"""What is done with each event of the host's client before it is sent."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from ... import context, options
from ...conf import settings
from ...pipeline import process
from ...pipeline.guard import guard, inside, inside_ours
from ...sinks.sentry import events, host
from ...sinks.sentry.scrubbing import scrub_event
from .marks import mark_of, set_mark

if TYPE_CHECKING:
    from sentry_sdk.types import Breadcrumb, BreadcrumbHint, Event, Hint

    from ...records import FailureRecord

#: The names of our threads, but for those of gauges, each of which has its own behind the prefix.
OUR_THREADS: Final = frozenset(
    {
        *("qaprod", "qaprod-neighbour", "qaprod-sink", "qaprod-worker", "qaprod-drainer", "qaprod-replays"),
        *("qaprod-gauges", "qaprod-gauge-calls", "qaprod-statsd-name"),
        *("qaprod-outbox", "qaprod-call", "qaprod-heartbeat", "qaprod-watcher"),
        # The OpenTelemetry SDK's, where the provider is ours; the second is what it was called in 1.30.
        *("OtelBatchSpanRecordProcessor", "OtelBatchSpanProcessor"),
    }
)
OUR_GAUGES: Final = "qaprod-gauge-"

# Where an exception carries its record from Sentry's receiver to ours, which submits it.
_HELD: Final = "_qaprod_held"


class WithoutOurs:
    """``before_breadcrumb`` of the host's, if it has one, of what we do not do ourselves.

    SQL and requests of our threads are no steps on the way to an error of the host's.
    """

    def __init__(self, before: Callable[[Breadcrumb, BreadcrumbHint], Breadcrumb | None] | None) -> None:
        self._before = before

    def __call__(self, crumb: Breadcrumb, hint: BreadcrumbHint) -> Breadcrumb | None:
        """Return what is to be kept."""
        # Not by ``inside`` alone: in a request it is also what we call of the host's.
        if inside_ours() or (inside() and _is_ours(threading.current_thread().name)):
            return None
        return crumb if self._before is None else self._before(crumb, hint)


class ScrubLast:
    """``before_send`` of the host's, if it has one, and then our scrubber."""

    def __init__(self, before: Callable[[Event, Hint], Event | None] | None) -> None:
        self._before = before

    def __call__(self, event: Event, hint: Hint) -> Event | None:
        """Return what is to be sent."""
        chosen = event if self._before is None else self._before(event, hint)
        return None if chosen is None else scrub_event(chosen, hint)


def complete(event: Event, hint: Hint | None) -> Event | None:
    """Return an event with our tags; ``None`` when its error has one already, which we have made."""
    with guard("sentry"):
        if _is_too_many(event, hint or {}):
            return None
    return event


def submit_held() -> None:
    """Submit what was held of the exception that is handled now."""
    error = sys.exc_info()[1]
    held: FailureRecord | None = error.__dict__.pop(_HELD, None) if error is not None else None
    if held is not None:
        process.submit_failure(held, error)


def _is_too_many(event: Any, hint: Any) -> bool:
    """Whether an event is one too many; if it is not, complete it."""
    _agree_on_release(event)
    if event.get("type") is not None:
        _take_out_our_spans(event)
        return False
    error = (hint.get("exc_info") or (None, None))[1]
    fingerprint = ""
    if error is not None:
        if _is_second(error, event):
            return True
        if _is_unhandled(event):
            _hold(error)
        from ...pipeline.failures import link_of

        fingerprint = link_of(error)[1]
    _add_tags(event, fingerprint)
    return False


def _is_second(error: BaseException, event: Any) -> bool:
    """Whether an error has an event of ours already; if it has none at all, remember this one."""
    from ...pipeline.failures import link_of

    event_id, mark = event.get("event_id", ""), mark_of(error)
    if mark is not None:
        return mark.ours and mark.event_id != event_id
    if event_id != link_of(error)[0]:
        set_mark(error, event_id, ours=False)
    return False


def _is_unhandled(event: Any) -> bool:
    """Whether it is of Sentry's receiver of ``got_request_exception``."""
    values = (event.get("exception") or {}).get("values") or [{}]
    mechanism = values[-1].get("mechanism") or {}
    return mechanism.get("type") == "django" and mechanism.get("handled") is False


def _hold(error: BaseException) -> None:
    """Make the record now, so that the event can name it.

    It is submitted by our own receiver of the same signal: only then it is known whether the event is sent.
    """
    if context.current() is None:
        # The receiver knows the request.
        return
    from ...pipeline.failures import prepare

    record = prepare(error, kind="unhandled")
    if record is not None:
        error.__dict__[_HELD] = record


def _add_tags(event: Any, fingerprint: str) -> None:
    tags, current, chosen = event.setdefault("tags", {}), context.current(), options.of(options.Sentry)
    if isinstance(tags, dict):
        known: dict[str, Any] = {"qaprod.failure": fingerprint}
        if current is not None:
            known |= {
                "journey": current.journey,
                "step": current.step,
                "route": current.route,
                "request_id": current.request_id,
            }
            if current.name:
                known[current.kind] = current.name
        event["tags"] = {**events.tags(known), **tags}
    if fingerprint and chosen is not None and chosen.fingerprint:
        event.setdefault("fingerprint", [fingerprint])


def _take_out_our_spans(event: Any) -> None:
    """Take out the spans of our threads: one that a request has started believes to belong to it."""
    spans = event.get("spans")
    if isinstance(spans, list) and not _is_in_our_thread((event.get("contexts") or {}).get("trace")):
        event["spans"] = [span for span in spans if not _is_in_our_thread(span)]


def _is_in_our_thread(span: Any) -> bool:
    data = span.get("data") if isinstance(span, dict) else None
    return _is_ours(str((data or {}).get("thread.name", "")))


def _is_ours(thread: str) -> bool:
    return thread in OUR_THREADS or thread.startswith(OUR_GAUGES)


def _agree_on_release(event: Any) -> None:
    client = host.client()
    if client is not None and not client.options.get("release") and settings().release:
        event.setdefault("release", settings().release)
