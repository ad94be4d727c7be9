"""What this process's container may take and takes: control groups of both versions, else the machine.

https://docs.kernel.org/admin-guide/cgroup-v2.html and ``…/cgroup-v1/``. A limit may stand on a group above
ours (a pod's, a slice's), so all up to the root are looked at, and the one that is nearest to its limit
counts. Where nothing is limited, it is the machine that runs out.

All paths are below ``root``, for tests; what is missing there is unknown, and never an error.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from os.path import isdir
from pathlib import Path
from time import monotonic
from typing import NamedTuple

#: Seconds for which limits are believed: they can change under a running process.
LIMITS_FOR = 60.0


class _Files(NamedTuple):
    """Where a version keeps the numbers of a group, and in what it counts time."""

    memory: str
    memory_limit: str
    reclaimable: bytes
    cpu: str
    per_second: float


_V1 = _Files(
    "memory.usage_in_bytes", "memory.limit_in_bytes", b"\ntotal_inactive_file ", "cpuacct.usage", 1e9
)
_V2 = _Files("memory.current", "memory.max", b"\ninactive_file ", "cpu.stat", 1e6)


class _Group(NamedTuple):
    """A group and its limit, in bytes or in processors."""

    path: str
    files: _Files
    limit: float


class Memory(NamedTuple):
    """Bytes that our group uses, and what part of the limit or of the machine is used, between 0 and 1."""

    usage: float | None
    share: float | None


class Container:
    """The container that this process runs in."""

    def __init__(self, root: Path = Path("/")) -> None:
        self._root = str(root).rstrip("/")
        self._look_at = 0.0
        self._processors = 1.0
        self._own: tuple[str, _Files] | None = None
        self._memory: list[_Group] = []
        self._cpu: list[_Group] = []
        # When, and what had been used by then, by the path of a group; empty for the machine.
        self._before: dict[str, tuple[float, float]] = {}

    def memory(self) -> Memory:
        """Return what is used of memory; the share is without the cache that the kernel can give back."""
        self._look()
        usage = _number(f"{self._own[0]}/{self._own[1].memory}") if self._own is not None else None
        shares = [share for group in self._memory if (share := _memory_share(group)) is not None]
        return Memory(usage, max(shares) if shares else self._machine_memory()[1])

    def processors(self) -> float:
        """Return how many processors may be busy at once."""
        self._look()
        return min([self._processors, *(group.limit for group in self._cpu)])

    def cpu_share(self) -> float | None:
        """Return what part of the processors was busy since the last call, ``None`` at the first one."""
        self._look()
        if not self._cpu:
            return self._machine_cpu()
        shares = [share for group in self._cpu if (share := self._cpu_share(group)) is not None]
        return max(shares, default=None)

    def _cpu_share(self, group: _Group) -> float | None:
        used = _number(f"{group.path}/{group.files.cpu}")
        if used is None:
            return None
        busy = self._since(group.path, monotonic(), used / group.files.per_second)
        return busy / group.limit if busy is not None else None

    def _machine_cpu(self) -> float | None:
        # user nice system idle iowait …: https://man7.org/linux/man-pages/man5/proc_stat.5.html
        line = contents(f"{self._root}/proc/stat").split(b"\n", 1)[0]
        ticks = [_digits(field) or 0.0 for field in line.split()[1:9]]
        if len(ticks) < 5:
            return None
        return self._since("", sum(ticks), sum(ticks) - ticks[3] - ticks[4])

    def _since(self, key: str, at: float, used: float) -> float | None:
        """Return how much was used since the last time, for each unit of what has passed."""
        before = self._before.get(key)
        self._before[key] = (at, used)
        if before is None or at <= before[0]:
            return None
        return max(used - before[1], 0.0) / (at - before[0])

    def _machine_memory(self) -> tuple[float, float | None]:
        """Return the bytes of the machine, and what part is used."""
        found: dict[bytes, float] = {}
        for line in contents(f"{self._root}/proc/meminfo").split(b"\n", 5)[:5]:
            name, _, number = line.partition(b":")
            found[name] = (_digits(number.removesuffix(b"kB")) or 0.0) * 1024
        total, available = found.get(b"MemTotal", 0.0), found.get(b"MemAvailable")
        return total, 1 - available / total if total and available is not None else None

    def _look(self) -> None:
        """Find our groups and their limits, once in a while."""
        if monotonic() < self._look_at:
            return
        self._look_at = monotonic() + LIMITS_FOR
        self._processors = float(len(os.sched_getaffinity(0)))
        machine = self._machine_memory()[0] or float("inf")
        hierarchies = _hierarchies(self._root)
        own = [
            (path, files)
            for path, files in _upwards(hierarchies, "memory")
            if _number(f"{path}/{files.memory}") is not None
        ]
        self._own = own[0] if own else None
        self._memory = [
            _Group(path, files, limit)
            for path, files in own
            if (limit := _number(f"{path}/{files.memory_limit}")) is not None and 0 < limit < machine
        ]
        self._cpu = [
            _Group(_accounts(path, hierarchies, files), files, limit)
            for path, files in _upwards(hierarchies, "cpu")
            if (limit := _quota(path, files)) is not None and 0 < limit < self._processors
        ]


# By controller: the directory of its hierarchy, and our group's path in it. That of version 2 has no name.
_Hierarchies = dict[str, tuple[str, str]]


def _hierarchies(root: str) -> _Hierarchies:
    base, found = f"{root}/sys/fs/cgroup", {}
    for line in contents(f"{root}/proc/self/cgroup").decode("utf-8", "replace").splitlines():
        controllers, _, path = line.partition(":")[2].partition(":")
        for controller in controllers.split(","):
            mounts = (f"{base}/{controllers}".rstrip("/"), f"{base}/{controller}")
            found[controller] = (next(filter(isdir, mounts), mounts[0]), path)
    return found


def _upwards(hierarchies: _Hierarchies, controller: str) -> Iterator[tuple[str, _Files]]:
    """Yield our group and those above it, as far as they can be seen from here."""
    files = _V1 if controller in hierarchies else _V2
    base, path = hierarchies.get(controller, hierarchies.get("", ("", "")))
    # From outside of its own namespace (``/../x``) no name leads anywhere, and what is mounted is our own.
    parts = [] if ".." in path.split("/") else [part for part in path.split("/") if part]
    while base:
        found = "/".join([base, *parts])
        if isdir(found):  # noqa: PTH112 - says no to whatever is no path
            yield found, files
        if not parts:
            return
        parts.pop()


def _accounts(path: str, hierarchies: _Hierarchies, files: _Files) -> str:
    """Return where the time of a group is counted: in version 1 by a controller of its own."""
    if files is _V2:
        return path
    base, accounts = hierarchies["cpu"][0], hierarchies.get("cpuacct", hierarchies["cpu"])[0]
    return accounts + path.removeprefix(base)


def _quota(path: str, files: _Files) -> float | None:
    """Return how many processors a group may use, ``None`` for as many as there are."""
    if files is _V2:
        quota, _, period = contents(f"{path}/cpu.max").partition(b" ")
    else:
        quota, period = contents(f"{path}/cpu.cfs_quota_us"), contents(f"{path}/cpu.cfs_period_us")
    limit, length = _digits(quota), _digits(period)
    return limit / length if limit and length else None


def _memory_share(group: _Group) -> float | None:
    usage = _number(f"{group.path}/{group.files.memory}")
    if usage is None:
        return None
    _, _, rest = contents(f"{group.path}/memory.stat").partition(group.files.reclaimable)
    reclaimable = _digits(rest.split(b"\n", 1)[0]) or 0.0
    return max(usage - reclaimable, 0.0) / group.limit


def _number(path: str) -> float | None:
    """Return the first number of a file, ``None`` for ``max`` and for a file that is not there."""
    line = contents(path).split(b"\n", 1)[0]
    return _digits(line.rpartition(b" ")[2])


def _digits(text: bytes) -> float | None:
    text = text.strip()
    return float(text) if text.isdigit() else None


def contents(path: str) -> bytes:
    """Return the beginning of a small file, nothing of one that cannot be read."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except (OSError, ValueError):
        return b""
    try:
        return os.read(descriptor, 16_384)
    except OSError:
        return b""
    finally:
        os.close(descriptor)
