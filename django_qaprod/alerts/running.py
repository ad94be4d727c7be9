"""Runs a command as if nobody stood in between: its streams, its signals and its exit status are its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any

#: What shells say of a command that is not there, or cannot be run (POSIX, "Exit Status for Commands").
NOT_FOUND, NOT_EXECUTABLE = 127, 126
#: Signals by which people and schedulers speak to a job.
PASSED_ON = tuple(
    getattr(signal, name)
    for name in ("SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGCONT")
    if hasattr(signal, name)
)
_FROM_KEYBOARD = {"SIGINT", "SIGQUIT"}


def run(command: Sequence[str]) -> int:
    """Run a command, wait until it ends and return its exit status, 128 and the number if a signal ended it.

    Signals that arrive meanwhile are passed on. Files that it would have inherited, it inherits.
    """
    child: subprocess.Popen[bytes] | None = None
    early: list[int] = []

    def pass_on(number: int, frame: FrameType | None) -> None:
        if child is None:
            early.append(number)
        elif not _has_it_already(number):
            child.send_signal(number)

    with _handled(pass_on):
        try:
            child = subprocess.Popen(command, close_fds=False)  # noqa: S603 - it is what was asked for
        except OSError as error:
            print(f"{command[0]}: {error.strerror}", file=sys.stderr)  # noqa: T201 - as a shell says it
            return NOT_FOUND if isinstance(error, FileNotFoundError) else NOT_EXECUTABLE
        for number in early:
            child.send_signal(number)
        status = child.wait()
    return status if status >= 0 else 128 - status


@contextmanager
def _handled(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    before: dict[int, Any] = {}
    # Python lets no other thread say what is done about signals, nor do they arrive there.
    in_main = threading.current_thread() is threading.main_thread()
    for number in PASSED_ON if in_main else ():
        # What is ignored, as by ``nohup``, the job ignores as well.
        if signal.getsignal(number) is not signal.SIG_IGN:
            before[number] = signal.signal(number, handler)
    try:
        yield
    finally:
        for number, known in before.items():
            signal.signal(number, known if known is not None else signal.SIG_DFL)


def _has_it_already(number: int) -> bool:
    """Whether the terminal has sent a signal to the job, too: to all in the foreground."""
    if signal.Signals(number).name not in _FROM_KEYBOARD:
        return False
    try:
        with open(os.ctermid(), "rb", buffering=0) as terminal:  # noqa: PTH123 - a device
            return os.tcgetpgrp(terminal.fileno()) == os.getpgrp()
    except OSError:
        return False
