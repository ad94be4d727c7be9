"""The sign of life: ``QAPROD["HEARTBEAT_URL"]`` is asked for at each pass, so that somebody misses it."""

from __future__ import annotations

import os
import threading

from ..conf import settings
from ..exceptions import ChannelError
from ..pipeline import guard, process, threads

_busy = threading.Lock()


def wait(within: float) -> None:
    """Wait until the one that is under way has ended, or that many seconds. For cron, whose process ends."""
    if _busy.acquire(timeout=within):
        _busy.release()


def ping() -> None:
    """Ask for the address, if one is set, in a thread of its own: one at a time, and nobody waits for it.

    It may be inside the network: whoever can change the settings can reach it anyway.
    """
    url = settings().heartbeat_url
    if not url or not _busy.acquire(blocking=False):
        return
    try:
        thread = threading.Thread(target=_ask, args=(url, _busy), name="qaprod-heartbeat", daemon=True)
        threads.start(thread)
    except RuntimeError:
        # A process that ends starts no thread.
        _busy.release()


def _ask(url: str, busy: threading.Lock) -> None:
    try:
        with guard.guard("heartbeat"):
            with process.importing:
                from . import safe_http
            answer = safe_http.request("GET", url, allow_private=True)
            if not 200 <= answer.status < 300:
                raise ChannelError(f"HEARTBEAT_URL answered {answer.words}.")
    finally:
        busy.release()


def _begin_afresh() -> None:
    global _busy
    _busy = threading.Lock()


os.register_at_fork(after_in_child=_begin_afresh)
