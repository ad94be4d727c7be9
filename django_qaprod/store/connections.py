"""This thread's database connections, between two pieces of work.

Django's own ``close_old_connections`` closes a connection in the middle of a transaction, too. Ours are left
alone there: they are somebody else's, a host's test case for instance, inside which records are stored.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from time import monotonic

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

#: Seconds for which a thread of ours keeps its connections: whatever has changed behind them (a name that
#: leads elsewhere, an SQLite file that was replaced) is noticed after that.
KEPT_FOR = 60.0


class _Thread(threading.local):
    #: When a thread of ours lets go of its connections, by ``monotonic``; ``None`` in all other threads.
    keeps_until: float | None = None


_thread = _Thread()


@contextmanager
def kept() -> Iterator[None]:
    """Keep connections open over ``close_old``, and close them at the end. For a thread of ours.

    A host's ``CONN_MAX_AGE`` is about requests; a loop that wakes every few seconds would spend most of its
    time on connecting. Before its first query after each ``close_old``, a kept connection is checked.
    """
    _thread.keeps_until = monotonic() + KEPT_FOR
    try:
        yield
    finally:
        _thread.keeps_until = None
        close()


def close_old(aliases: Iterable[str] = ()) -> None:
    """Close connections that are broken or have reached their age; of all aliases, unless some are named."""
    keeps_until = _thread.keeps_until
    if keeps_until is not None and monotonic() >= keeps_until:
        _thread.keeps_until = monotonic() + KEPT_FOR
        close()
        return
    for connection in _idle(aliases):
        # A pool keeps connections itself, and has few of them.
        if keeps_until is not None and not connection.settings_dict["OPTIONS"].get("pool"):
            connection.close_at = None
            connection.health_check_enabled = True  # type: ignore[attr-defined]
        connection.close_if_unusable_or_obsolete()


def close(aliases: Iterable[str] = ()) -> None:
    """Close the connections; of all aliases, unless some are named."""
    for connection in _idle(aliases):
        connection.close()


def _idle(aliases: Iterable[str]) -> Iterator[BaseDatabaseWrapper]:
    chosen = set(aliases)
    for connection in connections.all(initialized_only=True):
        if not connection.in_atomic_block and (not chosen or connection.alias in chosen):
            yield connection
