"""What each process takes of its machine or container, read before a flush.

Series are told apart by machine and role, never by process id, so that there are few of them however often
processes come and go: what the processes of a role read in one minute becomes one row, whose mean and
maximum are those of a process. Nothing is read in a request, nor in the tests of a host.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from functools import cache
from pathlib import Path, PurePath
from time import monotonic, process_time
from typing import NamedTuple

from .. import metrics
from ..capture.commands import management_command
from ..conf import settings
from ..pipeline import numbers, process, spool
from ..text import one_line
from . import open_connections
from .cgroups import Container, contents
from .standing import Standing

#: Seconds between two readings, of which the thread's own pace may take some.
EVERY = 15.0
_EARLY = 2.5

_MAX_ROLE = 40
# Threads of ours, of this process's pulse or of a command.
_THREADS = "qaprod"


class Read(NamedTuple):
    """A number that was read; ``alias`` is that of a database, ``sink`` the name of one."""

    name: str
    value: float
    of_process: bool = True
    alias: str = ""
    sink: str = ""


class Reader:
    """Reads one process. ``root`` is where ``/proc`` and ``/sys`` are."""

    def __init__(self, root: Path = Path("/")) -> None:
        self.pid = os.getpid()
        self.read_at = -EVERY
        self._proc = str(root / "proc/self")
        self._container = Container(root)
        self._worked: tuple[float, float] | None = None

    def read(self) -> Iterator[Read]:
        """Yield what can be read on this platform."""
        # https://man7.org/linux/man-pages/man5/proc_pid_statm.5.html: size, resident, … in pages
        pages = contents(f"{self._proc}/statm").split()
        if len(pages) < 2:
            return
        yield from self._cpu()
        yield Read(metrics.MEMORY, float(pages[1]) * os.sysconf("SC_PAGE_SIZE"))
        yield from _files(f"{self._proc}/fd")
        # Behind the name, which may have spaces: https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html
        yield Read(metrics.THREADS, float(contents(f"{self._proc}/stat").rpartition(b")")[2].split()[17]))
        for alias, opened in open_connections.count().items():
            yield Read(metrics.CONNECTIONS, opened, alias=alias)
        yield Read(metrics.BUFFER, numbers.fill())
        filled = process.memory_fill()
        if filled is not None:
            yield Read(metrics.SPOOL, filled)
        yield from self._of_container()

    def _cpu(self) -> Iterator[Read]:
        before, self._worked = self._worked, (monotonic(), process_time())
        if before is not None and self._worked[0] > before[0]:
            busy = (self._worked[1] - before[1]) / (self._worked[0] - before[0])
            yield Read(metrics.CPU, busy / self._container.processors())

    def _of_container(self) -> Iterator[Read]:
        memory, cpu = self._container.memory(), self._container.cpu_share()
        if memory.usage is not None:
            yield Read(metrics.CONTAINER_MEMORY, memory.usage, of_process=False)
        if memory.share is not None:
            yield Read(metrics.MEMORY_SHARE, memory.share, of_process=False)
        if cpu is not None:
            yield Read(metrics.CPU_SHARE, cpu, of_process=False)


_reader: Reader | None = None
_spool_read_at = -EVERY
_standing = Standing()


def read_process() -> None:
    """Read this process and its container, if it is time. Called before each flush."""
    global _reader
    if not threading.current_thread().name.startswith(_THREADS):
        # A request that flushes because the thread is late; a test; a command that ends.
        return
    if _reader is None or _reader.pid != os.getpid():
        _reader = Reader()
    if monotonic() - _reader.read_at < EVERY - _EARLY:
        return
    _reader.read_at = monotonic()
    for read in _reader.read():
        book(read)


def read_spool(path: Path) -> None:
    """Read how full the spool and its disk are, and which sinks take nothing, if it is time.

    Called at each of the drainer's passes.
    """
    global _spool_read_at
    now = monotonic()
    if now - _spool_read_at < EVERY - _EARLY or not threading.current_thread().name.startswith(_THREADS):
        return
    _spool_read_at = now
    sizes = spool.sizes(path)
    filled = sum(sizes.values()) / max(settings().spool_max_bytes, 1)
    book(Read(metrics.SPOOL, filled, of_process=False))
    if (used := _used(path)) is not None:
        book(Read(metrics.DISK, used, of_process=False))
    for sink, seconds in _standing.look(path, sizes, now):
        book(Read(metrics.SINK_LAG, seconds, of_process=False, sink=sink))


def read_lag(seconds: float) -> None:
    """Keep by how much the worker's jobs are late. Called by the worker."""
    if settings().resource_gauges and process.recording():
        numbers.gauge(metrics.LAG, "", value=seconds, unit=metrics.UNITS[metrics.LAG])


def book(read: Read) -> None:
    """Add to the numbers of this process."""
    host = process.host()
    attributes = [("host.name", host)]
    if read.of_process:
        attributes.append(("qaprod.role", role()))
    if read.alias:
        attributes.append(("qaprod.database", read.alias))
    if read.sink:
        attributes.append(("qaprod.sink", read.sink))
    label = " ".join(value for _, value in attributes)
    numbers.gauge(read.name, label, tuple(attributes), value=read.value, unit=metrics.UNITS[read.name])


@cache
def role() -> str:
    """Return what this process is for: the command that it was started by, without its arguments."""
    if command := management_command():
        return one_line(command, _MAX_ROLE)
    program = PurePath(sys.argv[0] if sys.argv else "")
    # ``python -m gunicorn``
    name = program.parent.name if program.name == "__main__.py" else program.name.removesuffix(".py")
    return one_line(name, _MAX_ROLE) or "python"


def _used(path: Path) -> float | None:
    """Return which share of a file system is used, as ``df`` does; ``None`` where nobody says."""
    try:
        found = os.statvfs(path)
    except (AttributeError, OSError):
        return None
    used = found.f_blocks - found.f_bfree
    whole = used + found.f_bavail
    return used / whole if whole else None


def _files(directory: str) -> Iterator[Read]:
    from resource import RLIM_INFINITY, RLIMIT_NOFILE, getrlimit

    # Since Linux 6.2 the directory says how many there are.
    opened = os.stat(directory).st_size or len(os.listdir(directory))  # noqa: PTH116, PTH208 - half the time
    yield Read(metrics.FILES, opened)
    limit = getrlimit(RLIMIT_NOFILE)[0]
    if limit != RLIM_INFINITY:
        yield Read(metrics.FILES_SHARE, opened / limit)
