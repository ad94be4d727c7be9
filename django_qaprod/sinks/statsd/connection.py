"""The connection to the daemon: made when it is needed, bounded in time, made anew after an error."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from time import monotonic, sleep
from typing import NoReturn, TypeAlias

from ...exceptions import SinkUnavailableError
from ...options import StatsD
from .clients import TCP, UDP, Unix
from .resolving import FRESH_FOR, Resolver

Client: TypeAlias = UDP | TCP | Unix

#: Seconds that a connection may take, and that a name may.
CONNECT_WITHIN = 2.0
#: So many packets go out by UDP at once, and then nothing does for so many seconds: a daemon's buffer holds
#: about ninety packets (Linux's default, 212,992 bytes), and what does not fit is lost.
BURST, PAUSE = 16, 0.005


class Connection:
    """Hands packets to the daemon.

    What a stream was interrupted in goes on where it stopped, as long as the connection lives.
    """

    def __init__(self, chosen: StatsD) -> None:
        self._chosen = chosen
        self._resolver = Resolver(chosen.host)
        self._client: Client | None = None
        self._made_at = 0.0
        # Of the packet that is being handed over, how many bytes have gone.
        self._gone = 0
        self._packets = 0
        # Which of several addresses is the first to be tried.
        self._turn = 0

    def send(self, packet: bytes, deadline: float) -> None:
        """Hand over a packet by ``deadline`` (monotonic seconds).

        Raises ``SinkUnavailableError``; then give the same packet again first, or ``close``.
        """
        client = self._client or self._connect(deadline)
        data = packet + b"\n" if client.streams else packet
        try:
            while self._gone < len(data):
                self._gone += client.hand_over(data[self._gone :], _left(deadline))
        except TimeoutError as error:
            raise SinkUnavailableError(f"StatsD: {self._where} takes no more for now.") from error
        except OSError as error:
            self._fail(error)
        self._gone = 0
        self._pace()

    def refresh(self) -> None:
        """Let go of a connection that the daemon has closed, or whose name may lead elsewhere by now."""
        if self._client is None:
            return
        outdated = not self._client.streams and monotonic() - self._made_at > FRESH_FOR
        if outdated or self._client.is_closed():
            self.close()

    def close(self) -> None:
        """Close the connection; the next packet makes another."""
        if self._client is not None:
            self._client.close()
        self._client, self._gone = None, 0

    def _connect(self, deadline: float) -> Client:
        ways = self._ways(min(deadline, monotonic() + CONNECT_WITHIN))
        for number, way in enumerate(ways, 1):
            try:
                self._client = way(min(_left(deadline), CONNECT_WITHIN))
            except OSError as error:
                if number == len(ways):
                    self._fail(error)
            else:
                break
        assert self._client is not None
        self._made_at = monotonic()
        return self._client

    def _ways(self, deadline: float) -> list[Callable[[float], Client]]:
        """Return what makes a client, given how many seconds it may take: one for each address."""
        chosen = self._chosen
        if chosen.protocol == "unix":
            return [partial(Unix, chosen.path)]
        found = self._resolver.addresses(deadline)
        first = self._turn % len(found)
        kind = UDP if chosen.protocol == "udp" else TCP
        return [partial(kind, address, chosen.port) for address in (*found[first:], *found[:first])]

    def _fail(self, error: OSError) -> NoReturn:
        self.close()
        self._resolver.forget()
        self._turn += 1
        words = error.strerror or str(error) or type(error).__name__
        raise SinkUnavailableError(f"StatsD: {self._where} cannot be reached ({words}).") from error

    def _pace(self) -> None:
        if self._chosen.protocol == "udp":
            self._packets += 1
            if self._packets % BURST == 0:
                sleep(PAUSE)

    @property
    def _where(self) -> str:
        chosen = self._chosen
        if chosen.protocol == "unix":
            return f"the socket {chosen.path}"
        return f"{chosen.protocol} {chosen.host}:{chosen.port}"


def _left(deadline: float) -> float:
    left = deadline - monotonic()
    if left <= 0:
        raise TimeoutError
    return left
