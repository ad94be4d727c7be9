"""For hosts that send their logs by OTLP: what nobody is to see is taken out of the records.

Their records carry the ids of trace and span already; the official handler sees to that.
"""

from __future__ import annotations

from typing import Any

from opentelemetry.sdk._logs import LogRecordProcessor

from ... import context
from ...logs import surroundings
from ...pipeline import guard, scrub
from . import privacy

# Django's log records have the request; the filter of ``logs`` puts there what it knows.
_OBJECTS = frozenset({"request", surroundings.ATTRIBUTE})


class ScrubbingProcessor(LogRecordProcessor):
    """Scrubs each log record where it is made; add it to the provider before the processor that exports.

    Paths become routes. A record that cannot be scrubbed leaves empty.
    """

    def on_emit(self, log_record: Any) -> None:
        record = log_record.log_record
        body, given = record.body, dict(record.attributes or {})
        record.body, record.attributes = scrub.SCRUBBED, {}
        with guard.guard("opentelemetry.logs"):
            known = surroundings.of_context(context.current())
            record.attributes = {
                key: privacy.value_of(key, known.without_path(value) if isinstance(value, str) else value)
                for key, value in given.items()
                if key not in _OBJECTS
            }
            record.body = privacy.value_of("", known.without_path(body) if isinstance(body, str) else body)

    def shutdown(self) -> None:
        """There is nothing to let go of."""

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return True
