"""What this process counted since the last flush.

A request costs a dict lookup and a ``list.append``; both are atomic, so there is no lock to wait for.
The histogram is built at the flush, from plain floats, which the garbage collector does not look at.
"""

from __future__ import annotations

import math
import threading
from collections import Counter
from collections.abc import Iterator
from time import time
from typing import TYPE_CHECKING

from ..conf import settings
from . import guard

if TYPE_CHECKING:
    from ..records import Cell, Exemplar

REQUEST_DURATION = "http.server.request.duration"
REQUEST_BROWSER = "qaprod.requests.browser"
OVERFLOW = "__overflow__"

#: Steps taken, for the sinks that have no database to count events in.
STEPS = "qaprod.steps"

#: Seconds between two flushes, on multiples of itself, so that an interval lies within one minute.
FLUSH_EVERY = 5.0

#: Exemplars of one flush interval.
MOST_EXEMPLARS = 20

#: (route, method, status, outcome, browser)
RequestKey = tuple[str, str, int, str, str]
CountKey = tuple[str, str, tuple[tuple[str, str], ...]]
#: What was read of a gauge: how often, the sum, the least, the most, and the unit.
Readings = tuple[int, float, float, float, str]

# Browsers multiply the keys of a process but not the stored series, hence more keys than series.
_KEYS_PER_SERIES = 5

_requests: dict[RequestKey, list[float]] = {}
# Lists of keys that were forgotten at the last flush.
_leaving: list[tuple[RequestKey, list[float]]] = []
_counts: Counter[CountKey] = Counter()
_gauges: dict[CountKey, Readings] = {}
# When, how many seconds, and the ids of the trace and the span.
_exemplars: dict[RequestKey, tuple[float, float, str, str]] = {}
# Re-entrant: a stream may be dropped, and its destructor flush, while we count.
_counts_lock = threading.RLock()


def request(key: RequestKey, seconds: float) -> None:
    """Count a request that took ``seconds``."""
    durations = _requests.get(key)
    if durations is None:
        durations = _open(key)
    durations.append(seconds)


def count(name: str, label: str, attributes: tuple[tuple[str, str], ...] = (), n: int = 1) -> None:
    """Add ``n`` to a counter of this process."""
    with _counts_lock:
        if len(_counts) >= settings().max_series and (name, label, attributes) not in _counts:
            label, attributes = OVERFLOW, ()
            guard.dropped("numbers.series")
        _counts[name, label, attributes] += n


def gauge(
    name: str, label: str, attributes: tuple[tuple[str, str], ...] = (), *, value: float, unit: str = ""
) -> None:
    """Keep what was read of a gauge; not-a-number is not kept."""
    if not math.isfinite(value):
        return
    key = (name, label, attributes)
    with _counts_lock:
        if len(_gauges) >= settings().max_series and key not in _gauges:
            guard.dropped("numbers.series")
            return
        count, total, least, most, _ = _gauges.get(key, (0, 0.0, value, value, unit))
        _gauges[key] = (count + 1, total + value, min(least, value), max(most, value), unit)


def fill() -> float:
    """Return what part of the series that may be kept between two flushes are there; at 1 others are lost."""
    most = max(settings().max_series, 1)
    return max(len(_requests) / (most * _KEYS_PER_SERIES), len(_counts) / most, len(_gauges) / most)


def wants_exemplar(key: RequestKey, seconds: float) -> bool:
    """Whether a request is worth keeping: the slowest of its series in this interval, or the first.

    Half of the room is for those in which something failed.
    """
    known = _exemplars.get(key)
    if known is not None:
        return known[1] < seconds
    failed = key[3] in {"server_error", "degraded"}
    return len(_exemplars) < (MOST_EXEMPLARS if failed else MOST_EXEMPLARS // 2)


def exemplar(key: RequestKey, seconds: float, *, trace_id: str, span_id: str) -> None:
    """Keep a request that ends now, by the W3C ids of its trace."""
    _exemplars[key] = (time(), seconds, trace_id, span_id)


def take_exemplars() -> tuple[Exemplar, ...]:
    """Return the exemplars of what ``take`` has returned last, and begin anew."""
    global _exemplars
    if not _exemplars:
        return ()
    from . import cells

    taken, _exemplars = _exemplars, {}
    return cells.of_exemplars(taken)


def take() -> tuple[Cell, ...]:
    """Return what was counted since the last call and begin anew.

    It is booked to the minute that held the middle of a full flush interval.
    """
    global _counts, _gauges
    from . import cells

    start = int((time() - FLUSH_EVERY / 2) // 60) * 60
    with _counts_lock:
        counts, _counts = _counts, Counter()
        gauges, _gauges = _gauges, {}
    return (
        *cells.of_requests(_requests_taken(), start),
        *cells.of_counts(counts, start),
        *cells.of_gauges(gauges, start),
    )


def reset_after_fork() -> None:
    """Forget what the parent counted; it reports that itself."""
    global _requests, _leaving, _counts, _gauges, _exemplars, _counts_lock
    _requests, _leaving = {}, []
    _counts = Counter()
    _gauges, _exemplars = {}, {}
    _counts_lock = threading.RLock()


def _open(key: RequestKey) -> list[float]:
    if len(_requests) >= settings().max_series * _KEYS_PER_SERIES:
        guard.dropped("numbers.series")
        _, method, status, outcome, browser = key
        key = (OVERFLOW, method, status, outcome, browser)
    return _requests.setdefault(key, [])


def _requests_taken() -> Iterator[tuple[RequestKey, list[float]]]:
    global _leaving
    leaving, _leaving = _leaving, []
    yield from ((key, recorded) for key, recorded in leaving if recorded)
    # Keys come and go over weeks; they are forgotten when there are many, and none was used for a while.
    many = len(_requests) > settings().max_series * _KEYS_PER_SERIES // 2
    for key, recorded in list(_requests.items()):
        if many and not recorded and _requests.pop(key, None) is not None:
            # Until the next flush: a request may hold the list and be about to append.
            _leaving.append((key, recorded))
        # The list stays in place: a request that holds it already may append at any time.
        seen = len(recorded)
        if seen:
            taken = recorded[:seen]
            del recorded[:seen]
            yield key, taken
