"""One sink: what it has had of each segment, and when it may be tried again."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from time import monotonic

from ..exceptions import SinkUnavailableError
from ..text import one_line
from ..typing import Batch, Entry, Sink
from . import guard, spool

#: Seconds before a sink that could not be reached is tried again: the first and the longest wait.
RETRY_FIRST, RETRY_MOST = 1.0, 30.0
#: Records in one batch: bounds a transaction and what is repeated after a crash.
BATCH = 500
#: Seconds after which it is worth saying that a sink is busy with one batch.
BUSY_AFTER = 10.0
#: Chunks of segments that are kept decoded, so that sinks which are equally far decode them once.
CHUNKS_KEPT = 4


def is_inline(sink: Sink) -> bool:
    """Whether the drainer feeds a sink itself, because it waits for nothing but this machine."""
    return bool(getattr(sink, "inline", False))


class Reader:
    """Reads segments for all sinks. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._chunks: dict[tuple[str, int, int], tuple[tuple[Entry, ...], int]] = {}

    def read(self, segment: spool.Segment, position: int, size: int) -> tuple[tuple[Entry, ...], int]:
        """Return the entries behind ``position`` of a segment that is ``size`` long, and where they end."""
        key = (segment.name, position, size)
        with self._lock:
            found = self._chunks.get(key)
        if found is None:
            found = segment.read(position)
            with self._lock:
                self._chunks[key] = found
                while len(self._chunks) > CHUNKS_KEPT:
                    del self._chunks[next(iter(self._chunks))]
        return found

    def forget(self) -> None:
        """Let go of what is kept decoded."""
        with self._lock:
            self._chunks.clear()


class Feed:
    """A sink, how far it is in each segment, and when it may be tried again.

    One thread feeds; others may look on.
    """

    def __init__(self, sink: Sink, cursors: dict[str, int], reader: Reader) -> None:
        self.sink = sink
        self.cursors = cursors
        self.last_error = ""
        #: By ``monotonic``: since when the sink has been busy with one batch, ``None`` while it is not.
        self.writing_since: float | None = None
        #: Set when nobody waits for this feed's thread any more: what it does late counts for nothing.
        self.given_up = False
        self._reader = reader
        # Of a sink that gathers: how far it has been given each segment, beyond what it has flushed.
        self._flush: Callable[[], None] | None = getattr(sink, "flush", None)
        self._ahead: dict[str, int] = {}
        self._delay = 0.0
        self._retry_at = 0.0
        # Behind ``last_error``: what the library said, without secrets.
        self._cause = ""
        self._at_once = BATCH

    def ready(self) -> bool:
        """Whether it may be tried now."""
        return monotonic() >= self._retry_at

    def trouble(self) -> str:
        """Return what keeps the sink from taking anything now, in words without secrets. From any thread."""
        since = self.writing_since
        if since is not None and (busy := monotonic() - since) > BUSY_AFTER:
            return f"{self.sink.name} has been busy with one batch for {busy:.0f} s."
        return " ".join(filter(None, (self.last_error, self._cause))) if self.last_error else ""

    def feed(self, segment: spool.Segment, size: int, deadline: float) -> int:
        """Hand the sink what it has not had of a segment of that size; return how many records it took.

        What a sink gathers counts only when it is settled.
        """
        delivered = 0
        while (position := self._position(segment.name)) < size and monotonic() < deadline:
            entries, end = self._reader.read(segment, position, size)
            if end == position:
                break
            taken = self._write_all(segment.name, entries)
            delivered += taken
            if taken < len(entries):
                break
            self._move(segment.name, end)
        return delivered

    def settle(self) -> bool:
        """Have a sink that gathers bring away what it was given; return whether it did, or gets it again."""
        if self._flush is None or not self._ahead:
            return True
        ahead, self._ahead = self._ahead, {}
        self.writing_since = monotonic()
        try:
            with guard.ours():
                self._flush()
        except SinkUnavailableError as error:
            self._wait(error)
            return False
        except Exception as error:  # noqa: BLE001 - as for a record that a sink cannot take
            guard.caught(f"sink.{self.sink.name}", error)
            guard.dropped(f"sink.{self.sink.name}.flush")
        finally:
            self.writing_since = None
        if self.given_up:
            return False
        for name, position in ahead.items():
            # The drainer may have gone further, to keep the spool from filling.
            self.cursors[name] = max(position, self.cursors.get(name, 0))
        if self.ready():
            # It has not said meanwhile that it takes no more.
            self._delay, self.last_error = 0.0, ""
        return True

    def _position(self, name: str) -> int:
        return max(self._ahead.get(name, 0), self.cursors.get(name, 0))

    def _move(self, name: str, position: int) -> None:
        if self._flush is not None:
            self._ahead[name] = position
        else:
            self.cursors[name] = position
            self._delay, self.last_error = 0.0, ""

    def _write_all(self, name: str, entries: Sequence[Entry]) -> int:
        taken = 0
        while taken < len(entries):
            part = entries[taken : taken + self._at_once]
            self.writing_since = monotonic()
            try:
                self._write(Batch(segment=name, entries=tuple(part)))
            except SinkUnavailableError as error:
                self._wait(error)
                return taken
            finally:
                self.writing_since = None
            if self.given_up:
                return taken
            taken += len(part)
            self._move(name, part[-1].position)
            self._at_once = min(self._at_once * 2, BATCH)
        return taken

    def _write(self, batch: Batch) -> None:
        try:
            # Ours, as far as capture is concerned: what a sink logs about a failure is no other one.
            with guard.ours():
                self.sink.write(batch)
        except SinkUnavailableError:
            raise
        except Exception as error:  # noqa: BLE001 - the guard's other half: one record that a sink
            # cannot take must not stop those behind it.
            if len(batch.entries) == 1:
                guard.caught(f"sink.{self.sink.name}", error)
                guard.dropped(f"sink.{self.sink.name}")
                return
            middle = len(batch.entries) // 2
            self._write(Batch(segment=batch.segment, entries=batch.entries[:middle]))
            self._write(Batch(segment=batch.segment, entries=batch.entries[middle:]))

    def _wait(self, error: SinkUnavailableError) -> None:
        if not self.last_error and not is_inline(self.sink) and not error.expected:
            # Once an outage, so that the doctor and the health page know why; the database's tells itself.
            guard.caught(f"sink.{self.sink.name}", error)
        self.last_error = one_line(str(error), 300)
        cause = error.__cause__
        self._cause = one_line(guard.words_of(cause), 300) if isinstance(cause, Exception) else ""
        self._delay = min(max(self._delay * 2, RETRY_FIRST), RETRY_MOST)
        self._retry_at = monotonic() + self._delay
        # What looks like an outage may be a timeout that a smaller batch keeps.
        self._at_once = max(self._at_once // 2, 1)

    def close(self) -> None:
        """Let the sink let go of its connections."""
        with guard.guard(f"sink.{self.sink.name}"):
            self.sink.close()
