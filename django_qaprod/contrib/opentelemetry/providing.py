"""The provider of spans: the host's, or one of ours, made when the first span of a process is started.

Not at start-up: the children of a fork would have its ``service.instance.id`` in common.
"""

from __future__ import annotations

from typing import Any

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from ...conf import in_test_run
from ...pipeline import hooks, process, threads
from ...sinks.opentelemetry import exporters
from .exporting import ScrubbingExporter

_ours: TracerProvider | None = None


class OnFirstUse(trace.TracerProvider):
    """A provider that finds or makes the real one when it is needed."""

    def get_tracer(self, *scope: Any, **named: Any) -> trace.Tracer:
        return _Tracer(scope, named)


class _Tracer(trace.Tracer):
    def __init__(self, scope: tuple[Any, ...], named: dict[str, Any]) -> None:
        self._scope = scope
        self._named = named

    def start_span(self, *args: Any, **kwargs: Any) -> trace.Span:
        if not process.recording():
            # In a host's tests nothing is made, unless they ask for records.
            return trace.NoOpTracer().start_span(*args, **kwargs)
        real = provider().get_tracer(*self._scope, **self._named)
        # From now on it is called without us between.
        self.start_span = real.start_span  # type: ignore[method-assign]
        return real.start_span(*args, **kwargs)

    def start_as_current_span(self, *args: Any, **kwargs: Any) -> Any:
        real = provider().get_tracer(*self._scope, **self._named)
        return real.start_as_current_span(*args, **kwargs)


def provider() -> trace.TracerProvider:
    """Return the host's provider; where it has set none by now, ours, which is everybody's from then on."""
    # Whoever forks waits for it, so that no child waits for ever.
    with process.importing:
        found = trace.get_tracer_provider()
        if isinstance(found, trace.ProxyTracerProvider):
            found = _make()
            trace.set_tracer_provider(found)
    return found


def ensure() -> None:
    """Have a provider where Django was instrumented and none was set: spans are made from the next one on."""
    if process.recording() and isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
        provider()


def is_ours() -> bool:
    """Whether the provider was made here."""
    return _ours is not None


def _make() -> TracerProvider:
    """Make a provider of what the ``OTEL_*`` variables say: sampler and limits are the SDK's affair.

    From a host's tests nothing leaves.
    """
    global _ours
    _ours = TracerProvider(resource=exporters.resource(), shutdown_on_exit=False)
    if exporters.names("traces") and not in_test_run():
        # Its thread begins within the first request that is traced.
        _ours.add_span_processor(threads.apart(BatchSpanProcessor, ScrubbingExporter()))
        hooks.at_exit.append(_ours.shutdown)
    return _ours
