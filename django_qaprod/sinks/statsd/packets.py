"""Packets out of lines."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ...pipeline import guard


def pack(lines: Iterable[str], most: int) -> Iterator[bytes]:
    """Yield packets of at most ``most`` bytes, of as many lines as go into one; a line is never split.

    One that is longer than a packet is dropped and counted: cut off, it would be another metric.
    """
    packet: list[str] = []
    length = -1
    for line in lines:
        if len(line) > most:
            guard.dropped("sink.statsd.too_long")
            continue
        if length + 1 + len(line) > most:
            yield "\n".join(packet).encode("ascii")
            packet, length = [], -1
        packet.append(line)
        length += 1 + len(line)
    if packet:
        yield "\n".join(packet).encode("ascii")
