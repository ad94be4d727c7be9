"""Swallows what exporters send by HTTP and UDP. Prints its two ports, and ends when stdin does."""

from __future__ import annotations

import json
import socket
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Swallow(BaseHTTPRequestHandler):
    """Answers every POST with 200 and nothing."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args: object) -> None:
        """Say nothing."""


def main() -> None:
    """Listen until nobody listens to us."""
    http = ThreadingHTTPServer(("127.0.0.1", 0), Swallow)
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind(("127.0.0.1", 0))
    threading.Thread(target=http.serve_forever, daemon=True).start()
    threading.Thread(target=_swallow, args=(udp,), daemon=True).start()
    print(json.dumps({"http": http.server_port, "udp": udp.getsockname()[1]}), flush=True)
    sys.stdin.read()


def _swallow(udp: socket.socket) -> None:
    while True:
        udp.recv(65536)


if __name__ == "__main__":
    main()
