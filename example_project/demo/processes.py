"""The demo's processes: started in groups of their own, ended together."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

LOOPBACK = "127.0.0.1"
_PR_SET_PDEATHSIG = 1


@dataclass(slots=True, kw_only=True)
class Child:
    """A process, which leads a group of its own, with how many seconds it may take to end in order."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path
    grace: float

    @property
    def ended(self) -> bool:
        """Whether it has ended."""
        return self.process.poll() is not None

    def tail(self, lines: int = 15) -> str:
        """Return the last lines that it wrote."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])


@dataclass(slots=True, kw_only=True)
class Family:
    """All processes that were started, the first one first."""

    logs: Path
    environment: Mapping[str, str]
    children: list[Child] = field(default_factory=list)

    def start(
        self,
        name: str,
        arguments: Sequence[str],
        *,
        grace: float = 5.0,
        by: str = sys.executable,
        environment: Mapping[str, str] | None = None,
    ) -> Child:
        """Start a program ``by`` another, our Python: ``arguments`` are those behind its name.

        ``environment`` stands in for that of the family.
        """
        log = self.logs / f"{name.replace(' ', '-')}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [by, *arguments],
                env=dict(self.environment if environment is None else environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                # Ctrl-C is for the one who ends the others in order.
                start_new_session=True,
                # The demo has one thread.
                preexec_fn=_end_with_parent if _prctl is not None else None,  # noqa: PLW1509
            )
        child = Child(name=name, process=process, log=log, grace=grace)
        self.children.append(child)
        return child

    def end(self) -> None:
        """End all of them, the last one first, so that nobody misses who was there before."""
        try:
            for child in reversed(self.children):
                _signal(child, signal.SIGTERM)
                with suppress(subprocess.TimeoutExpired):
                    child.process.wait(timeout=child.grace)
        finally:
            self.kill()

    def kill(self) -> None:
        """End whatever is left of them, at once."""
        for child in self.children:
            # The group, too: a master that was killed may have left its workers.
            _signal(child, signal.SIGKILL)
            child.process.wait()


def free_port(wanted: int) -> int:
    """Return a loopback port: the one wanted if nobody has it, else any that is free."""
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with suppress(OSError):
                probe.bind((LOOPBACK, port))
                return int(probe.getsockname()[1])
    raise OSError("There is no free port on the loopback interface.")


def wait_for_port(port: int, child: Child, *, seconds: float = 60.0) -> None:
    """Wait until something listens.

    Raises ``RuntimeError`` with what the process wrote when it ends or takes too long.
    """
    deadline = time.monotonic() + seconds
    while not _listens(port):
        if child.ended or time.monotonic() > deadline:
            raise RuntimeError(f"{child.name} did not start:\n{child.tail()}")
        time.sleep(0.05)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex((LOOPBACK, port)) == 0


def _signal(child: Child, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(child.process.pid, number)


# Looked up before the fork, behind which hardly anything is safe.
_prctl = getattr(ctypes.CDLL(None), "prctl", None) if sys.platform == "linux" else None


def _end_with_parent() -> None:
    # Even if the parent is killed with -9, nothing that it started stays behind (Linux).
    assert _prctl is not None
    _prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
