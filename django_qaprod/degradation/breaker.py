"""The circuit breaker: visitors do not each wait for the same timeout.

After Michael Nygard, "Release It!" (2007): closed while calls succeed; open after ``trip_after`` failures in
a row; half open while one call probes whether the dependency is back.
"""

from __future__ import annotations

import os
import threading
from datetime import timedelta
from time import monotonic
from typing import Any, Final, Literal
from weakref import WeakSet

from ..exceptions import DeclarationError, QAProdError
from ..text import JSONValue

State = Literal["closed", "open", "half-open"]

#: The ticket of a call that may not be made.
REFUSED: Final = -1

_breakers: WeakSet[CircuitBreaker] = WeakSet()


class CircuitOpenError(QAProdError):
    """A call was not made because the breaker named ``breaker`` is open. Given to fallbacks, never raised."""

    def __init__(self, breaker: str) -> None:
        super().__init__(f"The circuit breaker {breaker!r} is open: the call was not made.")
        self.breaker = breaker


class CircuitBreaker:
    """Counts failures of one dependency in this process; hand the same one to all that call it.

    ``trip_after`` failures in a row open it. From then on one call in every ``retry_after`` (a ``timedelta``,
    or seconds) is let through as a probe: its success closes the breaker. A probe that never returns does
    not hold the place for ever: after ``retry_after`` the next one goes. Safe between threads and tasks.
    """

    def __init__(self, *, trip_after: int, retry_after: timedelta | float, name: str = "") -> None:
        seconds: Any = retry_after.total_seconds() if isinstance(retry_after, timedelta) else retry_after
        if type(trip_after) is not int or trip_after < 1:
            raise DeclarationError(f"trip_after is a number of failures, 1 or more, not {trip_after!r}.")
        if type(seconds) not in (int, float) or not seconds > 0:
            raise DeclarationError(f"retry_after is a timedelta or seconds, above 0, not {retry_after!r}.")
        self.name = name
        self.trip_after = trip_after
        self.retry_after = float(seconds)
        self._lock = threading.Lock()
        # Of the calls that began under another number, nothing is learnt: they began before things changed.
        self._generation = 0
        self._failures = 0
        self._retry_at: float | None = None
        self._probing = False
        _breakers.add(self)

    def __repr__(self) -> str:
        return f"<CircuitBreaker {self.name!r} {self.state}>"

    @property
    def state(self) -> State:
        """``closed``, ``open``, or ``half-open`` while a probe is under way."""
        if self._retry_at is None:
            return "closed"
        return "half-open" if self._probing else "open"

    def enter(self) -> int:
        """Ask for a call; return the ticket to hand to ``succeeded`` or ``failed``, ``REFUSED`` for none."""
        if self._retry_at is None:
            return self._generation
        with self._lock:
            now = monotonic()
            if self._retry_at is not None:
                if now < self._retry_at:
                    return REFUSED
                self._generation += 1
                self._retry_at = now + self.retry_after
                self._probing = True
            return self._generation

    def succeeded(self, ticket: int) -> None:
        """Tell that the call went well."""
        if not self._failures and self._retry_at is None:
            return
        with self._lock:
            if ticket != self._generation:
                return
            self._failures = 0
            if self._retry_at is not None:
                self._generation += 1
                self._retry_at = None
                self._probing = False

    def failed(self, ticket: int) -> None:
        """Tell that the call failed."""
        with self._lock:
            if ticket != self._generation:
                return
            self._failures += 1
            if self._probing or self._failures >= self.trip_after:
                self._generation += 1
                self._retry_at = monotonic() + self.retry_after
                self._probing = False

    def reset(self) -> None:
        """Close it and forget what was counted. For tests, and for people who know more."""
        with self._lock:
            self._generation += 1
            self._failures = 0
            self._retry_at = None
            self._probing = False

    def describe(self) -> dict[str, JSONValue]:
        """Return its state, for the record of a failure."""
        return {
            "name": self.name,
            "state": self.state,
            "failures": self._failures,
            "trip_after": self.trip_after,
        }


def _after_fork() -> None:
    # What another thread of the parent held is held for ever here.
    for breaker in list(_breakers):
        breaker._lock = threading.Lock()


os.register_at_fork(after_in_child=_after_fork)
