"""A real HTTP server that takes webhooks, answers what it is told to, and remembers what came."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """One request."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Receiver:
    """Listens on a port of 127.0.0.1. ``status``, ``headers`` and ``body`` are its answer.

    With ``drips`` it sends a byte at a time, as long as somebody reads; with ``held`` it answers when that
    is set.
    """

    def __init__(self, *, context: ssl.SSLContext | None = None) -> None:
        self.status, self.body, self.drips = 200, b"{}", False
        self.headers: dict[str, str] = {}
        self.held: threading.Event | None = None
        self.received: list[Received] = []
        self._closed = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._server.handle_error = lambda *args: None  # type: ignore[method-assign]
        if context is not None:
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.port: int = self._server.server_address[1]

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *args: object) -> None:
        self._closed.set()
        if self.held is not None:
            self.held.set()
        self._server.shutdown()
        self._server.server_close()

    @property
    def last(self) -> Received:
        return self.received[-1]

    def url(self, path: str = "/hook", *, host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}{path}"

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                request = Received(
                    method=self.command,
                    path=self.path,
                    headers={key.lower(): value for key, value in self.headers.items()},
                    body=self.rfile.read(length),
                )
                receiver.received.append(request)
                if receiver.held is not None:
                    receiver.held.wait(30)
                self.send_response(receiver.status)
                for key, value in receiver.headers.items():
                    self.send_header(key, value)
                if receiver.drips:
                    self.end_headers()
                    while not receiver._closed.wait(0.01):
                        self.wfile.write(b"x")
                else:
                    self.send_header("Content-Length", str(len(receiver.body)))
                    self.end_headers()
                    self.wfile.write(receiver.body)

            do_GET = do_POST  # noqa: N815 - the library's name

            def log_message(self, *args: object) -> None: ...

        return Handler
