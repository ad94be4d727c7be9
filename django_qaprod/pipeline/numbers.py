"""What this process counted since the last flush.

A request costs a dict lookup and a ``list.append``; both are atomic, so there is no lock to wait for.
The histogram is built at the flush, from plain floats, which the garbage collector does not look at.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from time import time
from typing import TYPE_CHECKING

from ..conf import settings
from . import guard

if TYPE_CHECKING:
    from ..records import Cell

REQUEST_DURATION = "http.server.request.duration"
REQUEST_BROWSER = "qaprod.requests.browser"
OVERFLOW = "__overflow__"

#: Seconds between two flushes, on multiples of itself, so that an interval lies within one minute.
FLUSH_EVERY = 5.0

#: (route, method, status, outcome, browser)
RequestKey = tuple[str, str, int, str, str]
CountKey = tuple[str, str, tuple[tuple[str, str], ...]]

# Browsers multiply the keys of a process but not the stored series, hence more keys than series.
_KEYS_PER_SERIES = 5

_requests: dict[RequestKey, list[float]] = {}
_counts: Counter[CountKey] = Counter()
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


def take() -> tuple[Cell, ...]:
    """Return what was counted since the last call and begin anew.

    It is booked to the minute that held the middle of a full flush interval.
    """
    global _counts
    from . import cells

    start = int((time() - FLUSH_EVERY / 2) // 60) * 60
    with _counts_lock:
        counts, _counts = _counts, Counter()
    return (*cells.of_requests(_requests_taken(), start), *cells.of_counts(counts, start))


def reset_after_fork() -> None:
    """Forget what the parent counted; it reports that itself."""
    global _requests, _counts, _counts_lock
    _requests = {}
    _counts = Counter()
    _counts_lock = threading.RLock()


def _open(key: RequestKey) -> list[float]:
    if len(_requests) >= settings().max_series * _KEYS_PER_SERIES:
        guard.dropped("numbers.series")
        _, method, status, outcome, browser = key
        key = (OVERFLOW, method, status, outcome, browser)
    return _requests.setdefault(key, [])


def _requests_taken() -> Iterator[tuple[RequestKey, list[float]]]:
    for key, recorded in list(_requests.items()):
        # The list stays in place: a request that holds it already may append at any time.
        seen = len(recorded)
        if seen:
            taken = recorded[:seen]
            del recorded[:seen]
            yield key, taken
