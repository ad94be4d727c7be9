"""Numbers: cells added up by series and minute, each sum appended as one row."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import blake2b
from itertools import islice

from .. import histogram
from ..clock import moment
from ..conf import settings, telemetry_alias
from ..models import Bucket, Series
from ..records import Cell
from .memory import Memory
from .statements import insert, limit

#: Label, and value of every attribute, of the series that takes the rest when a name has too many.
OVERFLOW = "__overflow__"
# What a total must still be divided by when it has run over.
_KEPT_IN_OVERFLOW = frozenset({"qaprod.outcome"})

#: The series of the failures' occurrences, labelled with the failure's id.
FAILURES = "qaprod.failures"
#: Counted for sinks that have no events; here they are rows of their own.
NOT_STORED = frozenset({"qaprod.steps"})
# A failure is a row anyway, so that its numbers may have as many series as there may be failures, and some.
_ROOM_FOR_FAILURES = 10
#: Series that are looked up or made at once.
CHUNK = 500
_FIELDS = ("series", "resolution", "start", "count", "total", "minimum", "maximum", "histogram", "rolled")


@dataclass(slots=True)
class Sum:
    """Numbers being added up. Histograms are merged at the end, and only when there are several."""

    count: int
    total: float
    minimum: float
    maximum: float
    histograms: list[bytes]

    def add(self, count: int, total: float, minimum: float, maximum: float, histogram: bytes) -> None:
        """Add another one's numbers."""
        self.count += count
        self.total += total
        self.minimum = min(self.minimum, minimum)
        self.maximum = max(self.maximum, maximum)
        self.histograms.append(histogram)


def save(cells: Iterable[Cell], *, using: str | None = None, memory: Memory | None = None) -> None:
    """Append one raw row for each series and minute among ``cells``.

    Runs inside the caller's transaction, if there is one. A name that has ``MAX_SERIES`` series already gets
    the rest under the label ``OVERFLOW``: counted, no longer told apart.
    """
    alias, known = using or telemetry_alias(), memory or Memory()
    sums: dict[tuple[bytes, int], Sum] = {}
    wanted: dict[bytes, Cell] = {}
    for cell in cells:
        if cell.name in NOT_STORED:
            continue
        digest = digest_of(cell.name, cell.label, cell.attributes)
        key = (digest, cell.start - cell.start % 60)
        if key in sums:
            sums[key].add(cell.count, cell.total, cell.minimum, cell.maximum, cell.histogram)
        else:
            sums[key] = Sum(cell.count, cell.total, cell.minimum, cell.maximum, [cell.histogram])
            wanted[digest] = cell
    series = _series(wanted, using=alias, memory=known)
    append(((series[digest], 0, start, found) for (digest, start), found in sums.items()), using=alias)


def digest_of(name: str, label: str, attributes: Iterable[tuple[str, str]]) -> bytes:
    """Return what identifies a series: a digest that knows no order of attributes."""
    return blake2b(repr((name, label, sorted(attributes))).encode(), digest_size=16).digest()


def append(sums: Iterable[tuple[int, int, int, Sum]], *, using: str) -> None:
    """Append rows: the series' key, the resolution, the beginning in seconds since the epoch, the sum."""
    rows = (
        (
            series, resolution, moment(start), found.count, found.total, found.minimum, found.maximum,
            merged(found.histograms), False,
        )
        for series, resolution, start, found in sums
    )  # fmt: skip
    insert(Bucket, _FIELDS, rows, using=using)


def merged(histograms: Iterable[bytes]) -> bytes:
    """Return the sum of encoded histograms, encoded."""
    parts = [part for part in histograms if part]
    if len(parts) < 2:
        return parts[0] if parts else b""
    buckets: histogram.Buckets = {}
    for part in parts:
        histogram.merge(buckets, histogram.decode(part))
    return histogram.encode(buckets)


def _series(wanted: dict[bytes, Cell], *, using: str, memory: Memory) -> dict[bytes, int]:
    found = {digest: pk for digest in wanted if (pk := memory.series.get(digest)) is not None}
    missing = {digest: cell for digest, cell in wanted.items() if digest not in found}
    if not missing:
        return found
    learned = _stored(missing, using=using)
    missing = {digest: cell for digest, cell in missing.items() if digest not in learned}
    if missing:
        learned |= _created(missing, using=using, memory=memory)
    for digest, pk in learned.items():
        memory.series.put(digest, pk)
    return found | learned


def _created(missing: dict[bytes, Cell], *, using: str, memory: Memory) -> dict[bytes, int]:
    fitting: dict[bytes, bytes] = {}
    rows: dict[bytes, Series] = {}
    room: dict[str, int] = {}
    for digest, cell in missing.items():
        if cell.name not in room:
            room[cell.name] = _room(cell.name, using=using, memory=memory)
        if room[cell.name] > 0:
            room[cell.name] -= 1
            fitting[digest] = digest
            rows[digest] = _row(digest, cell, cell.label, cell.attributes)
        else:
            attributes = overflowing(cell.attributes)
            fitting[digest] = digest_of(cell.name, OVERFLOW, attributes)
            rows[fitting[digest]] = _row(fitting[digest], cell, OVERFLOW, attributes)
    # In one order everywhere: two drainers that make the same series must not wait for each other.
    ordered = [rows[digest] for digest in sorted(rows)]
    Series.objects.using(using).bulk_create(ordered, ignore_conflicts=True, batch_size=CHUNK)
    stored = _stored(rows, using=using)
    return {digest: stored[substitute] for digest, substitute in fitting.items()}


def overflowing(attributes: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """Return the attributes of the series that takes what has no room for its own."""
    return tuple((key, value if key in _KEPT_IN_OVERFLOW else OVERFLOW) for key, value in attributes)


def overflow(series: Series, *, using: str) -> int:
    """Return the key of the series that takes what belongs to one that is no longer told apart."""
    attributes = overflowing(series.attributes.items())
    digest = digest_of(series.name, OVERFLOW, attributes)
    row = Series(
        digest=digest.hex(),
        name=series.name,
        label=OVERFLOW,
        attributes=dict(attributes),
        gauge=series.gauge,
        unit=series.unit,
    )
    Series.objects.using(using).bulk_create([row], ignore_conflicts=True)
    return _stored([digest], using=using)[digest]


def _room(name: str, *, using: str, memory: Memory) -> int:
    if memory.full.get(name):
        return 0
    cap = settings().max_series * (_ROOM_FOR_FAILURES if name == FAILURES else 1)
    left = cap - Series.objects.using(using).filter(name=name).count()
    if left <= 0:
        memory.full.put(name, True)
    return left


def _row(digest: bytes, cell: Cell, label: str, attributes: Iterable[tuple[str, str]]) -> Series:
    return Series(
        digest=digest.hex(),
        name=cell.name[: limit(Series, "name")],
        label=label[: limit(Series, "label")],
        attributes=dict(attributes),
        gauge=cell.gauge,
        unit=cell.unit[: limit(Series, "unit")],
    )


def _stored(digests: Iterable[bytes], *, using: str) -> dict[bytes, int]:
    return {bytes.fromhex(digest): pk for digest, pk in _lookup(digests, using)}


def _lookup(digests: Iterable[bytes], using: str) -> Iterator[tuple[str, int]]:
    rest = iter(digests)
    while chunk := [digest.hex() for digest in islice(rest, CHUNK)]:
        yield from Series.objects.using(using).filter(digest__in=chunk).values_list("digest", "pk")
