"""A webhook is JSON, signed so that its receiver can be sure, and told apart when it comes twice."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
from typing import Any

import pytest
import time_machine

from django_qaprod.alerts.channels.webhook import Webhook, signatures
from django_qaprod.exceptions import ChannelError

from .messages import HOSTILE, message
from .receiver import Receiver

# From the examples of https://docs.svix.com/receiving/verifying-payloads/how-manual
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def channel(receiver: Receiver, path: str = "/hook", **options: Any) -> Webhook:
    return Webhook("hook", webhook=receiver.url(path), **{"allow_private": True, **options})


def test_a_message_arrives_as_json(receiver: Receiver) -> None:
    channel(receiver, "/services/T00/B00?key=value").send(message())
    assert receiver.last.method == "POST"
    assert receiver.last.path == "/services/T00/B00?key=value"
    assert receiver.last.headers["content-type"] == "application/json"
    assert receiver.last.json == {
        "id": message().id,
        "type": "alert.firing",
        "severity": "error",
        "subject": "Applications fail",
        "text": message().text,
        "look": "https://jobs.example.org/admin/",
        "act": "",
        "data": {"rule": "applications fail", "value": 3},
    }


def test_sent_again_it_has_the_same_key_and_body(receiver: Receiver) -> None:
    for _ in range(2):
        channel(receiver).send(message())
    first, second = receiver.received
    assert first.headers["idempotency-key"] == second.headers["idempotency-key"] == message().id
    assert first.headers["webhook-id"] == message().id
    assert first.body == second.body


def test_the_signature_is_that_of_standard_webhooks() -> None:
    signed = b'msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330.{"test": 2432232314}'
    assert signatures([SECRET], signed) == ["v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="]


@time_machine.travel("2024-05-01T12:00:00Z", tick=False)
def test_it_is_signed_by_each_secret_so_that_they_can_be_changed(receiver: Receiver) -> None:
    channel(receiver, secret=["new secret", SECRET]).send(message())
    got = receiver.last
    assert got.headers["webhook-timestamp"] == "1714564800"
    signed = f"{got.headers['webhook-id']}.1714564800.".encode() + got.body
    plain = base64.b64encode(hmac.digest(b"new secret", signed, hashlib.sha256)).decode()
    assert got.headers["webhook-signature"].split() == [f"v1,{plain}", *signatures([SECRET], signed)]


def test_without_a_secret_it_is_not_signed(receiver: Receiver) -> None:
    channel(receiver).send(message())
    assert "webhook-signature" not in receiver.last.headers


def test_a_hostile_message_is_bounded_and_its_header_is_one(receiver: Receiver) -> None:
    channel(receiver).send(message(id="x\r\nX-Evil: y", subject=HOSTILE, text=HOSTILE, data={"a": HOSTILE}))
    assert "x-evil" not in receiver.last.headers
    assert len(receiver.last.body) < 50_000
    assert "\n" not in receiver.last.json["subject"]
    json.loads(receiver.last.body.decode("utf-8"))


@pytest.mark.parametrize(
    ("status", "permanent"),
    [(400, True), (401, False), (404, False), (410, True), (413, True), (422, True),
     (408, False), (429, False), (500, False), (503, False), (301, True), (307, True)],
)  # fmt: skip
def test_what_is_not_success_is_an_error(status: int, permanent: bool, receiver: Receiver) -> None:
    receiver.status, receiver.headers = status, {"Location": "http://169.254.169.254/latest/meta-data/"}
    with pytest.raises(ChannelError, match=str(status)) as caught:
        channel(receiver, "/canary").send(message())
    assert caught.value.permanent is permanent
    assert "canary" not in str(caught.value)
    assert len(receiver.received) == 1, "and redirects are not followed"


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_any_success_is_one(status: int, receiver: Receiver) -> None:
    receiver.status, receiver.body = status, b""
    channel(receiver).send(message())


def test_a_receiver_that_is_slow_is_given_up(receiver: Receiver) -> None:
    receiver.held = threading.Event()
    with pytest.raises(ChannelError, match="in time") as caught:
        channel(receiver, timeout=0.05).send(message())
    assert not caught.value.permanent


def test_private_addresses_are_for_those_who_ask_for_them(receiver: Receiver) -> None:
    with pytest.raises(ChannelError, match="private network") as caught:
        channel(receiver, allow_private=False).send(message())
    assert caught.value.permanent
    assert receiver.received == []


def test_a_secret_that_is_no_base64_is_said_and_not_shown(receiver: Receiver) -> None:
    with pytest.raises(ChannelError, match="no base64") as caught:
        channel(receiver, secret=["whsec_canary!"]).send(message())
    assert "canary" not in str(caught.value)


def test_it_does_not_show_what_it_is_made_of(receiver: Receiver) -> None:
    assert "canary" not in repr(channel(receiver, "/canary", secret=["canary"]))
