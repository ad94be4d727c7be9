"""Calls that end in time as far as their caller is concerned, whatever they wait for."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Any, Generic, TypeVar, cast

from ..exceptions import ChannelError
from ..pipeline import guard, threads

R = TypeVar("R")

#: Calls of one kind that may be left to themselves; then there is no other before one of them ends.
MOST_LEFT = 3

_lock = threading.Lock()
_left: dict[str, list[threading.Thread]] = {}


def call(
    function: Callable[..., R], *arguments: Any, within: float, what: str, late: str = "it took too long"
) -> R:
    """Call a function in a thread of its own and wait for it, at most so many seconds.

    One that does not come back in time is left to itself. ``what`` is the kind of call. Raises what the
    function raises, and ``ChannelError`` when it does not come back.
    """
    with _lock:
        busy = _left[what] = [thread for thread in _left.get(what, []) if thread.is_alive()]
        if len(busy) >= MOST_LEFT:
            raise ChannelError(f"{len(busy)} earlier ones have not come back yet.", unsent=True)
    outcome: _Outcome[R] = _Outcome(function, arguments)
    thread = threading.Thread(target=outcome.run, name="qaprod-call", daemon=True)
    threads.start(thread)
    thread.join(max(within, 0))
    if thread.is_alive():
        with _lock:
            _left.setdefault(what, []).append(thread)
        raise ChannelError(f"{late[:1].upper()}{late[1:]} ({within:.0f} s).")
    if outcome.error is not None:
        raise outcome.error
    return cast("R", outcome.value)


class _Outcome(Generic[R]):
    """What became of a call."""

    error: Exception | None = None
    value: R | None = None

    def __init__(self, function: Callable[..., R], arguments: tuple[Any, ...]) -> None:
        self._function = function
        self._arguments = arguments

    def run(self) -> None:
        try:
            # Ours, as far as capture is concerned: what is logged there is no failure of the host's.
            with guard.ours():
                self.value = self._function(*self._arguments)
        except Exception as error:  # noqa: BLE001 - handed to the caller's thread
            self.error = error
        except BaseException as error:  # noqa: BLE001 - what ends a thread has not done what was asked for
            self.error = ChannelError(f"{type(error).__name__}: {error}")


def _begin_afresh() -> None:
    global _lock, _left
    # A child has none of its parent's threads, and a lock that was held then would stay so.
    _lock, _left = threading.Lock(), {}


os.register_at_fork(after_in_child=_begin_afresh)
