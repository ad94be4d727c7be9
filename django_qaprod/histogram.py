"""A mergeable histogram with logarithmic buckets.

Base-2 exponential buckets as in OpenTelemetry's exponential histogram (data model, "Exponential
Histogram", scale 4): bucket ``i`` holds the values in ``(2**(i/16), 2**((i+1)/16)]``. Each is 4.4%
wide, so a quantile read from the middle of its bucket is off by at most 2.2%
(Masson, Rim, Lee: DDSketch, VLDB 2019, for the bound).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Mapping

SCALE = 4
PER_OCTAVE: int = 2**SCALE
BASE: float = 2 ** (1 / PER_OCTAVE)

#: The largest relative error of a quantile, as a fraction.
RELATIVE_ERROR = (BASE - 1) / (BASE + 1)

# 2**-20 s is about a microsecond and 2**24 s about half a year: nothing that we time lies outside.
LOWEST = -20 * PER_OCTAVE
HIGHEST = 24 * PER_OCTAVE

Buckets = dict[int, int]

_ceil, _log2 = math.ceil, math.log2


def index(value: float) -> int:
    """Return the bucket of ``value``; what is zero, negative or out of range lands in the first or last."""
    if not 0 < value < math.inf:
        return HIGHEST if value > 0 else LOWEST
    position = _ceil(_log2(value) * PER_OCTAVE) - 1
    return min(max(position, LOWEST), HIGHEST)


def midpoint(position: int) -> float:
    """Return the value that stands for bucket ``position`` with the smallest relative error."""
    low: float = 2.0 ** (position / PER_OCTAVE)
    return 2 * low * BASE / (1 + BASE)


def merge(into: Buckets, other: Mapping[int, int]) -> Buckets:
    """Add ``other`` to ``into`` and return ``into``."""
    for position, count in other.items():
        into[position] = into.get(position, 0) + count
    return into


def of(values: Collection[float]) -> Buckets:
    """Return the histogram of ``values``."""
    if not values or min(values) <= BASE * 2.0**-20 or max(values) >= 2.0**24:
        return Counter(map(index, values))
    # All in range, as durations are: no call for each.
    positions = Counter([_ceil(_log2(value) * PER_OCTAVE) for value in values])
    return {position - 1: count for position, count in positions.items()}


def quantile(buckets: Mapping[int, int], fraction: float) -> float | None:
    """Return the value below which ``fraction`` of the observations lie, ``None`` when there are none.

    The nearest-rank definition; right to ``RELATIVE_ERROR``.
    """
    total = sum(buckets.values())
    if not total:
        return None
    rank = max(math.ceil(fraction * total), 1)
    seen = 0
    for position in sorted(buckets):
        seen += buckets[position]
        if seen >= rank:
            return midpoint(position)
    return midpoint(max(buckets))


def encode(buckets: Mapping[int, int]) -> bytes:
    """Return the buckets as bytes: pairs of varints, the distance to the bucket before and the count."""
    out = bytearray()
    before = LOWEST
    for position in sorted(buckets):
        _put(out, position - before)
        _put(out, buckets[position])
        before = position
    return bytes(out)


def decode(data: bytes) -> Buckets:
    """Return the buckets that ``encode`` wrote.

    Raises ``ValueError`` when the bytes end in the middle of a number.
    """
    return merge_encoded({}, data)


def merge_encoded(into: Buckets, data: bytes) -> Buckets:
    """Add the buckets that ``encode`` wrote to ``into`` and return ``into``.

    Raises ``ValueError`` when the bytes end in the middle of a number.
    """
    # Behind the first, long distance from ``LOWEST`` nearly all numbers take one byte: ten times as fast.
    head = 1
    while head < len(data) and data[head - 1] & 0x80:
        head += 1
    short = data[head:].isascii()
    numbers = [*_numbers(data[:head]), *data[head:]] if short else _numbers(data)
    if len(numbers) % 2:
        raise ValueError("A histogram is made of pairs; these bytes were cut.")
    position = LOWEST
    get = into.get
    for distance, count in zip(numbers[::2], numbers[1::2], strict=True):
        position += distance
        into[position] = get(position, 0) + count
    return into


def _put(out: bytearray, number: int) -> None:
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)


def _numbers(data: bytes) -> list[int]:
    numbers: list[int] = []
    number = shift = 0
    for byte in data:
        number |= (byte & 0x7F) << shift
        if byte & 0x80:
            shift += 7
        else:
            numbers.append(number)
            number = shift = 0
    if shift:
        raise ValueError("These bytes end in the middle of a number.")
    return numbers
