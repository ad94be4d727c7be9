"""How threads of ours begin."""

from __future__ import annotations

import threading
from contextvars import Context


def start(thread: threading.Thread) -> None:
    """Start a thread that knows nothing of what is being served: not its span, not its scope, not its user.

    Tracers hand what is current on to each thread, and ours would keep the first request's for good. Raises
    ``RuntimeError`` where the machine has no thread left.
    """
    Context().run(thread.start)
