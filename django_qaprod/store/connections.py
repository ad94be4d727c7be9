"""This thread's database connections, between two pieces of work.

Django's own ``close_old_connections`` closes a connection in the middle of a transaction, too. Ours are left
alone there: they are somebody else's, a host's test case for instance, inside which records are stored.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper


def close_old(aliases: Iterable[str] = ()) -> None:
    """Close connections that are broken or have reached their age; of all aliases, unless some are named."""
    for connection in _idle(aliases):
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
