"""Places to send to, on loopback: some answer as a test says, some do not do what they should."""

from __future__ import annotations

import gzip
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import IO, Literal, Self

Mode = Literal["well", "refusing", "black hole", "busy", "broken", "dripping"]

#: What may be wrong with a place that is there, beside being well.
MODES: tuple[Mode, ...] = ("refusing", "black hole", "busy", "broken", "dripping")

_STATUS = {"busy": "429 Too Many Requests", "broken": "500 Internal Server Error"}
_HEADERS = {"busy": "Retry-After: 1\r\n"}


@contextmanager
def answering(answer: Callable[[str, Message, bytes], int]) -> Iterator[int]:
    """Answer POSTs until the block ends, by a function of request line, headers and body; yield the port.

    The function returns the status. Bodies that were compressed are not any more.
    """

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            self.send_response(answer(self.requestline, self.headers, body))
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class Endpoint:
    """A TCP port that answers HTTP, or only reads lines, in the way that ``mode`` says.

    ``refusing`` listens not at all; a ``black hole`` accepts what the kernel accepts for it and never reads;
    ``busy`` answers 429, ``broken`` 500; ``dripping`` sends one byte of its answer a second.
    """

    def __init__(self, *, http: bool = True) -> None:
        self.port = 0
        self.mode: Mode = "well"
        #: What came while it was well, a request or a line each.
        self.received: list[bytes] = []
        self._http = http
        self._listening: socket.socket | None = None
        self._open: list[socket.socket] = []
        self._closed = False

    def __enter__(self) -> Self:
        self._listen()
        return self

    def __exit__(self, *args: object) -> None:
        self._closed = True
        self._hang_up()

    def be(self, mode: Mode) -> None:
        """Change the mode; connections are cut, as when a server is replaced."""
        self._hang_up()
        self.mode = mode
        if mode != "refusing":
            self._listen()

    def holds(self, words: bytes) -> bool:
        """Return whether something that came holds these words."""
        return any(words in one for one in list(self.received))

    def _listen(self) -> None:
        listening = socket.socket()
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(("127.0.0.1", self.port))
        listening.listen(0 if self.mode == "black hole" else 64)
        self.port = listening.getsockname()[1]
        self._listening = listening
        if self.mode != "black hole":
            threading.Thread(target=self._accept, args=(listening,), daemon=True).start()

    def _hang_up(self) -> None:
        for one in (self._listening, *self._open):
            if one is not None:
                # Wakes who waits in accept() or recv().
                with suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
                one.close()
        self._listening, self._open = None, []

    def _accept(self, listening: socket.socket) -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            self._open.append(connection)
            serve = self._serve_http if self._http else self._serve_lines
            threading.Thread(target=self._guarded, args=(serve, connection), daemon=True).start()

    def _guarded(self, serve: Callable[[socket.socket], None], connection: socket.socket) -> None:
        with suppress(OSError), connection:
            serve(connection)

    def _serve_lines(self, connection: socket.socket) -> None:
        with connection.makefile("rb") as file:
            while line := (file.read(1) if self.mode == "dripping" else file.readline()):
                if self.mode == "dripping":
                    time.sleep(1)
                else:
                    self.received.append(line)

    def _serve_http(self, connection: socket.socket) -> None:
        with connection.makefile("rb") as file:
            while self._one_request(connection, file):
                pass

    def _one_request(self, connection: socket.socket, file: IO[bytes]) -> bool:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            line = file.readline()
            if not line:
                return False
            head += line
        lengths = [
            int(line.partition(b":")[2])
            for line in head.splitlines()
            if line.lower().startswith(b"content-length:")
        ]
        body = file.read(lengths[0]) if lengths else b""
        mode = self.mode
        if mode == "well":
            zipped = b"content-encoding: gzip" in head.lower()
            self.received.append(head + (gzip.decompress(body) if zipped else body))
        status = _STATUS.get(mode, "200 OK")
        answer = f"HTTP/1.1 {status}\r\n{_HEADERS.get(mode, '')}Content-Length: 2\r\n\r\n{{}}".encode()
        if mode == "dripping":
            for byte in answer:
                connection.sendall(bytes([byte]))
                time.sleep(1)
        else:
            connection.sendall(answer)
        return True
