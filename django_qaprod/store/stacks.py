"""Stacks: frames kept once for all occurrences that share them."""

from __future__ import annotations

from collections.abc import Iterable

from ..clock import now
from ..models import Stack
from ..records import FailureRecord
from .memory import Memory
from .statements import limit


def save(records: Iterable[FailureRecord], *, using: str, memory: Memory) -> None:
    """Store the stacks that are not known yet and mark those that are as used.

    Runs inside the caller's transaction. ``last_used`` is right to about an hour: that is how long a
    drainer remembers a stack before it marks it again.
    """
    frames = {
        record.stack[: limit(Stack, "digest")]: record.frames
        for record in records
        if record.stack and memory.stacks.get(record.stack) is None
    }
    if not frames:
        return
    at, digests = now(), sorted(frames)
    known = set(Stack.objects.using(using).filter(digest__in=digests).values_list("digest", flat=True))
    Stack.objects.using(using).bulk_create(
        [
            Stack(digest=digest, frames=frames[digest], last_used=at)
            for digest in digests
            if digest not in known
        ],
        ignore_conflicts=True,
        batch_size=100,
    )
    for digest in sorted(known):
        Stack.objects.using(using).filter(digest=digest).update(last_used=at)
    for digest in digests:
        memory.stacks.put(digest, True)
