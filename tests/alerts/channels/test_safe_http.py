"""The client goes to no address that it should not, comes back in time, and says nothing of the URL."""

from __future__ import annotations

import socket
import ssl
import threading
import traceback
from collections.abc import Callable, Iterator
from ipaddress import ip_address
from typing import Any

import pytest
import trustme

from django_qaprod.alerts import deadlines, safe_http
from django_qaprod.exceptions import ChannelError
from tests.servers import free_port

from .receiver import Receiver

Resolve = Callable[..., None]


@pytest.fixture
def resolve(monkeypatch: pytest.MonkeyPatch) -> Resolve:
    """Have names resolve to these addresses, one more at each question."""

    def be(*answers: str) -> None:
        left = list(answers)

        def lookup(host: str, port: int, **options: Any) -> list[Any]:
            address = left.pop(0) if len(left) > 1 else left[0]
            return [
                (socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port)) for one in address.split() if one
            ]

        monkeypatch.setattr("django_qaprod.alerts.safe_http.socket.getaddrinfo", lookup)

    return be


@pytest.fixture
def loopback_is_public(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the receiver of the tests stand for one on the Internet; all else stays what it is."""
    real = safe_http.refused
    monkeypatch.setattr(
        safe_http,
        "refused",
        lambda address, **given: "" if str(address) == "127.0.0.1" else real(address, **given),
    )


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.8.8.8", "0.0.0.0", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254",
        "100.64.0.1", "100.100.100.200", "192.0.0.1", "192.0.2.1", "198.18.0.1", "224.0.0.1", "240.0.0.1",
        "255.255.255.255", "::", "::1", "fe80::1", "fc00::1", "fd00:ec2::254", "ff02::1", "2001:db8::1",
        "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::127.0.0.1", "2002:7f00:1::", "2002:a00:1::1",
        "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "2001:0:0:0:0:0:80ff:fffe", "fec0::1",
    ],
)  # fmt: skip
def test_nothing_goes_to_an_address_that_is_not_on_the_internet(address: str) -> None:
    assert safe_http.refused(ip_address(address))


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_the_internet_may_be_reached(address: str) -> None:
    assert not safe_http.refused(ip_address(address))


@pytest.mark.parametrize(("address", "allowed"), [
    ("127.0.0.1", True), ("10.1.2.3", True), ("fd00::1", True), ("::1", True),
    ("169.254.169.254", False), ("fe80::1", False), ("::ffff:169.254.169.254", False), ("224.0.0.1", False),
])  # fmt: skip
def test_what_clouds_hand_their_credentials_out_by_is_never_reached(address: str, allowed: bool) -> None:
    assert bool(safe_http.refused(ip_address(address), allow_private=True)) is not allowed


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "127.1", "2130706433", "0x7f.1", "0177.0.0.1", "localhost", "localhost.", "[::1]", "0"],
)
def test_however_it_is_written_this_machine_is_not_reached(host: str, receiver: Receiver) -> None:
    with pytest.raises(ChannelError, match="private network") as caught:
        safe_http.request("POST", f"http://{host}:{receiver.port}/hook")
    assert caught.value.permanent
    assert receiver.received == []


@pytest.mark.parametrize(
    "url",
    [
        "", "hook", "ftp://example.org/", "file:///etc/passwd", "gopher://example.org/", "//example.org/x",
        "http://", "https:///path", "http://user:password@example.org/", "http://example.org@127.0.0.1/",
        "http://example.org:0/", "http://example.org:99999/", "http://example.org:x/",
        "http://exa mple.org/", "http://example.org/\r\nX: y", "http://example.org\\@127.0.0.1/",
        "http://[::1", "http://[fe80::1%25eth0]/", "http://\u2100.\ufffd/", " http://example.org/",
    ],
)  # fmt: skip
def test_what_is_no_plain_address_is_refused_without_being_shown(url: str) -> None:
    with pytest.raises(ChannelError) as caught:
        safe_http.request("GET", url, timeout=2)
    assert len(url) < 8 or url not in str(caught.value)
    assert "password" not in str(caught.value).replace("user or password", "")


@pytest.mark.parametrize("user", ["user:password@", "user@", "@"])
def test_an_address_with_a_user_in_it_is_refused(user: str, receiver: Receiver) -> None:
    with pytest.raises(ChannelError, match="holds a user or password") as caught:
        safe_http.request("GET", receiver.url(host=f"{user}127.0.0.1"), allow_private=True)
    assert caught.value.permanent
    assert receiver.received == []


def test_a_name_that_leads_inside_is_refused(resolve: Resolve, receiver: Receiver) -> None:
    resolve("127.0.0.1")
    with pytest.raises(ChannelError, match=r"^hooks\.example\.org is an address of a private network"):
        safe_http.request("POST", receiver.url(host="hooks.example.org"))
    assert receiver.received == []


def test_one_address_inside_among_others_is_enough(resolve: Resolve) -> None:
    resolve("8.8.8.8 10.0.0.1")
    with pytest.raises(ChannelError, match="private network"):
        safe_http.request("POST", "http://hooks.example.org/")


@pytest.mark.usefixtures("loopback_is_public")
def test_the_address_that_was_looked_at_is_the_one_that_is_connected_to(
    resolve: Resolve, receiver: Receiver
) -> None:
    """DNS rebinding: the second answer is another address, and nobody asks for it."""
    resolve("127.0.0.1", "10.0.0.1")
    answer = safe_http.request("POST", receiver.url("/a?b=c", host="hooks.example.org"), body=b"{}")
    assert answer.status == 200
    assert receiver.last.path == "/a?b=c"
    assert receiver.last.headers["host"] == f"hooks.example.org:{receiver.port}"


def test_redirects_are_answers_and_are_not_followed(receiver: Receiver) -> None:
    receiver.status, receiver.headers = 307, {"Location": receiver.url("/inside")}
    answer = safe_http.request("POST", receiver.url(), allow_private=True)
    assert answer.words == "307 Temporary Redirect"
    assert [one.path for one in receiver.received] == ["/hook"]


def test_no_proxy_of_the_environment_is_used(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
    assert safe_http.request("GET", receiver.url(), allow_private=True).status == 200


def test_an_answer_that_drips_ends_in_time(receiver: Receiver) -> None:
    receiver.drips = True
    with pytest.raises(ChannelError, match=r"^127\.0\.0\.1: it did not answer in time\.$"):
        safe_http.request("POST", receiver.url(), allow_private=True, timeout=1.0)


def test_headers_that_drip_end_in_time() -> None:
    closed = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def drip() -> None:
            connection, _ = server.accept()
            with connection:
                connection.sendall(b"HTTP/1.1 200 OK\r\n")
                while not closed.wait(0.01):
                    try:
                        connection.sendall(b"X: y\r\n")
                    except OSError:
                        return

        thread = threading.Thread(target=drip)
        thread.start()
        with pytest.raises(ChannelError, match=r"in time|speak HTTP"):
            safe_http.request(
                "GET", f"http://127.0.0.1:{server.getsockname()[1]}/", allow_private=True, timeout=1.0
            )
        closed.set()
        thread.join()


def test_one_who_says_nothing_is_given_up(receiver: Receiver) -> None:
    receiver.held = threading.Event()
    with pytest.raises(ChannelError, match="did not answer in time") as caught:
        safe_http.request("POST", receiver.url(), allow_private=True, timeout=1.0)
    assert not caught.value.unsent, "it may have listened"


def test_no_more_of_an_answer_is_read_than_is_wanted(receiver: Receiver) -> None:
    receiver.body = b"x" * 1_000_000
    assert len(safe_http.request("GET", receiver.url(), allow_private=True).body) == safe_http.MAX_ANSWER


def test_a_resolver_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    released = threading.Event()
    monkeypatch.setattr(
        "django_qaprod.alerts.safe_http.socket.getaddrinfo", lambda *given, **more: released.wait(30) or []
    )
    for _ in range(deadlines.MOST_LEFT):
        with pytest.raises(ChannelError, match="name was not resolved in time") as caught:
            safe_http.request("GET", "http://slow.example.org/", timeout=0.02)
        assert caught.value.unsent
    with pytest.raises(ChannelError, match="have not come back yet") as caught:
        safe_http.request("GET", "http://slow.example.org/", timeout=0.02)
    assert caught.value.unsent
    released.set()


def test_nobody_listens() -> None:
    with pytest.raises(ChannelError, match=r"^127\.0\.0\.1: Connection refused\.$") as caught:
        safe_http.request("GET", f"http://127.0.0.1:{free_port()}/secret", allow_private=True)
    assert caught.value.unsent
    assert not caught.value.permanent


def test_what_is_no_http_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(b"220 mail.example.org ESMTP\r\n")

        thread = threading.Thread(target=serve)
        thread.start()
        with pytest.raises(ChannelError, match="does not speak HTTP") as caught:
            safe_http.request("GET", f"http://127.0.0.1:{server.getsockname()[1]}/", allow_private=True)
        assert not caught.value.unsent
        thread.join()


def test_an_error_leads_to_nothing_that_holds_the_address() -> None:
    with pytest.raises(ChannelError) as caught:
        safe_http.request("GET", f"http://127.0.0.1:{free_port()}/canary", allow_private=True)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    assert "canary" not in "".join(traceback.format_exception(caught.value)).replace('/canary"', "")


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def secure(authority: trustme.CA) -> Iterator[Receiver]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("hooks.example.org").configure_cert(context)
    with Receiver(context=context) as receiver:
        yield receiver


def trust(authority: trustme.CA, monkeypatch: pytest.MonkeyPatch) -> None:
    real = ssl.create_default_context

    def trusting() -> ssl.SSLContext:
        context = real()
        authority.configure_trust(context)
        return context

    monkeypatch.setattr("django_qaprod.alerts.safe_http.ssl.create_default_context", trusting)


def test_tls_is_spoken_with_the_name_to_the_address(
    secure: Receiver, authority: trustme.CA, resolve: Resolve, monkeypatch: pytest.MonkeyPatch
) -> None:
    trust(authority, monkeypatch)
    resolve("127.0.0.1")
    url = f"https://hooks.example.org:{secure.port}/"
    assert safe_http.request("GET", url, allow_private=True).status == 200


@pytest.mark.parametrize("trusted", [True, False])
def test_a_certificate_of_another_name_or_of_nobody_known_is_not_accepted(
    trusted: bool, secure: Receiver, authority: trustme.CA, resolve: Resolve, monkeypatch: pytest.MonkeyPatch
) -> None:
    if trusted:
        trust(authority, monkeypatch)
    resolve("127.0.0.1")
    host = "other.example.org" if trusted else "hooks.example.org"
    with pytest.raises(ChannelError, match="certificate is not accepted"):
        safe_http.request("GET", f"https://{host}:{secure.port}/", allow_private=True)
    assert secure.received == []
