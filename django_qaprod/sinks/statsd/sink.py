"""The sink: gathers what the processes of a machine have counted, and sends it, each series once."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from time import monotonic, time

from ... import options
from ...pipeline import guard
from ...records import EventRecord, Record
from ...typing import Batch
from .connection import Connection
from .lines import Sums
from .names import Names
from .packets import pack

#: Seconds that one write or flush may take.
WRITE_WITHIN = 5.0
#: Seconds that are added up, when there are more to be sent: what is too old goes by these.
SLICE = 60
TOO_OLD = "sink.statsd.too_old"
#: What packets may be made of, in bytes: less holds no name, more does not exist.
LEAST_PACKET, MOST_PACKET = 128, 65_507


@dataclass(slots=True, kw_only=True)
class _Load:
    """What is left to be sent of some records, and when the oldest of them was made."""

    packets: deque[bytes]
    records: int
    oldest: float


class StatsDSink:
    """Send what was counted to a StatsD daemon.

    What all processes of the machine bring at a time is added up first, so that a timer's values are drawn
    from the requests of all of them, and a gauge is the mean of what they read.

    At least once: what a daemon that went away has had is remembered, but not beyond a crash of the drainer.
    What has waited for more than ``MAX_AGE`` is dropped and counted: the protocol knows no times, so that it
    would be counted as of now. Every call takes a few seconds at most.
    """

    name = "statsd"

    def __init__(self) -> None:
        self._chosen = options.of(options.StatsD) or options.StatsD()
        self._names = Names(self._chosen)
        self._connection = Connection(self._chosen)
        self._gathered: dict[int, Sums] = {}
        self._unsent: deque[_Load] = deque()
        # Up to where of each segment something was gathered that may come again, because it is not all sent.
        self._taken: dict[str, int] = {}

    def write(self, batch: Batch) -> None:
        """Gather what a batch holds.

        Raises ``SinkUnavailableError`` as long as the daemon does not take what was gathered before, so that
        nothing piles up here; a batch that is too old by then is taken all the same.
        """
        too_old = time() - self._chosen.max_age
        self._give_up(too_old)
        if any(entry.record.at >= too_old for entry in batch.entries):
            self._send()
        taken = self._taken.get(batch.segment, 0)
        for entry in batch.entries:
            if entry.position > taken:
                self._taken[batch.segment] = entry.position
                self._gather(entry.record, too_old)

    def flush(self) -> None:
        """Send what was gathered. Raises ``SinkUnavailableError`` when the daemon does not take it all."""
        if self._gathered:
            self._pack()
            self._send()
        # Else what an earlier flush has left was tried by ``write``, or all that came was too old.
        if not self._unsent:
            self._taken.clear()

    def close(self) -> None:
        """Close the connection; the next write makes another."""
        self._connection.close()

    def _gather(self, record: Record, too_old: float) -> None:
        if isinstance(record, EventRecord):
            # Here because its database was not there; steps come as numbers.
            return
        if record.at < too_old:
            guard.dropped(TOO_OLD)
            return
        # One record that is broken costs no other.
        with guard.guard("sink.statsd"):
            self._gathered.setdefault(int(record.at // SLICE), Sums()).add(record)

    def _pack(self) -> None:
        most = min(max(self._chosen.max_packet, LEAST_PACKET), MOST_PACKET)
        for _, sums in sorted(self._gathered.items()):
            lines = sums.lines(self._names, samples=max(self._chosen.samples, 1))
            self._unsent.append(
                _Load(packets=deque(pack(lines, most)), records=sums.records, oldest=sums.oldest)
            )
        self._gathered = {}

    def _send(self) -> None:
        deadline = monotonic() + WRITE_WITHIN
        if self._unsent:
            self._connection.refresh()
        while self._unsent:
            packets = self._unsent[0].packets
            while packets:
                self._connection.send(packets[0], deadline)
                packets.popleft()
            self._unsent.popleft()

    def _give_up(self, too_old: float) -> None:
        """Drop what has waited for too long."""
        while self._unsent and self._unsent[0].oldest < too_old:
            guard.dropped(TOO_OLD, self._unsent.popleft().records)
            # Perhaps in the middle of a packet.
            self._connection.close()
