"""How threads of ours begin."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextvars import Context
from time import monotonic
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

_exit_began: float | None = None


def start(thread: threading.Thread) -> None:
    """Start a thread that knows nothing of what is being served: not its span, not its scope, not its user.

    Tracers hand what is current on to each thread, and ours would keep the first request's for good. Raises
    ``RuntimeError`` where the machine has no thread left.
    """
    apart(thread.start)


def left_at_exit(within: float) -> float:
    """Return what is left of so many seconds since the process began to end: since somebody asked first.

    Everything of ours that is waited for then has one deadline.
    """
    global _exit_began
    now = monotonic()
    _exit_began = _exit_began or now
    return max(_exit_began + within - now, 0.0)


def apart(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Call what starts threads of its own, so that these know nothing of what is being served either."""
    return Context().run(function, *args, **kwargs)
