"""How threads of ours begin."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextvars import Context
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


def start(thread: threading.Thread) -> None:
    """Start a thread that knows nothing of what is being served: not its span, not its scope, not its user.

    Tracers hand what is current on to each thread, and ours would keep the first request's for good. Raises
    ``RuntimeError`` where the machine has no thread left.
    """
    apart(thread.start)


def apart(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Call what starts threads of its own, so that these know nothing of what is being served either."""
    return Context().run(function, *args, **kwargs)
