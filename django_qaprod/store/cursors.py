"""How far each segment has been stored."""

from __future__ import annotations

from ..clock import now
from ..models import Cursor


def lock(segment: str, *, using: str) -> int:
    """Return the position up to which ``segment`` is stored, and keep others away from it until the commit.

    Runs inside the caller's transaction. Its first statement writes: on PostgreSQL that locks the row, on
    SQLite it takes the file's write lock at once, where a read first could fail later without waiting.
    """
    rows = Cursor.objects.using(using).filter(segment=segment)
    if not rows.update(updated_at=now()):
        Cursor.objects.using(using).bulk_create(
            [Cursor(segment=segment, position=0, updated_at=now())], ignore_conflicts=True
        )
        # Another one may have inserted it just now; this waits for that one's commit.
        rows.update(updated_at=now())
    return rows.values_list("position", flat=True).get()


def move(segment: str, position: int, *, using: str) -> None:
    """Say that ``segment`` is stored up to ``position``. In the transaction that ``lock`` was called in."""
    Cursor.objects.using(using).filter(segment=segment).update(position=position, updated_at=now())
