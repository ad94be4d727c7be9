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
        return descriptor
    os.close(descriptor)
    return None


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
