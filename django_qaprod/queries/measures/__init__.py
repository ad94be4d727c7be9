"""Numbers of what rules watch: how often it happened, when last, what was read.

Times are seconds since the epoch. Each answer costs what its stretch costs, in one to four queries: each
source says how many; fewer where ``Lookups`` are shared. A measure that is told apart by what it does not
have raises ``DeclarationError``.
"""

from __future__ import annotations

from collections.abc import Iterable

from ...exceptions import DeclarationError
from ...specs import Measure
from .base import Counts, Hours, Lookups, Readings, Source, Sums, size
from .inside import Troubles
from .numbers import Failures, Gauges, Numbers, Requests
from .rows import Breaches, Steps

__all__ = ["Lookups", "counts", "first", "grain", "hours", "last", "readings", "size", "sums"]

_KINDS: dict[str, type[Source]] = {
    "step": Steps,
    "failures": Failures,
    "requests": Requests,
    "breaches": Breaches,
    "gauge": Gauges,
    "series": Numbers,
    "health": Troubles,
}


def counts(
    measure: Measure,
    start: float,
    end: float,
    *,
    step: float = 0,
    by: str = "",
    lookups: Lookups | None = None,
) -> Counts:
    """Return how often it happened from ``start`` to before ``end``: in each step, or in all.

    Rows are counted to the second. Numbers are kept by the minute, those that are older than two days by the
    hour: a stretch is widened to begin with a whole one, and up to the present to end with one, and its steps
    begin there. So one that is judged now holds all that it should, and less than one minute more.
    """
    return _source(measure, lookups).counts(start, end, step=step, by=by)


def hours(measure: Measure, starts: Iterable[int], *, by: str = "", lookups: Lookups | None = None) -> Hours:
    """Return how often it happened in whole hours, those in which it did; cheap where roll-ups have them.

    Of numbers no hours are kept that are older than 60 days.
    """
    wanted = sorted(set(starts))
    return _source(measure, lookups).hours(wanted, by=by) if wanted else ({} if by else {"": {}})


def readings(
    measure: Measure,
    start: float,
    end: float,
    *,
    step: float,
    by: str = "",
    lookups: Lookups | None = None,
) -> Readings:
    """Return the mean of what was read of a gauge in each step, ``None`` where nothing was.

    Of all its series together it is the mean of all readings, as on the gauge's page: what each process reads
    of itself is then that of a process. Steps are widened as in ``counts``. Two queries.
    """
    return _gauge(measure, lookups).readings(start, end, step=step, by=by)


def sums(measure: Measure, start: float, end: float, *, step: float, by: str = "") -> Sums:
    """Return in each step how often a gauge was read, and what the readings add up to. Two queries."""
    return _gauge(measure).sums(start, end, step=step, by=by)


def last(measure: Measure, since: float, *, lookups: Lookups | None = None) -> float | None:
    """Return when it happened last, ``None`` when it has not since then.

    Numbers are kept by the minute: then it is the beginning of that minute.
    """
    return _source(measure, lookups).last(since)


def first(measure: Measure, *, lookups: Lookups | None = None) -> float | None:
    """Return when it was counted for the first time, as far as is kept; numbers to the hour or the day."""
    return _source(measure, lookups).first()


def grain(measure: Measure, at: float) -> int:
    """Return by how many seconds it is known at that time: 1, or those of a minute, an hour or a day."""
    return _source(measure).grain(at)


def _gauge(measure: Measure, lookups: Lookups | None = None) -> Numbers:
    source = _source(measure, lookups)
    if not isinstance(source, Numbers):
        raise DeclarationError(f"Only gauges have readings, not {measure.kind}.")
    return source


def _source(measure: Measure, lookups: Lookups | None = None) -> Source:
    try:
        return _KINDS[measure.kind](measure, lookups or Lookups())
    except KeyError:
        raise DeclarationError(f"There is nothing to measure of the kind {measure.kind!r}.") from None
