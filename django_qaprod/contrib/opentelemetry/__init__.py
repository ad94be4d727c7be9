"""OpenTelemetry: traces, in the processes that serve.

The official instrumentation makes the spans. Here is what makes them tell of failures, degradations, steps,
streams and visitors who went away, and what takes out what nobody is to see. Metrics leave from the drainer:
``sinks.opentelemetry``.
"""

from __future__ import annotations

from ... import options


def install() -> None:
    """Have requests traced, unless the host sees to it already. May be called again."""
    chosen = options.of(options.OpenTelemetry)
    if chosen is not None and chosen.traces:
        from . import instrumenting, witnessing

        instrumenting.install()
        witnessing.install()


def uninstall() -> None:
    """Leave everything as it was. For tests."""
    from . import instrumenting, witnessing

    witnessing.uninstall()
    instrumenting.uninstall()
