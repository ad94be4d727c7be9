"""The sink: one event for each failure that no client of the host's had."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING, Final, cast

from ... import options
from ...exceptions import SinkUnavailableError
from ...pipeline import guard, process
from ...records import FailureRecord
from ...typing import Batch
from .dsn import is_dsn
from .errors import RefusedError
from .events import LEFT_OUT, event_of, is_of_host
from .flood import Flood

if TYPE_CHECKING:
    from sentry_sdk import Client
    from sentry_sdk.types import Event

#: Seconds after which a batch is put off: well before the sink would be taken for one that hangs.
WITHIN: Final = 10.0


class SentrySink:
    """Send failures to Sentry, one after the other, each with its record's id as the event's.

    Sentry takes an id once, so what comes again after a crash is there once. ``SinkUnavailableError`` where
    it cannot be reached or asks to wait; an event that it refuses is dropped and counted.
    """

    name = "sentry"

    def __init__(self) -> None:
        self._client: Client | None = None
        self._flood = Flood()
        # How far those segments were sent of which a batch was not sent to its end.
        self._sent: dict[str, int] = {}

    def write(self, batch: Batch) -> None:
        """Send what a batch has of failures."""
        chosen = options.of(options.Sentry)
        if chosen is None or not is_dsn(chosen.dsn):
            return
        until, done = monotonic() + WITHIN, self._sent.get(batch.segment, 0)
        for entry in batch.entries:
            if entry.position <= done:
                continue
            if isinstance(entry.record, FailureRecord) and not is_of_host(entry.record):
                if monotonic() > until:
                    raise SinkUnavailableError(f"Sentry took longer than {WITHIN:.0f} s for a batch.")
                self._send(entry.record, chosen)
            self._sent[batch.segment] = entry.position
        self._sent.pop(batch.segment, None)

    def close(self) -> None:
        """Let go of the connection; the client stays."""
        if self._client is not None and self._client.transport is not None:
            self._client.transport.kill()

    def _send(self, record: FailureRecord, chosen: options.Sentry) -> None:
        if not self._flood.admits(record.fingerprint, record.at):
            guard.dropped("sink.sentry.flood")
            return
        client = self._client = self._client or _client_of(chosen)
        event = event_of(record, chosen)
        if left_out := self._flood.left_out(record.fingerprint):
            event["extra"][LEFT_OUT] = left_out
        try:
            taken = client.capture_event(cast("Event", event))
        except RefusedError as refused:
            guard.caught("sink.sentry", refused)
            guard.dropped("sink.sentry.refused")
            return
        if taken is None:
            # The scrubber has failed, and was caught.
            guard.dropped("sink.sentry.scrubber")
            return
        self._flood.sent(record.fingerprint, record.at)


def _client_of(chosen: options.Sentry) -> Client:
    # It takes 100 ms and more, and only those need it who have something to send.
    with process.importing:
        from .client import client_of

        return client_of(chosen)
