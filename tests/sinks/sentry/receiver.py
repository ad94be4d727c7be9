"""A place that takes envelopes, and answers as it is told."""

from __future__ import annotations

import gzip
import json
import ssl
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from email.message import Message
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from typing import Any, Self

_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Receiver:
    """Answers 200, or with what is next in ``answers``; each is a status and headers.

    With ``behind`` it hands on to the server at that address, and answers as that does.
    """

    def __init__(self, *, behind: str = "", tls: ssl.SSLContext | None = None) -> None:
        self.behind = behind
        self.answers: list[tuple[int, Mapping[str, str]]] = []
        #: Seconds between two bytes of an answer.
        self.drips = 0.0
        #: The bodies of what came, unpacked, and the headers.
        self.bodies: list[bytes] = []
        self.headers: list[Mapping[str, str]] = []
        self.connections = 0
        self._server = _Server(("127.0.0.1", 0), partial(_Handler, self))
        self._scheme = "http"
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
            self._scheme = "https"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *args: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def dsn(self) -> str:
        """The DSN of its project 1."""
        return self.dsn_of("key")

    def dsn_of(self, key: str) -> str:
        """Return the DSN of its project 1 with a key."""
        return f"{self._scheme}://{key}@127.0.0.1:{self._server.server_port}/1"

    @property
    def events(self) -> list[dict[str, Any]]:
        """The events that it has taken, and not what else may come in envelopes."""
        items = [item for body in list(self.bodies) for item in pairwise(body.splitlines()[1:])]
        return [json.loads(payload) for head, payload in items if head.startswith(b'{"type":"event"')]

    def take(self, body: bytes, headers: Message) -> tuple[int, Mapping[str, str]]:
        """Take a request, and return how it is answered."""
        status, answer = self.answers.pop(0) if self.answers else (200, {})
        if self.behind:
            status = self._hand_on(body, headers)
        if status == 200:
            zipped = headers["Content-Encoding"] == "gzip"
            self.bodies.append(gzip.decompress(body) if zipped else body)
            self.headers.append(dict(headers))
        return status, answer

    def _hand_on(self, body: bytes, headers: Message) -> int:
        handed = ("Content-Type", "Content-Encoding", "X-Sentry-Auth", "User-Agent")
        request = urllib.request.Request(
            f"{self.behind}/api/1/envelope/",
            data=body,
            headers={name: headers[name] for name in handed if name in headers},
        )
        try:
            with _opener.open(request, timeout=60) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            with error:
                return int(error.code)


class _Server(ThreadingHTTPServer):
    def handle_error(self, *args: object) -> None:
        """Whoever has sent something need not wait for the answer."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def __init__(self, receiver: Receiver, *args: Any) -> None:
        self._receiver = receiver
        receiver.connections += 1
        super().__init__(*args)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        status, headers = self._receiver.take(body, self.headers)
        self.send_response(status)
        for name, value in {**headers, "Content-Length": "2"}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(b"{}")

    def flush_headers(self) -> None:
        head, self._headers_buffer = b"".join(self._headers_buffer), []
        step = 1 if self._receiver.drips else len(head)
        for begin in range(0, len(head), step):
            self.wfile.write(head[begin : begin + step])
            time.sleep(self._receiver.drips)

    def log_message(self, *args: object) -> None:
        pass
