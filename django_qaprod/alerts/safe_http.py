"""An HTTP client for addresses that somebody has configured: it goes nowhere else, and comes back in time.

A name is resolved once, every address that it has is looked at, and the connection is made to one of those
and not to the name, so that a second answer of the resolver changes nothing (OWASP, "Server-Side Request
Forgery Prevention"; DNS rebinding). No redirect is followed, no proxy of the environment's is used, TLS is
verified, and one deadline holds for all of it, however slowly the bytes drip.
"""

from __future__ import annotations

import io
import socket
import ssl
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, responses
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from time import monotonic
from typing import TypeAlias, cast
from urllib.parse import SplitResult, quote, urlsplit

from ..exceptions import ChannelError
from . import deadlines

Address: TypeAlias = IPv4Address | IPv6Address

#: Seconds for one request, and for one address to accept the connection.
TIMEOUT, CONNECT_TIMEOUT = 10.0, 5.0
#: Bytes of an answer that are read.
MAX_ANSWER = 64 * 1024
#: Addresses of a name that are tried.
MAX_TRIED = 4

# What stands in a path and a query as it is; the rest is escaped (RFC 3986, 3.3 and 3.4).
_PLAIN = "/%:@!$&'()*+,;=~?"
# RFC 6052: an IPv4 address in the last 32 bits. Networks that have IPv6 alone reach all others by it.
_NAT64 = IPv6Network("64:ff9b::/96")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back: at most ``MAX_ANSWER`` bytes of its body."""

    status: int
    body: bytes

    @property
    def words(self) -> str:
        """The status as people know it: ``503 Service Unavailable``, by the number and not as it was sent."""
        return f"{self.status} {responses.get(self.status, '')}".strip()


def request(
    method: str,
    url: str,
    *,
    body: bytes = b"",
    headers: Mapping[str, str] | None = None,
    timeout: float = TIMEOUT,
    allow_private: bool = False,
) -> Answer:
    """Send a request and return the answer, whatever its status.

    ``allow_private`` lets it go to addresses inside the network, this machine's included; never to link-local
    ones, where clouds hand out credentials. Raises ``ChannelError``, permanent where the URL itself is what
    is wrong, and ``unsent`` where nobody was reached; it names the host and nothing else of the URL.
    """
    until = monotonic() + timeout
    parts = parse(url)
    host = _host(parts)
    begun = False
    try:
        with _connection(parts, host, until, allow_private=allow_private) as connected:
            begun = True
            return _exchange(connected, until, method, parts, body, headers or {})
    except (OSError, HTTPException, ValueError) as error:
        words = _words(error)
    except ChannelError as error:
        error.unsent = not begun
        raise
    # Not in the handler: behind this would stand the original, whose frames hold the URL.
    raise ChannelError(f"{host}: {words}.", unsent=not begun)


def parse(url: str) -> SplitResult:
    """Return the parts of a URL that can be sent to. Raises ``ChannelError``, which does not show it."""
    try:
        parts = urlsplit(url)
        port_fits = parts.port is None or parts.port > 0
    except ValueError:
        raise ChannelError("It is no address (URL).", permanent=True) from None
    if parts.scheme not in {"http", "https"} or not parts.hostname or not port_fits:
        raise ChannelError("It is no address that begins with https:// or http://.", permanent=True)
    if "@" in parts.netloc:
        raise ChannelError("Its address holds a user or password; put a token in the path.", permanent=True)
    if any(char <= " " or char in "\\\x7f" for char in url):
        raise ChannelError("Its address holds white space or a backslash.", permanent=True)
    return parts


def refused(address: Address, *, allow_private: bool = False) -> str:
    """Return what kind of address this is, if nothing is sent to such; an empty text otherwise.

    An IPv6 address that stands for an IPv4 one (mapped, 6to4, Teredo, NAT64) is what that one is.
    """
    for one in _meant(address):
        if one.is_link_local:
            return "a link-local address"
        if one.is_multicast:
            return "a multicast address"
        if not allow_private and not _is_public(one):
            return "an address of a private network"
    return ""


def _is_public(address: Address) -> bool:
    # RFC 3879 took the site-local ones back; they are still used, and Python takes them for global.
    site_local = isinstance(address, IPv6Address) and address.is_site_local
    return address.is_global and not (address.is_reserved or address.is_unspecified or site_local)


def _meant(address: Address) -> Iterator[Address]:
    """Yield the addresses that a packet to this one may reach in the end."""
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        yield address.ipv4_mapped
    elif address in _NAT64:
        yield IPv4Address(int(address) & 0xFFFF_FFFF)
    else:
        yield address
        if isinstance(address, IPv6Address):
            if address.sixtofour:
                yield address.sixtofour
            yield from address.teredo or ()


def _host(parts: SplitResult) -> str:
    """Return the host's name as it is looked up: in ASCII, without the dot at its end."""
    host = (parts.hostname or "").rstrip(".")
    if ":" in host:
        return host
    try:
        return host.encode("idna").decode() if not host.isascii() else host
    except UnicodeError:
        raise ChannelError("The host of its address is no name.", permanent=True) from None


@contextmanager
def _connection(
    parts: SplitResult, host: str, until: float, *, allow_private: bool
) -> Iterator[socket.socket]:
    port = parts.port or (443 if parts.scheme == "https" else 80)
    addresses = _resolved(host, port, until)
    for address in addresses:
        # One is enough: whoever can add it to the name could have the others go away.
        if problem := refused(address, allow_private=allow_private):
            raise ChannelError(f"{host} is {problem}; nothing is sent there.", permanent=True)
    with closing(_connected(addresses[:MAX_TRIED], port, until)) as plain:
        if parts.scheme == "http":
            yield plain
            return
        plain.settimeout(_left(until))
        with ssl.create_default_context().wrap_socket(plain, server_hostname=host) as secure:
            yield secure


def _resolved(host: str, port: int, until: float) -> list[Address]:
    # In a thread of its own: the resolver has no timeout that we could set.
    found = deadlines.call(
        _lookup,
        host,
        port,
        within=_left(until),
        what=f"resolver-{host}",
        late="its name was not resolved in time",
    )
    # With the zone (``fe80::1%eth0``) cut off: all that have one are link-local.
    addresses = [ip_address(address.partition("%")[0]) for address in found]
    if not addresses:
        raise OSError("it has no address")
    return list(dict.fromkeys(addresses))


def _lookup(host: str, port: int) -> list[str]:
    return [str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


def _connected(addresses: list[Address], port: int, until: float) -> socket.socket:
    last: OSError = TimeoutError("timed out")
    for address in addresses:
        # Not ``create_connection``, which asks the resolver, if only what the number means.
        connecting = socket.socket(socket.AF_INET if address.version == 4 else socket.AF_INET6)
        try:
            connecting.settimeout(min(CONNECT_TIMEOUT, _left(until)))
            connecting.connect((str(address), port))
        except OSError as error:
            connecting.close()
            last = error
        else:
            return connecting
    raise last


def _exchange(
    connected: socket.socket,
    until: float,
    method: str,
    parts: SplitResult,
    body: bytes,
    headers: Mapping[str, str],
) -> Answer:
    connection = HTTPConnection(parts.hostname or "")
    # What http.client needs of a socket. It connects to nothing itself: there is one already.
    connection.sock = cast("socket.socket", _Timed(connected, until))
    host = parts.netloc.encode("idna").decode() if not parts.netloc.isascii() else parts.netloc
    query = f"?{parts.query}" if parts.query else ""
    fixed = {"Host": host, "Connection": "close", "Accept-Encoding": "identity"}
    connection.request(method, quote((parts.path or "/") + query, safe=_PLAIN), body, {**headers, **fixed})
    with connection.getresponse() as response:
        return Answer(status=response.status, body=response.read(MAX_ANSWER))


class _Timed:
    """A socket of which every operation ends before one moment."""

    def __init__(self, connected: socket.socket, until: float) -> None:
        self._socket = connected
        self._until = until

    def sendall(self, data: bytes) -> None:
        self._socket.settimeout(_left(self._until))
        # The timeout is that of all the bytes together.
        self._socket.sendall(data)

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(_Incoming(self._socket, self._until))

    def close(self) -> None:
        """Whoever connected closes."""


class _Incoming(io.RawIOBase):
    def __init__(self, connected: socket.socket, until: float) -> None:
        self._socket = connected
        self._until = until

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        # Anew for each: a byte that comes in time does not prolong the whole.
        self._socket.settimeout(_left(self._until))
        return self._socket.recv_into(buffer)


def _left(until: float) -> float:
    left = until - monotonic()
    if left <= 0:
        raise TimeoutError("timed out")
    return left


def _words(error: Exception) -> str:
    """Return what went wrong, without what the error says itself: that may hold anything."""
    match error:
        case socket.gaierror():
            return "its name is not known"
        case ssl.SSLCertVerificationError():
            return f"its certificate is not accepted ({error.verify_message})"
        case ssl.SSLError():
            return f"TLS fails ({error.reason})"
        case TimeoutError():
            return "it did not answer in time"
        case OSError():
            return error.strerror or type(error).__name__
    return f"it does not speak HTTP ({type(error).__name__})"
