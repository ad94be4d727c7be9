"""Locks on files (``flock``), which the kernel takes back however their holder ends."""

from __future__ import annotations

import os
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows has none, so memory serves instead of the spool.
    AVAILABLE = False
else:
    AVAILABLE = True


# Descriptors of locks that this process holds.
_held: set[int] = set()


def take(descriptor: int) -> bool:
    """Lock an open file for ourselves alone; return whether nobody else has it. Never waits."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def acquire(path: Path) -> int | None:
    """Open and lock a file, made if need be; return its descriptor, ``None`` when another has the lock."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    if take(descriptor):
        _held.add(descriptor)
        return descriptor
    os.close(descriptor)
    return None


def release(descriptor: int) -> None:
    """Let go of a lock that ``acquire`` gave."""
    _held.discard(descriptor)
    os.close(descriptor)


def is_gone(descriptor: int) -> bool:
    """Whether the open file has been deleted, so that nobody else can see it or its lock any more."""
    return os.fstat(descriptor).st_nlink == 0


def abandon() -> None:
    """Close, in a forked child, what its parent holds: the lock would outlive the parent with us."""
    while _held:
        os.close(_held.pop())


def is_held(path: Path) -> bool:
    """Whether somebody holds the lock of a file; not when there is no such file."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        return not take(descriptor)
    finally:
        os.close(descriptor)


os.register_at_fork(after_in_child=abandon)
