"""HTTP with an end: an exchange takes no longer than its timeout, however slowly the other side answers.

``requests`` bounds the wait for each read, and one byte a second is many reads. It bounds neither how long a
name is looked up nor how many addresses of it are tried, for the timeout each; nor do we. Stuck there is a
thread of the exporter alone: the sink's, which is left behind (``pipeline.lanes``), or the one of the spans.
"""

from __future__ import annotations

import os
import socket
import threading
from contextlib import suppress
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool


class _Exchange:
    """The connections of one request: cut when its time is up, and those that are made afterwards refused."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._watched: list[socket.socket] = []
        self._over = False

    def watch(self, connection: socket.socket) -> None:
        with self._lock:
            if self._over:
                raise TimeoutError("The time for this exchange is up.")
            # By a name of our own: TLS takes the socket's from it, and is to see the end of the stream.
            self._watched.append(socket.socket(fileno=os.dup(connection.fileno())))

    def cut(self) -> None:
        with self._lock:
            self._over = True
            for one in self._watched:
                with suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        with self._lock:
            for one in self._watched:
                one.close()


class _Current(threading.local):
    """What this thread is at."""

    exchange: _Exchange | None = None


_current = _Current()


class BoundedSession(requests.Session):
    """A session in which ``timeout``, a number of seconds, bounds each exchange as a whole."""

    #: The status of the last answer, 0 when there was none, ``None`` when nothing was asked.
    answered: int | None = None

    def __init__(self) -> None:
        super().__init__()
        self.mount("http://", _Adapter())
        self.mount("https://", _Adapter())

    def request(self, *args: Any, **kwargs: Any) -> requests.Response:
        self.answered = 0
        exchange = _Exchange()
        watch = threading.Timer(kwargs["timeout"], exchange.cut)
        watch.daemon = True
        # A process that ends may start no thread (Python 3.12), and waits for none of ours.
        with suppress(RuntimeError):
            watch.start()
        _current.exchange = exchange
        try:
            response = super().request(*args, **kwargs | {"allow_redirects": False})
        finally:
            watch.cancel()
            exchange.close()
            _current.exchange = None
        self.answered = response.status_code
        if 300 <= response.status_code < 400:
            # The exporter takes it for a success, and a POST that is sent on may lose its body on the way.
            raise requests.ConnectionError("The endpoint leads elsewhere; name that place.")
        return response


class _Watched(HTTPConnection):
    def _new_conn(self) -> socket.socket:
        # Before a proxy is asked to connect, and before TLS.
        made = super()._new_conn()
        try:
            _watch(made)
        except TimeoutError:
            made.close()
            raise
        return made

    def getresponse(self) -> Any:
        # One that was kept alive.
        if self.sock is not None:
            _watch(self.sock)
        return super().getresponse()


def _watch(connection: socket.socket) -> None:
    if _current.exchange is not None:
        _current.exchange.watch(connection)


class _WatchedSecure(_Watched, HTTPSConnection):
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Watched


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _WatchedSecure


class _Adapter(HTTPAdapter):
    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **kwargs)
        # One for SOCKS has connections of its own, by which alone it goes through its proxy.
        if not proxy.lower().startswith("socks"):
            manager.pool_classes_by_scheme = _POOLS
        return manager


_POOLS = {"http": _Pool, "https": _SecurePool}
