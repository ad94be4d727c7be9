"""How far each segment has been stored."""

from __future__ import annotations

from ..clock import now
from ..models import Cursor
from .statements import select, update

_TOUCH = "UPDATE {table} SET {updated_at} = %s WHERE {segment} = %s"
_READ = "SELECT {position} FROM {table} WHERE {segment} = %s"
_MOVE = "UPDATE {table} SET {position} = %s, {updated_at} = %s WHERE {segment} = %s"


def lock(segment: str, *, using: str) -> int:
    """Return the position up to which ``segment`` is stored, and keep others away from it until the commit.

    Runs inside the caller's transaction. Its first statement writes: on PostgreSQL that locks the row, on
    SQLite it takes the file's write lock at once, where a read first could fail later without waiting.
    """
    if not _touch(segment, using=using):
        Cursor.objects.using(using).bulk_create(
            [Cursor(segment=segment, position=0, updated_at=now())], ignore_conflicts=True
        )
        # Another one may have inserted it just now; this waits for that one's commit.
        _touch(segment, using=using)
    [(position,)] = select(Cursor, _READ, ("segment",), (segment,), using=using)
    return int(position)


def move(segment: str, position: int, *, using: str) -> None:
    """Say that ``segment`` is stored up to ``position``. In the transaction that ``lock`` was called in."""
    update(Cursor, _MOVE, ("position", "updated_at", "segment"), (position, now(), segment), using=using)


def _touch(segment: str, *, using: str) -> int:
    return update(Cursor, _TOUCH, ("updated_at", "segment"), (now(), segment), using=using)
