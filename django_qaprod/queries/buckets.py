"""Reads bucket rows so that each number counts exactly once, whatever has been rolled up already.

At any time the rows of one resolution together with the unrolled rows of all finer ones are everything
there is (see ``models.numbers``). A window that begins or ends within a coarse period takes its edges from
finer rows, rolled up or not.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any, TypeAlias

from django.db.models import Max, Min, QuerySet
from django.db.models import Sum as Sum_

from .. import clock
from ..models import Bucket, Series
from .window import DAY, HOUR, HOURS_KEPT, MINUTE, MINUTES_KEPT, Window

_RESOLUTIONS = (
    Bucket.Resolution.RAW,
    Bucket.Resolution.MINUTE,
    Bucket.Resolution.HOUR,
    Bucket.Resolution.DAY,
)

#: Whose rows: by a query, or by id where they are few and known. Ids leave a database nothing to guess.
Chosen: TypeAlias = QuerySet[Series] | AbstractSet[int]


@dataclass(frozen=True, slots=True)
class Piece:
    """Rows of one resolution in a stretch of epoch seconds; only the unrolled ones if ``unrolled``."""

    resolution: int
    start: int
    end: int
    unrolled: bool


@dataclass(slots=True)
class Row:
    """A bucket row. ``start`` is in epoch seconds."""

    series: int
    start: int
    count: int
    total: float
    minimum: float
    maximum: float
    histogram: bytes


@dataclass(slots=True)
class ShortRow:
    """A bucket row without its values. ``start`` is in epoch seconds."""

    series: int
    start: int
    count: int


@dataclass(slots=True)
class Sum:
    """Rows of several series that the database has added up. ``key`` is what they have in common."""

    key: tuple[str, ...]
    start: int
    count: int
    total: float
    minimum: float
    maximum: float


def steps(start: int, end: int, step: int) -> list[Piece]:
    """Return the pieces of a window whose ends are multiples of ``step``, with no row longer than a step."""
    resolution = max(known for known in _RESOLUTIONS if step % (known or MINUTE) == 0)
    return list(_whole(resolution, start, end))


def sums(window: Window) -> list[Piece]:
    """Return the pieces of any window: few rows for its middle, finer ones for its edges.

    The window is taken to the minute, a long or an old one to the hour or the day.
    """
    grain = _grain(window)
    start, end = window.epochs()
    start -= start % grain
    if end <= clock.epoch(clock.now()) - grain:
        # So that a window and the one before it neither overlap nor leave a gap.
        end -= end % grain
    else:
        end += -end % grain
    return list(cover(start, end, max(coarsest(window), grain), grain))


def coarsest(window: Window) -> int:
    """Return the longest period, in seconds, that ``sums`` takes as a whole for a window that is not old."""
    seconds = window.length.total_seconds()
    return MINUTE if seconds <= 3 * HOUR else HOUR if seconds <= 2 * DAY else DAY


def _grain(window: Window) -> int:
    age = clock.now() - window.start
    if window.length <= MINUTES_KEPT / 2 and age <= MINUTES_KEPT:
        return MINUTE
    return HOUR if age <= HOURS_KEPT else DAY


def cover(start: int, end: int, resolution: int, grain: int) -> Iterator[Piece]:
    """Yield the pieces from ``start`` to ``end``, both multiples of ``grain``.

    As much as possible is at ``resolution``, the edges are finer, down to ``grain``.
    """
    if start >= end:
        return
    low, high = start + -start % resolution, end - end % resolution
    finer = max((known for known in (MINUTE, HOUR) if known < resolution), default=0)
    if resolution <= grain:
        yield from _whole(resolution, low, high)
    elif low >= high:
        yield from cover(start, end, finer, grain)
    else:
        yield from cover(start, low, finer, grain)
        yield from _whole(resolution, low, high)
        yield from cover(high, end, finer, grain)


def _whole(resolution: int, start: int, end: int) -> Iterator[Piece]:
    if start < end:
        for known in _RESOLUTIONS:
            if known <= resolution:
                yield Piece(known, start, end, unrolled=known != resolution)


def rows(series: Chosen, pieces: Iterable[Piece]) -> Iterator[Row]:
    """Yield the rows of some series in some pieces. One query."""
    names = ("series_id", "start", "count", "total", "minimum", "maximum", "histogram")
    for pk, start, count, total, minimum, maximum, data in _select(series, pieces, names):
        yield Row(pk, int(clock.epoch(start)), count, total, minimum, maximum, bytes(data))


def short_rows(series: Chosen, pieces: Iterable[Piece]) -> Iterator[ShortRow]:
    """Yield the rows of some series in some pieces without their values. One query."""
    for pk, start, count in _select(series, pieces, ("series_id", "start", "count")):
        yield ShortRow(pk, int(clock.epoch(start)), count)


def added_up(
    series: Chosen, pieces: Iterable[Piece], *, by: Mapping[str, Any], starts: bool = True
) -> Iterator[Sum]:
    """Yield the rows of some series in some pieces, added up by expressions of their own. One query.

    Those of one key and ``start`` may come in several parts, of several resolutions; without ``starts`` a key
    has one part for each piece, and ``start`` is zero.
    """
    start_too = ("start",) if starts else ()
    branches = [
        _branch(series, piece)
        .order_by()
        .values(*start_too, **by)
        .annotate(n=Sum_("count"), amount=Sum_("total"), least=Min("minimum"), most=Max("maximum"))
        .values_list(*start_too, *by, "n", "amount", "least", "most")
        for piece in pieces
    ]
    found = branches[0].union(*branches[1:], all=True) if branches[1:] else branches[0] if branches else ()
    for row in found:
        *known, count, total, minimum, maximum = row
        start = int(clock.epoch(known.pop(0))) if starts else 0
        yield Sum(tuple(known), start, count, total, minimum, maximum)


def _select(series: Chosen, pieces: Iterable[Piece], names: tuple[str, ...]) -> Iterable[tuple[Any, ...]]:
    # One branch for each piece: with OR, SQLite would walk through the whole history of a series.
    branches = [_branch(series, piece).values_list(*names) for piece in pieces]
    if not branches:
        return ()
    return branches[0].union(*branches[1:], all=True) if branches[1:] else branches[0]


def _branch(series: Chosen, piece: Piece) -> QuerySet[Bucket]:
    if isinstance(series, AbstractSet):
        found = Bucket.objects.filter(series_id__in=series)
    else:
        found = Bucket.objects.filter(series_id__in=series.values("pk"))
    return found.filter(
        resolution=piece.resolution,
        # By IN, even of one value, because SQLite looks up ``NOT rolled`` in no index.
        rolled__in=(False,) if piece.unrolled else (False, True),
        start__gte=clock.moment(piece.start),
        start__lt=clock.moment(piece.end),
    )
