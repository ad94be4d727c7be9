"""HTTP with an end: an exchange takes no longer than its timeout, however slowly the other side answers.

``requests`` bounds the wait for each read, and one byte a second is many reads.
"""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool


class _Exchange(threading.local):
    """The sockets on which this thread waits for an answer."""

    sockets: list[socket.socket] | None = None


_exchange = _Exchange()


class BoundedSession(requests.Session):
    """A session in which ``timeout``, a number of seconds, bounds each exchange as a whole."""

    def __init__(self) -> None:
        super().__init__()
        self.mount("http://", _Adapter())
        self.mount("https://", _Adapter())

    def request(self, *args: Any, **kwargs: Any) -> requests.Response:
        sockets: list[socket.socket] = []
        watch = threading.Timer(kwargs["timeout"], _cut, (sockets,))
        watch.daemon = True
        # A process that ends may start no thread (Python 3.12), and waits for none of ours.
        with suppress(RuntimeError):
            watch.start()
        _exchange.sockets = sockets
        try:
            response = super().request(*args, **kwargs | {"allow_redirects": False})
        finally:
            watch.cancel()
            _exchange.sockets = None
        if 300 <= response.status_code < 400:
            # The exporter takes it for a success, and a POST that is sent on may lose its body on the way.
            raise requests.ConnectionError("The endpoint leads elsewhere; name that place.")
        return response


def _cut(sockets: list[socket.socket]) -> None:
    for one in sockets:
        # Past TLS, which another thread is reading: it is to see the end of the stream.
        with suppress(OSError):
            socket.socket.shutdown(one, socket.SHUT_RDWR)


class _Watched(HTTPConnection):
    def getresponse(self) -> Any:
        if _exchange.sockets is not None and self.sock is not None:
            _exchange.sockets.append(self.sock)
        return super().getresponse()


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

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(*args, **kwargs)
        manager.pool_classes_by_scheme = _POOLS
        return manager


_POOLS = {"http": _Pool, "https": _SecurePool}
