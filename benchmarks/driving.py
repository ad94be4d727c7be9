"""Drives Django's handlers as a server does, without a server: the smallest request that is realistic."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from time import perf_counter, process_time, thread_time
from typing import Any

USER_AGENT = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/142.0.0.0 Safari/537.36"
)
COOKIE = "csrftoken=Vq3GJ0mC8pZ3zvJ7kQe1sT5nB2xWf6Lh; theme=dark"
ACCEPT = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
STATUSES = {"plain": 200, "db": 200, "error": 500}
PATHS = {"plain": "plain/", "db": "vacancies/1/", "error": "broken/"}
# Looking at the clock costs something, too.
AT_ONCE = {"wsgi": 5, "asgi": 1}


@dataclass(frozen=True, slots=True, kw_only=True)
class Burst:
    """What a burst took: CPU seconds of the whole process, and of the thread that drives."""

    requests: int
    process: float
    thread: float


class Wsgi:
    """Calls ``WSGIHandler`` and closes the response, as PEP 3333 demands."""

    prefix = "/"
    interface = "wsgi"

    def __init__(self) -> None:
        from django.core.handlers.wsgi import WSGIHandler

        self.status = 0
        self._handler = WSGIHandler()
        self._environ = {
            "REQUEST_METHOD": "GET",
            "SCRIPT_NAME": "",
            "QUERY_STRING": "",
            "SERVER_NAME": "127.0.0.1",
            "SERVER_PORT": "8000",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": "127.0.0.1",
            "HTTP_HOST": "127.0.0.1:8000",
            "HTTP_USER_AGENT": USER_AGENT,
            "HTTP_ACCEPT": ACCEPT,
            "HTTP_ACCEPT_LANGUAGE": "nl,en;q=0.7",
            "HTTP_COOKIE": COOKIE,
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": True,
            "wsgi.multiprocess": True,
            "wsgi.run_once": False,
        }

    def one(self, path: str) -> None:
        """Make one request."""
        response = self._handler(
            {**self._environ, "PATH_INFO": path, "wsgi.input": BytesIO()}, self._start_response
        )
        for _ in response:
            pass
        response.close()

    def many(self, path: str, requests: int) -> None:
        """Make that many requests."""
        for _ in range(requests):
            self.one(path)

    def _start_response(self, status: str, headers: list[tuple[str, str]]) -> None:
        self.status = int(status[:3])


class Asgi:
    """Calls ``ASGIHandler`` in one event loop, one request after the other."""

    prefix = "/async/"
    interface = "asgi"

    def __init__(self) -> None:
        from django.core.handlers.asgi import ASGIHandler

        self.status = 0
        self._handler = ASGIHandler()
        self._loop = asyncio.new_event_loop()
        self._scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "query_string": b"",
            "root_path": "",
            "client": ("127.0.0.1", 50000),
            "server": ("127.0.0.1", 8000),
            "headers": [
                (b"host", b"127.0.0.1:8000"),
                (b"user-agent", USER_AGENT.encode()),
                (b"accept", ACCEPT.encode()),
                (b"accept-language", b"nl,en;q=0.7"),
                (b"cookie", COOKIE.encode()),
            ],
        }

    def one(self, path: str) -> None:
        """Make one request."""
        self.many(path, 1)

    def many(self, path: str, requests: int) -> None:
        """Make that many requests."""
        self._loop.run_until_complete(self._many(path, requests))

    async def _many(self, path: str, requests: int) -> None:
        for _ in range(requests):
            await self._one(path)

    async def _one(self, path: str) -> None:
        gone: asyncio.Future[Any] = self._loop.create_future()
        sent = False

        async def receive() -> dict[str, Any]:
            nonlocal sent
            if sent:
                await gone
            sent = True
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                self.status = message["status"]

        await self._handler({**self._scope, "path": path, "raw_path": path.encode()}, receive, send)


Driver = Wsgi | Asgi


def driver(interface: str) -> Driver:
    """Return the driver of an interface."""
    return Wsgi() if interface == "wsgi" else Asgi()


def checked(drive: Driver, path: str, status: int) -> None:
    """Make a request and raise ``RuntimeError`` when the answer is not what is to be measured."""
    drive.one(path)
    if drive.status != status:
        raise RuntimeError(f"{path} answered {drive.status}, not {status}")


def burst(drive: Driver, path: str, seconds: float) -> Burst:
    """Make requests for a while."""
    at_once = AT_ONCE[drive.interface]
    requests = 0
    end = perf_counter() + seconds
    process, thread = process_time(), thread_time()
    while perf_counter() < end:
        drive.many(path, at_once)
        requests += at_once
    return Burst(requests=requests, process=process_time() - process, thread=thread_time() - thread)


def counted(call: Callable[[], object]) -> Burst:
    """Return what a call took."""
    process, thread = process_time(), thread_time()
    call()
    return Burst(requests=1, process=process_time() - process, thread=thread_time() - thread)
