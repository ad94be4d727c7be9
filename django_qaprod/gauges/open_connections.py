"""The database connections that this process has open, in whichever thread.

Django keeps them where only their own thread finds them. Each tells of itself once, when it connects.
"""

from __future__ import annotations

import os
from collections import Counter
from typing import Any
from weakref import ref

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

# A dict as a set: what adds to it and copies it is atomic, so that no request waits for a lock.
_seen: dict[ref[BaseDatabaseWrapper], None] = {}


def install() -> None:
    """Listen for connections. May be called again."""
    connection_created.connect(_see, dispatch_uid="qaprod.connections")


def count() -> Counter[str]:
    """Return how many are open, by alias."""
    opened: Counter[str] = Counter()
    for seen in list(_seen):
        wrapper = seen()
        if wrapper is not None and wrapper.connection is not None:
            opened[wrapper.alias] += 1
    return opened


def _see(*, connection: BaseDatabaseWrapper, **kwargs: Any) -> None:
    _seen[ref(connection, _forget)] = None


def _forget(gone: ref[BaseDatabaseWrapper]) -> None:
    _seen.pop(gone, None)


# Those of the parent are not the child's.
os.register_at_fork(after_in_child=_seen.clear)
