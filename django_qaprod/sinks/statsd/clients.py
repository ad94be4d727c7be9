"""The clients of the package ``statsd``, of which we use the sockets.

They know how each kind is made, but wait without end or keep errors to themselves. So each is changed where
it must be: the one for UDP, which swallows every error, is connected, by which the kernel tells that nobody
listens; the one for TCP learns to give up; the one for Unix sockets, which knows only streams, tries
datagrams first. Names are looked up elsewhere (``resolving``): the clients would look one up while they are
made, or at each connection, for as long as that takes.

Their ``incr`` and ``timing`` are not used: they draw by lot whether a value with a rate is sent, and know no
tags. Nor are their pipelines, which lose what they were about to send when that fails.
"""

from __future__ import annotations

import errno
import os
import socket

from statsd import StatsClient, TCPStatsClient, UnixSocketStatsClient

from .resolving import Address

#: Seconds after which the kernel gives up a connection whose other end confirms nothing.
UNCONFIRMED_FOR = 30


class _Sending:
    """What the clients do instead of ``_send``: tell how much the kernel has taken, and fail when it does."""

    _sock: socket.socket
    #: Whether packets run together, so that each has to end with a newline.
    streams = True

    def hand_over(self, data: bytes, within: float) -> int:
        """Return how many bytes were taken. Raises ``TimeoutError`` when none were within so many seconds."""
        self._sock.settimeout(within)
        return self._sock.send(data)

    def is_closed(self) -> bool:
        """Whether the other end has closed: the kernel would take what is sent, and nobody would read it."""
        self._sock.setblocking(False)
        try:
            return not self._sock.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return False
        except OSError:
            return True


class UDP(_Sending, StatsClient):  # type: ignore[misc]
    """Sends to one address, and is told when nobody listens there."""

    streams = False

    def __init__(self, address: Address, port: int, within: float) -> None:
        host, is_ipv6 = address
        super().__init__(host, port, ipv6=is_ipv6)
        self._sock.settimeout(within)
        _connect(self)

    def connect(self) -> None:
        """Have the kernel tell what becomes of packets; nothing is sent."""
        self._sock.connect(self._addr)

    def hand_over(self, data: bytes, within: float) -> int:
        """Return how many bytes were taken; on this machine the answer that nobody listens comes at once."""
        taken = super().hand_over(data, within)
        if error := self._sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            raise OSError(error, os.strerror(error))
        return taken

    def is_closed(self) -> bool:
        """Whether the other end has closed, which here nobody knows."""
        return False


class TCP(_Sending, TCPStatsClient):  # type: ignore[misc]
    """Sends over a connection that is given up when the other end is gone without a word."""

    def __init__(self, address: Address, port: int, within: float) -> None:
        host, is_ipv6 = address
        super().__init__(host, port, timeout=within, ipv6=is_ipv6)
        _connect(self)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNCONFIRMED_FOR * 1000)


class Unix(_Sending, UnixSocketStatsClient):  # type: ignore[misc]
    """Sends to a socket of this machine, which may be one for datagrams or one for streams."""

    def __init__(self, path: str, within: float) -> None:
        super().__init__(path, timeout=within)
        _connect(self)

    def connect(self) -> None:
        """Connect in the way that the socket was made for."""
        self._sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._sock.settimeout(self._timeout)
        try:
            self._sock.connect(self._socket_path)
        except OSError as error:
            if error.errno != errno.EPROTOTYPE:
                raise
            self._sock.close()
            super().connect()
        else:
            self.streams = False


def _connect(client: UDP | TCP | Unix) -> None:
    try:
        client.connect()
    except OSError:
        client.close()
        raise
