"""The protocols by which other code extends django-qaprod."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from .records import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A record and the byte offset right behind it in its segment."""

    position: int
    record: Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Consecutive entries of one segment, in the order in which they were appended.

    ``segment`` is unique for ever. After a crash a batch can come again, whole or in part;
    ``(segment, position)`` tells a sink what it has already.
    """

    segment: str
    entries: tuple[Entry, ...]

    @property
    def records(self) -> tuple[Record, ...]:
        """The records alone."""
        return tuple(entry.record for entry in self.entries)


@runtime_checkable
class Sink(Protocol):
    """Somewhere that records go, named by a dotted path in ``QAPROD["SINKS"]``.

    Called by the drainer alone, one batch at a time, never in a request, each sink in a thread of its own.
    Raise ``SinkUnavailableError`` when the place cannot be reached: the batch comes again. Any other
    error is blamed on a record: the drainer finds it by halving the batch, drops it and counts it.

    A sink that waits for nothing but this machine can say ``inline = True``: the drainer then feeds it in
    its own thread. One that does not come back from a batch within half a minute is left alone and made
    anew; it may see that batch again.

    A sink that gathers what it is given, to bring it away together, has ``flush()`` besides: called when it
    was given all that there is. What was written counts only then; if it raises ``SinkUnavailableError``,
    what was written since it succeeded last comes again. Where room must be made in the spool, it does not,
    and is counted as lost to the sink (``sink.<name>.behind``), even if the sink has kept it.
    """

    name: str

    def write(self, batch: Batch) -> None:
        """Take the batch whole, or raise."""

    def close(self) -> None:
        """Let go of connections; called when there was nothing to do for a while and at the end."""
