"""The spool: records on disk, or in memory where there is no disk, until every sink has them.

Each process appends to a segment of its own, a file that it keeps locked (``flock``) while it lives;
the kernel lets go of the lock however the process ends, and that is how the drainer knows a segment
that nobody will append to. A line is one record; a line without its newline is torn and skipped.
"""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from django.conf import settings as django_settings

from ..conf import settings, telemetry_alias
from ..exceptions import RecordFormatError, SpoolUnavailableError
from ..records import decode
from . import filelock, guard

if TYPE_CHECKING:
    from ..typing import Entry

SUFFIX = ".segment"
#: A segment on its way to being locked, and the seconds after which it has not arrived.
NEW = ".new-segment"
LEFT_AFTER = 60.0
#: Bytes read at once; a record is never longer.
CHUNK = 1024 * 1024
MAX_RECORD = 256 * 1024
MEMORY_MAX_BYTES = 8 * 1024 * 1024
#: Seconds for which a full spool is not measured again.
FULL_FOR = 1.0
#: Seconds for which a segment that was there is not looked for again: tidiers take what was quiet for long.
THERE_FOR = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SpoolStatus:
    """The spool of this machine. ``directory`` is ``None`` when memory serves; ``problem`` says why."""

    directory: Path | None
    problem: str
    segments: int
    bytes: int
    oldest: float | None


class Segment(Protocol):
    """Something that the drainer reads from: a file, or this process's memory."""

    name: str

    def read(self, position: int) -> tuple[tuple[Entry, ...], int]:
        """Return the entries behind ``position``, a chunk at most, and the position behind the last."""

    def abandoned(self) -> bool:
        """Whether nothing will be appended any more. Ask before the last ``read``, never after."""

    def end(self) -> int:
        """Return the position behind the last whole record."""

    def discard(self, position: int) -> None:
        """Let go of what every sink has; a file goes only as a whole."""


def directory() -> Path | None:
    """Return the spool's directory, made if need be; ``None`` where memory must serve instead."""
    return _directory(os.getpid())[0]


def status() -> SpoolStatus:
    """Return what lies in the spool of this machine now."""
    path, problem = _directory(os.getpid())
    sizes = [_stat(segment) for segment in _paths(path)] if path else []
    return SpoolStatus(
        directory=path,
        problem=problem,
        segments=len(sizes),
        bytes=sum(size for size, _ in sizes),
        oldest=min((at for size, at in sizes if size), default=None),
    )


def forget_directory() -> None:
    """Look for the directory again at the next use (the settings have changed)."""
    _directory.cache_clear()


@cache
def _directory(pid: int) -> tuple[Path | None, str]:
    if not filelock.AVAILABLE:
        return None, "This platform has no file locks (flock)."
    path = chosen()
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        problem = unusable(path)
    except OSError as error:
        return None, f"{path} cannot be made: {error.strerror}."
    return (None, problem) if problem else (path, "")


def unusable(path: Path) -> str:
    """Return why this directory cannot be the spool, or nothing. Makes nothing."""
    found = path.lstat()
    # Somebody else's directory, or a link, would let them read our records or choose where we write.
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        return f"{path} is not a directory of the user who runs this process."
    if found.st_mode & 0o022:
        return f"{path} can be written by others; take that right away (chmod 700)."
    if not os.access(path, os.W_OK | os.X_OK):
        return f"{path} cannot be written."
    return ""


def chosen() -> Path:
    """Return where the spool should be: ``QAPROD["SPOOL_DIR"]``, else below the temporary directory."""
    configured = settings().spool_dir
    if configured:
        return Path(configured)
    database = django_settings.DATABASES.get(telemetry_alias(), {})
    identity = [str(database.get(key, "")) for key in ("ENGINE", "HOST", "PORT", "NAME")]
    # Where a name alone does not tell which database it is.
    identity.append(str(database.get("OPTIONS", {}).get("service", "")))
    identity.append(str(Path.cwd()) if _is_relative_file(database) else "")
    digest = hashlib.sha256("\n".join(identity).encode("utf-8", "replace")).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"qaprod-{os.geteuid()}-{digest}"


def _is_relative_file(database: dict[str, Any]) -> bool:
    name = str(database.get("NAME", ""))
    return "sqlite" in str(database.get("ENGINE", "")) and ":" not in name and not Path(name).is_absolute()


class FileSpool:
    """This process's end of the spool on disk. Safe to use from several threads."""

    def __init__(self, path: Path) -> None:
        self.path = path
        # Re-entrant: a signal handler may log in the middle of an append.
        self._lock = threading.RLock()
        self._descriptor: int | None = None
        self._size = 0
        self._full_until = 0.0
        self._there_until = 0.0

    def append(self, line: bytes) -> None:
        """Append a record with one ``write``.

        Raises ``SpoolUnavailableError`` at the spool's cap, ``OSError`` when the disk refuses.
        """
        with self._lock:
            if self._must_rotate(len(line)):
                self._rotate()
            assert self._descriptor is not None
            written = os.write(self._descriptor, line)
            if written != len(line):
                os.ftruncate(self._descriptor, self._size)
                raise SpoolUnavailableError("The disk took only a part of the record.")
            self._size += written

    def close(self) -> None:
        """Let go of the segment; what was appended stays."""
        with self._lock:
            if self._descriptor is not None:
                os.close(self._descriptor)
            self._descriptor = None

    def abandon(self) -> None:
        """Close the parent's segment in a forked child, without the lock: it may be held for ever."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _must_rotate(self, length: int) -> bool:
        return (
            self._descriptor is None
            or self._size + length > settings().segment_max_bytes
            # Somebody has tidied up: nobody would ever see what went there.
            or self._is_gone(self._descriptor)
        )

    def _is_gone(self, descriptor: int) -> bool:
        now = time.monotonic()
        if now < self._there_until:
            return False
        self._there_until = now + THERE_FOR
        return filelock.is_gone(descriptor)

    def _rotate(self) -> None:
        self.close()
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        if problem := unusable(self.path):
            raise SpoolUnavailableError(problem)
        self._refuse_when_full()
        name = f"{int(time.time() * 1000):013d}-{os.getpid()}-{os.urandom(6).hex()}"
        # Under another name until it is locked: the drainer must never take it for abandoned.
        new = self.path / f"{name}{NEW}"
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        filelock.take(descriptor)
        new.rename(self.path / f"{name}{SUFFIX}")
        self._descriptor, self._size = descriptor, 0

    def _refuse_when_full(self) -> None:
        now = time.monotonic()
        if now >= self._full_until:
            used = sum(size for size, _ in map(_stat, _paths(self.path)))
            if used < settings().spool_max_bytes:
                return
            self._full_until = now + FULL_FOR
        raise SpoolUnavailableError("The spool has reached QAPROD['SPOOL_MAX_BYTES'].")


class FileSegment:
    """A segment on disk, as the drainer sees it. One that is gone holds nothing: another has let go of it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = path.name.removesuffix(SUFFIX)

    def read(self, position: int) -> tuple[tuple[Entry, ...], int]:
        """Return the whole lines behind ``position``, a chunk at most, decoded."""
        data = self._bytes(position, CHUNK)
        end = data.rfind(b"\n") + 1
        if not end and len(data) == CHUNK:
            # No record is so long: a disk that lost power has left zeros.
            guard.dropped("spool.torn")
            return (), position + CHUNK
        return tuple(_entries(data[:end], position)), position + end

    def abandoned(self) -> bool:
        """Whether the process that wrote it has ended or moved on to another."""
        return not filelock.is_held(self.path)

    def end(self) -> int:
        """Return the position behind the last newline, zero when there is none."""
        size = _stat(self.path)[0]
        if not size or self._bytes(size - 1, 1) == b"\n":
            return size
        tail = max(size - MAX_RECORD - 1, 0)
        found = self._bytes(tail, MAX_RECORD + 1).rfind(b"\n")
        return tail + found + 1 if found >= 0 else 0

    def discard(self, position: int) -> None:
        """Delete the file. What lies behind ``position`` is a torn line."""
        if _stat(self.path)[0] > position:
            guard.dropped("spool.torn")
        self.path.unlink(missing_ok=True)

    def _bytes(self, position: int, most: int) -> bytes:
        try:
            descriptor = os.open(self.path, os.O_RDONLY)
        except FileNotFoundError:
            return b""
        try:
            return os.pread(descriptor, most, position)
        finally:
            os.close(descriptor)


class MemorySpool:
    """A spool and its only segment in this process's memory: for want of a directory, and for tests."""

    def __init__(self) -> None:
        self.name = f"memory-{os.getpid()}-{os.urandom(6).hex()}"
        self._lock = threading.RLock()
        self._lines: deque[tuple[int, bytes]] = deque()
        self._begin = 0
        self._end = 0

    def append(self, line: bytes) -> None:
        """Keep a record. Raises ``SpoolUnavailableError`` when memory's share is used up."""
        with self._lock:
            if self._end - self._begin + len(line) > MEMORY_MAX_BYTES:
                raise SpoolUnavailableError("The spool in memory is full.")
            self._end += len(line)
            self._lines.append((self._end, line))

    def read(self, position: int) -> tuple[tuple[Entry, ...], int]:
        """Return the entries behind ``position``."""
        from ..typing import Entry

        with self._lock:
            lines = [(end, line) for end, line in self._lines if end > position]
        entries = [Entry(position=end, record=decode(line)) for end, line in lines]
        return tuple(entries), lines[-1][0] if lines else position

    @property
    def fill(self) -> float:
        """What part of memory's share is used."""
        return (self._end - self._begin) / MEMORY_MAX_BYTES

    def abandoned(self) -> bool:
        """Never: it lives as long as its reader."""
        return False

    def end(self) -> int:
        """Return the position behind the last record."""
        return self._end

    def discard(self, position: int) -> None:
        """Let go of the records up to ``position``."""
        with self._lock:
            while self._lines and self._lines[0][0] <= position:
                self._begin = self._lines.popleft()[0]

    def close(self) -> None:
        """Nothing is held."""


def sizes(path: Path) -> dict[str, int]:
    """Return how long each segment in a directory is, by name: cheap, for the drainer asks all the time."""
    found = {}
    with os.scandir(path) as entries:
        for entry in entries:
            if entry.name.endswith(SUFFIX):
                with suppress(FileNotFoundError):
                    found[entry.name.removesuffix(SUFFIX)] = entry.stat().st_size
    return found


def file_segments(path: Path) -> list[FileSegment]:
    """Return the segments in a directory, the oldest first."""
    return [FileSegment(found) for found in sorted(_paths(path))]


def sweep(path: Path) -> None:
    """Delete what a crash left between the making of a segment and its first record."""
    for left in path.glob(f"*{NEW}"):
        if time.time() - _stat(left)[1] > LEFT_AFTER and not filelock.is_held(left):
            left.unlink(missing_ok=True)


def _paths(path: Path) -> list[Path]:
    with os.scandir(path) as found:
        return [Path(entry.path) for entry in found if entry.name.endswith(SUFFIX)]


def _stat(path: Path) -> tuple[int, float]:
    try:
        found = path.stat()
    except FileNotFoundError:
        return 0, time.time()
    return found.st_size, found.st_mtime


def _entries(data: bytes, position: int) -> Iterator[Entry]:
    # Only the drainer reads; a process that writes needs no protocols.
    from ..typing import Entry

    for line in data.splitlines(keepends=True):
        position += len(line)
        try:
            record = decode(line)
        except RecordFormatError:
            guard.dropped("spool.torn")
        else:
            yield Entry(position=position, record=record)
