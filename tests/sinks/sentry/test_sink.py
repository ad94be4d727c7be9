"""What no client of the host's had is sent by ours: each failure once, bounded, and later if it must be."""

from __future__ import annotations

import json
import ssl
import sys
import time
from base64 import b64decode
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import formatdate
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest
import sentry_sdk
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pytest_django import Settings

from django_qaprod.exceptions import SinkUnavailableError
from django_qaprod.pipeline import failures, guard, process
from django_qaprod.sinks.sentry import SentrySink, flood, sink, transport
from django_qaprod.testing import Records
from tests.endpoints import Endpoint
from tests.recorded import records as records
from tests.store.make import batch, cell, failure, numbers, trouble

from .receiver import Receiver

NOW = time.time()


@pytest.fixture
def place(settings: Settings) -> Iterator[Receiver]:
    guard.take()
    with Receiver() as receiver:
        settings.QAPROD = {"SENTRY": {"DSN": receiver.dsn, "ENVIRONMENT": "test"}}
        yield receiver
    guard.take()


def wait_no_more(sender: SentrySink) -> None:
    """Let the time pass that the place has asked for."""
    assert sender._client is not None
    assert isinstance(sender._client.transport, transport.OneByOne)
    sender._client.transport._limited_until = 0


def dropped() -> dict[str, int]:
    tally = guard.take()
    return tally.dropped if tally is not None else {}


def test_a_failure_is_an_event_under_its_own_id(place: Receiver) -> None:
    record = failure(release="2024.1")
    SentrySink().write(batch(numbers(cell()), record, trouble()))
    (event,) = place.events
    assert event["event_id"] == record.id
    assert (event["release"], event["environment"]) == ("2024.1", "test")
    assert event["sdk"]["integrations"] == []
    (headers,) = place.headers
    assert headers["X-Sentry-Auth"].startswith("Sentry sentry_key=key, sentry_version=7")
    head = json.loads(place.bodies[0].splitlines()[0])
    assert head["event_id"] == record.id


def test_without_a_release_it_names_none(place: Receiver) -> None:
    SentrySink().write(batch(failure()))
    assert "release" not in place.events[0]


def test_every_kind_of_failure_goes_but_what_the_hosts_client_had(place: Receiver) -> None:
    kinds = ("unhandled", "degraded", "logged", "task", "command")
    mine = [failure(kind, kind=kind) for kind in kinds]
    theirs = [failure(extra={"sentry_event": "a" * 32}), failure(extra={"sentry_event": ""})]
    SentrySink().write(batch(*theirs, *mine))
    assert [event["event_id"] for event in place.events] == [record.id for record in mine]


@pytest.mark.parametrize("dsn", ["", "sentry.example/1", "https://key@sentry.example/jobs"])
def test_without_a_dsn_nothing_is_sent(dsn: str, settings: Settings) -> None:
    settings.QAPROD = {"SENTRY": {"DSN": dsn}}
    sender = SentrySink()
    sender.write(batch(failure()))
    assert sender._client is None


def test_no_client_of_ours_is_anybody_elses(place: Receiver) -> None:
    SentrySink().write(batch(failure()))
    assert not sentry_sdk.get_client().is_active()
    assert sentry_sdk.capture_message("not ours") is None


def test_one_connection_serves_many_events(place: Receiver) -> None:
    sender = SentrySink()
    sender.write(batch(*[failure(f"v1:{number}") for number in range(20)]))
    assert (len(place.events), place.connections) == (20, 1)
    sender.close()
    sender.write(batch(failure(), segment="another"))
    assert (len(place.events), place.connections) == (21, 2)


def test_it_is_made_while_nobody_forks(place: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    held = []

    class Held:
        def __enter__(self) -> None:
            held.append("held")

        def __exit__(self, *args: object) -> None:
            held.append("let go")

    monkeypatch.setattr(process, "importing", Held())
    SentrySink().write(batch(failure()))
    assert held == ["held", "let go"]


# Floods


def test_a_flood_is_bounded_and_says_what_was_left_out(place: Receiver) -> None:
    sender = SentrySink()
    at = NOW // 60 * 60
    sender.write(batch(*[failure(at=at + number / 10) for number in range(100)], failure("v1:b", at=at)))
    assert len(place.events) == flood.MOST + 1
    assert dropped() == {"sink.sentry.flood": 100 - flood.MOST}
    sender.write(batch(failure(at=at + 60), failure(at=at + 61), segment="next"))
    told = [event["extra"].get("qaprod.left_out") for event in place.events[-2:]]
    assert told == [100 - flood.MOST, None]


def test_after_an_outage_each_minute_has_its_share(place: Receiver) -> None:
    at = NOW // 60 * 60
    SentrySink().write(batch(*[failure(at=at + minute * 60) for minute in range(3) for _ in range(20)]))
    assert len(place.events) == 3 * flood.MOST


def test_what_is_remembered_of_floods_is_bounded() -> None:
    counts = flood.Flood()
    for number in range(flood._REMEMBERED * 2):
        assert counts.admits(str(number), NOW)
        counts.sent(str(number), NOW)
        assert len(counts._counts) <= flood._REMEMBERED


# What goes wrong


@pytest.mark.parametrize("mode", ["refusing", "black hole", "busy", "broken", "dripping"])
def test_a_place_that_does_not_take_it_is_tried_later(
    mode: Any, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "ANSWER_WITHIN", 0.2)
    monkeypatch.setattr(transport, "CONNECT_WITHIN", 0.2)
    with Endpoint() as endpoint:
        settings.QAPROD = {"SENTRY": {"DSN": f"http://key@127.0.0.1:{endpoint.port}/1"}}
        sender, record = SentrySink(), failure()
        endpoint.be(mode)
        for _ in range(2):
            with pytest.raises(SinkUnavailableError):
                sender.write(batch(record))
        wait_no_more(sender)
        endpoint.be("well")
        sender.write(batch(record))
        assert endpoint.holds(record.id.encode())
    assert guard.take() is None


def test_an_answer_that_never_ends_is_not_waited_for(
    place: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each byte of it comes in good time."""
    monkeypatch.setattr(transport, "ANSWER_WITHIN", 0.3)
    place.drips = 0.02
    with pytest.raises(SinkUnavailableError):
        SentrySink().write(batch(failure()))


def test_a_name_that_nobody_knows_is_asked_for_later(settings: Settings) -> None:
    settings.QAPROD = {"SENTRY": {"DSN": "http://key@nowhere.invalid/1"}}
    with pytest.raises(SinkUnavailableError, match="cannot be reached"):
        SentrySink().write(batch(failure()))


def test_what_was_sent_before_it_went_wrong_is_not_sent_again(place: Receiver) -> None:
    sender, some = SentrySink(), [failure(f"v1:{number}") for number in range(4)]
    place.answers = [(200, {}), (200, {}), (503, {})]
    with pytest.raises(SinkUnavailableError):
        sender.write(batch(*some))
    sender.write(batch(*some[:2]))
    sender.write(batch(*some[2:], after=2))
    assert [event["event_id"] for event in place.events] == [record.id for record in some]
    assert sender._sent == {}


def test_a_batch_that_takes_long_is_put_off_and_goes_on(
    place: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    sender, some = SentrySink(), [failure(f"v1:{number}") for number in range(6)]
    clock = iter(range(100))
    monkeypatch.setattr(sink, "WITHIN", 2.5)
    monkeypatch.setattr(sink, "monotonic", lambda: float(next(clock)))
    attempts = 0
    while len(place.events) < len(some):
        attempts += 1
        try:
            sender.write(batch(*some))
        except SinkUnavailableError:
            assert len(place.events) == 2 * attempts
    assert attempts == 3
    assert [event["event_id"] for event in place.events] == [record.id for record in some]


@pytest.mark.parametrize("status", [400, 401, 403, 413])
def test_what_is_refused_is_dropped_and_counted(status: int, place: Receiver) -> None:
    place.answers = [(status, {})]
    SentrySink().write(batch(failure("v1:a"), failure("v1:b")))
    assert len(place.events) == 1
    tally = guard.take()
    assert tally is not None
    assert tally.dropped == {"sink.sentry.refused": 1}
    assert str(status) in tally.last_error


@pytest.mark.parametrize("status", [301, 500, 503])
def test_what_is_no_answer_to_it_is_tried_later(status: int, place: Receiver) -> None:
    place.answers = [(status, {"Location": "http://127.0.0.1:1/"})]
    with pytest.raises(SinkUnavailableError, match=str(status)):
        SentrySink().write(batch(failure()))


@pytest.mark.parametrize(
    ("status", "headers", "seconds"),
    [
        (429, {"Retry-After": "120"}, 120),
        (429, {"Retry-After": "in ten minutes"}, 600),
        (429, {}, 60),
        (429, {"Retry-After": "soon"}, 60),
        (429, {"Retry-After": "-5"}, 60),
        (429, {"Retry-After": "99999999999999999999"}, 3600),
        (429, {"X-Sentry-Rate-Limits": "30:error:key, 90::organization", "Retry-After": "7"}, 90),
        (200, {"X-Sentry-Rate-Limits": "30:default;error;transaction:key"}, 30),
    ],
)
def test_a_place_that_asks_to_wait_is_left_alone(
    status: int, headers: dict[str, str], seconds: int, place: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    if headers.get("Retry-After") == "in ten minutes":
        headers = {"Retry-After": formatdate(time.time() + 600, usegmt=True)}
    now = 1000.0
    monkeypatch.setattr(transport, "monotonic", lambda: now)
    sender, some = SentrySink(), [failure("v1:a"), failure("v1:b")]
    place.answers = [(status, headers)]
    with pytest.raises(SinkUnavailableError):
        sender.write(batch(*some))
    connections, taken = place.connections, len(place.events)
    now += seconds - 5
    with pytest.raises(SinkUnavailableError, match="not to be sent anything"):
        sender.write(batch(*some))
    assert (place.connections, len(place.events)) == (connections, taken)
    now += 6
    sender.write(batch(*some))
    assert [event["event_id"] for event in place.events] == [record.id for record in some]


@pytest.mark.parametrize("limits", ["30:transaction:key", "x:error", "", ",,", "1:session;attachment"])
def test_limits_that_are_not_about_events_are_none(limits: str, place: Receiver) -> None:
    place.answers = [(200, {"X-Sentry-Rate-Limits": limits})]
    SentrySink().write(batch(failure("v1:a"), failure("v1:b")))
    assert len(place.events) == 2


def test_an_event_that_cannot_be_scrubbed_is_not_sent(
    place: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("django_qaprod.pipeline.scrub.text", lambda *args: 1 / 0)
    SentrySink().write(batch(failure()))
    assert place.events == []
    tally = guard.take()
    assert tally is not None
    assert tally.dropped == {"sink.sentry.scrubber": 1}


# What is sent


def test_no_secret_is_in_any_byte(place: Receiver, records: Records) -> None:
    password = "c4n4ry"
    error = LookupError(f"password={password}; https://jobs.example/?key={password}")
    error.add_note(f"token: {password}")
    error.__cause__ = KeyError({"api_key": password})
    failures.report_exception(error, kind="degraded", extra={"session": password, "said": f"pwd={password}"})
    SentrySink().write(batch(*records.failures))
    assert len(place.bodies) == 1
    assert b"c4n4ry" not in place.bodies[0]


def test_what_a_damaged_spool_holds_is_scrubbed_again(place: Receiver) -> None:
    SentrySink().write(batch(failure(message="password=c4n4ry", extra={"token": "c4n4ry"})))
    assert b"c4n4ry" not in place.bodies[0]


def test_a_proxy_of_the_environment_is_used(
    place: Receiver, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", place.dsn.replace("key@", "ada:p%40ss@").removesuffix("/1"))
    monkeypatch.setenv("no_proxy", "")
    settings.QAPROD = {"SENTRY": {"DSN": "http://key@sentry.invalid/1"}}
    SentrySink().write(batch(failure()))
    assert len(place.events) == 1
    who = b64decode(place.headers[0]["proxy-authorization"].removeprefix("Basic "))
    assert who == b"ada:p@ss"


def test_a_proxy_that_cannot_be_used_costs_no_event(place: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    sender = SentrySink()
    monkeypatch.setenv("http_proxy", "socks5://127.0.0.1:1")
    monkeypatch.setenv("no_proxy", "")
    with pytest.raises(SinkUnavailableError, match="proxy"):
        sender.write(batch(failure()))
    monkeypatch.delenv("http_proxy")
    sender.write(batch(failure()))
    assert len(place.events) == 1


def certificate(directory: Path) -> Path:
    """Return a file with a certificate of this machine and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = directory / "certificate.pem"
    pem = serialization.Encoding.PEM
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(made.public_bytes(pem) + secret)
    return path


def test_certificates_are_looked_at(
    tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    trusted = certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(trusted)
    with Receiver(tls=context) as place:
        settings.QAPROD = {"SENTRY": {"DSN": place.dsn}}
        with pytest.raises(SinkUnavailableError, match="SSLError"):
            SentrySink().write(batch(failure()))
        monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
        SentrySink().write(batch(failure("v1:a"), failure("v1:b")))
    assert (len(place.events), place.connections) == (2, 1)


def test_the_name_of_the_hosts_client_stays(place: Receiver) -> None:
    from sentry_sdk.client import SDK_INFO

    before, SDK_INFO["name"] = SDK_INFO["name"], "sentry.python.django"
    try:
        SentrySink().write(batch(failure()))
        assert SDK_INFO["name"] == "sentry.python.django"
    finally:
        SDK_INFO["name"] = before
    assert "sentry_sdk" in sys.modules
