"""Where a host name leads: asked for in a thread of its own, and remembered for a minute."""

from __future__ import annotations

import socket
import threading
from time import monotonic

from ...exceptions import SinkUnavailableError

#: An address in figures, and whether it is of IPv6.
Address = tuple[str, bool]

#: Seconds for which an answer is remembered.
FRESH_FOR = 60.0

_IN_FIGURES = socket.NI_NUMERICHOST | socket.NI_NUMERICSERV


class Resolver:
    """The addresses of a host, those of IPv4 first: by default the original daemon listens on no other."""

    def __init__(self, host: str) -> None:
        self._host = host
        self._found: tuple[Address, ...] = ()
        self._error = ""
        self._fresh_until = 0.0
        self._question: _Question | None = None

    def addresses(self, deadline: float) -> tuple[Address, ...]:
        """Return the addresses; while they cannot be found out, those of the last time.

        Raises ``SinkUnavailableError`` when there are none by ``deadline`` (monotonic seconds). An answer
        that comes later serves the next call.
        """
        if monotonic() >= self._fresh_until:
            self._ask(deadline)
        if not self._found:
            raise SinkUnavailableError(f"StatsD: the host {self._host!r} cannot be found ({self._error}).")
        return self._found

    def forget(self) -> None:
        """Ask again next time: what was found led nowhere."""
        self._fresh_until = 0.0

    def _ask(self, deadline: float) -> None:
        question = self._question = self._question or _Question(self._host)
        if not question.answered.wait(max(deadline - monotonic(), 0)):
            self._error = "no answer yet"
            return
        self._question, self._error = None, question.error
        if question.found:
            self._found, self._fresh_until = question.found, monotonic() + FRESH_FOR


class _Question:
    """One look-up. Nothing bounds how long ``getaddrinfo`` takes, so nobody waits for its end."""

    def __init__(self, host: str) -> None:
        self.found: tuple[Address, ...] = ()
        self.error = ""
        self.answered = threading.Event()
        threading.Thread(target=self._ask, args=(host,), name="qaprod-statsd-name", daemon=True).start()

    def _ask(self, host: str) -> None:
        try:
            self.found = _look_up(host)
        except (OSError, ValueError) as error:
            self.error = getattr(error, "strerror", None) or type(error).__name__
        finally:
            self.answered.set()


def _look_up(host: str) -> tuple[Address, ...]:
    found = socket.getaddrinfo(host, None, type=socket.SOCK_DGRAM)
    # In figures an address of IPv6 keeps its scope, which only the tuple has otherwise.
    figures = {
        (socket.getnameinfo(address, _IN_FIGURES)[0], family == socket.AF_INET6): None
        for family, _, _, _, address in found
    }
    return tuple(sorted(figures, key=lambda address: address[1]))
