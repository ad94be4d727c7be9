"""How an event gets there: by one request of a few seconds at most, in the thread that asks for it.

Nothing bounds how long a name is looked up, nor how many addresses of it are tried. Stuck there is the sink's
own thread, and nothing else: it is left behind after half a minute (``pipeline.lanes``).
"""

from __future__ import annotations

import gzip
import io
import os
from collections.abc import Iterator
from http.client import HTTPResponse
from time import monotonic
from typing import Any, Final
from urllib.parse import unquote
from urllib.request import getproxies, proxy_bypass

import certifi
import urllib3
from sentry_sdk.consts import VERSION
from sentry_sdk.envelope import Envelope
from sentry_sdk.transport import Transport
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError, InvalidHeader

from ...exceptions import SinkUnavailableError
from .errors import RefusedError

#: Seconds for a connection, and for the whole answer.
CONNECT_WITHIN: Final = 2.0
ANSWER_WITHIN: Final = 4.0
#: Seconds for which a place is left alone that says 429 and no more, and the most, whatever it says.
LEFT_ALONE, LEFT_ALONE_MOST = 60.0, 3600.0

# Bytes of an answer that are read; there is nothing in it that we need.
_MAX_ANSWER: Final = 65_536
# What limits ours, of the categories that a limit may name.
_OURS: Final = frozenset({"", "error", "default"})


class OneByOne(Transport):
    """Sends each envelope at once, in this thread.

    Raises ``SinkUnavailableError`` where it may be taken later, ``RefusedError`` where it never will.
    """

    def __init__(self, options: dict[str, Any] | None = None) -> None:
        super().__init__(options)
        assert self.parsed_dsn is not None
        auth = self.parsed_dsn.to_auth(f"sentry.python/{VERSION}")
        self._url = str(auth.get_api_url())
        self._headers = {
            "Content-Type": "application/x-sentry-envelope",
            "Content-Encoding": "gzip",
            "User-Agent": str(auth.client),
            "X-Sentry-Auth": auth.to_header(),
        }
        try:
            self._pool = _pool(self.parsed_dsn.scheme, self.parsed_dsn.host)
        except (HTTPError, ValueError) as error:
            words = f"The proxy that the environment names cannot be used: {type(error).__name__}."
            raise SinkUnavailableError(words) from error
        self._limited_until = 0.0

    def capture_envelope(self, envelope: Envelope) -> None:
        """Send an envelope."""
        left = self._limited_until - monotonic()
        if left > 0:
            raise SinkUnavailableError(f"Sentry asks not to be sent anything for {left:.0f} s.")
        try:
            response = self._answer(gzip.compress(envelope.serialize()))
        except (HTTPError, OSError) as error:
            raise SinkUnavailableError(f"Sentry cannot be reached: {type(error).__name__}.") from error
        self._heed(response)
        _judge(response.status)

    def kill(self) -> None:
        """Let go of connections."""
        self._pool.clear()

    def _answer(self, body: bytes) -> urllib3.BaseHTTPResponse:
        response = self._pool.urlopen(
            "POST",
            self._url,
            body=body,
            headers=self._headers,
            preload_content=False,
            redirect=False,
            retries=False,
        )
        try:
            response.read(_MAX_ANSWER)
        finally:
            # Read to its end, the connection is back in the pool; otherwise it is of no use any more.
            response.close()
        return response

    def _heed(self, response: urllib3.BaseHTTPResponse) -> None:
        """Remember until when nothing is to be sent.

        https://develop.sentry.dev/sdk/expected-features/rate-limiting/
        """
        limits = list(_limits(response.headers.get("X-Sentry-Rate-Limits", "")))
        if not limits and response.status == 429:
            limits = [_retry_after(response.headers.get("Retry-After", ""))]
        if limits:
            self._limited_until = monotonic() + min(max(limits), LEFT_ALONE_MOST)


def _judge(status: int) -> None:
    if 400 <= status < 500 and status != 429:
        raise RefusedError(f"Sentry answers {status}, and will not take this event.")
    if not 200 <= status < 300:
        raise SinkUnavailableError(f"Sentry answers {status}.")


def _limits(header: str) -> Iterator[float]:
    """Yield the seconds of the limits that are about events: ``60:error;transaction:project, 2700::key``."""
    for limit in header.split(","):
        seconds, _, rest = limit.strip().partition(":")
        categories = rest.partition(":")[0].split(";")
        if seconds.isascii() and seconds.isdigit() and not _OURS.isdisjoint(categories):
            yield float(seconds[:9])


def _retry_after(header: str) -> float:
    """Return the seconds of ``Retry-After``, a number or a date (RFC 9110)."""
    try:
        return urllib3.Retry().parse_retry_after(header) or LEFT_ALONE
    except (InvalidHeader, ValueError, OverflowError):
        return LEFT_ALONE


def _pool(scheme: str, host: str) -> urllib3.PoolManager:
    """Return what makes connections, through the proxy that the environment names, if it does."""
    given: dict[str, Any] = {
        "num_pools": 2,
        "timeout": urllib3.Timeout(connect=CONNECT_WITHIN, read=ANSWER_WITHIN),
        # As Sentry's own transport has it.
        "ca_certs": os.environ.get("SSL_CERT_FILE")
        or os.environ.get("REQUESTS_CA_BUNDLE")
        or certifi.where(),
        "cert_reqs": "CERT_REQUIRED",
    }
    proxy = getproxies().get(scheme)
    pool: urllib3.PoolManager
    if proxy and not proxy_bypass(host):
        who = urllib3.util.parse_url(proxy).auth
        headers = urllib3.make_headers(proxy_basic_auth=unquote(who)) if who else None
        pool = urllib3.ProxyManager(proxy, proxy_headers=headers, **given)
    else:
        pool = urllib3.PoolManager(**given)
    pool.pool_classes_by_scheme = {"http": _Pool, "https": _SecurePool}
    return pool


class _Bounded(io.RawIOBase):
    """What a socket receives, up to a time: its own timeout begins anew with every byte that comes."""

    def __init__(self, received: Any, sock: Any) -> None:
        self._received = received
        self._sock = sock
        self._until = monotonic() + ANSWER_WITHIN

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self._until - monotonic()
        if left <= 0:
            raise TimeoutError("The answer takes too long.")
        self._sock.settimeout(left)
        count: int | None = self._received.readinto(buffer)
        return count

    def close(self) -> None:
        self._received.close()
        super().close()


class _Response(HTTPResponse):
    def __init__(self, sock: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp = io.BufferedReader(_Bounded(self.fp.detach(), sock))


class _Connection(HTTPConnection):
    response_class = _Response


class _SecureConnection(HTTPSConnection):
    response_class = _Response


class _Pool(urllib3.HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _SecureConnection
