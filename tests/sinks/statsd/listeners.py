"""Sockets that a daemon could listen on: they keep what comes, or do not read it."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from pathlib import Path
from typing import Self

from tests.servers import wait_until


class Datagrams:
    """A socket for datagrams: UDP, or a path of this machine."""

    def __init__(self, at: str | Path = "127.0.0.1", port: int = 0) -> None:
        if isinstance(at, Path):
            self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            self.socket.bind(str(at))
        else:
            self.socket = socket.socket(socket.AF_INET6 if ":" in at else socket.AF_INET, socket.SOCK_DGRAM)
            self.socket.bind((at, port))
            self.port: int = self.socket.getsockname()[1]
        self.socket.settimeout(60)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *args: object) -> None:
        self.socket.close()

    def take(self) -> bytes:
        """Return the next packet."""
        return self.socket.recv(65_535)

    def take_all(self) -> list[bytes]:
        """Return the packets that are there."""
        self.socket.setblocking(False)
        found = []
        with suppress(BlockingIOError):
            while True:
                found.append(self.take())
        return found


def _end(one: socket.socket) -> None:
    with suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    one.close()


class Stream:
    """A socket for streams, TCP or a path; ``read`` says how many bytes it takes at a time, if any."""

    def __init__(self, at: str | Path = "127.0.0.1", port: int = 0, *, backlog: int = 8) -> None:
        if isinstance(at, Path):
            self.listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self.listening.bind(str(at))
        else:
            self.listening = socket.socket()
            self.listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            # Little room, so that it is soon full.
            self.listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            self.listening.bind((at, port))
            self.port: int = self.listening.getsockname()[1]
        self.listening.listen(backlog)
        self.received = b""
        self.connections: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._accepting: threading.Thread | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *args: object) -> None:
        self.close()

    def read(self) -> Self:
        """Accept connections and read all that comes, from now on."""
        self._accepting = self._start(self._accept)
        return self

    def accept(self) -> socket.socket:
        """Accept one connection, and do not read."""
        connection, _ = self.listening.accept()
        self.connections.append(connection)
        return connection

    def drain(self, connection: socket.socket) -> None:
        """Read all that comes over a connection, from now on."""
        self._start(self._read, connection)

    def close(self) -> None:
        """End everything, as a daemon does that is killed."""
        _end(self.listening)
        # It may have accepted one more at this moment.
        if self._accepting is not None:
            self._accepting.join(60)
        for connection in self.connections:
            _end(connection)
        for thread in self._threads:
            thread.join(60)

    def lines(self, how_many: int) -> list[bytes]:
        """Return what was received, as soon as it is so many lines."""
        wait_until(lambda: self.received.count(b"\n") >= how_many, what=f"{how_many} lines arrive")
        return self.received.splitlines()

    def _start(self, target: object, *arguments: object) -> threading.Thread:
        thread = threading.Thread(target=target, args=arguments, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()
        return thread

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                self.drain(self.accept())

    def _read(self, connection: socket.socket) -> None:
        with suppress(OSError):
            while data := connection.recv(65_535):
                self.received += data
