"""What Apprise speaks is sent, calls nobody, is cut, and its addresses are said nowhere."""

from __future__ import annotations

import logging
from typing import Any

import pytest

pytest.importorskip("apprise")

from django_qaprod.alerts.channels.apprise import Apprise, kind, understood
from django_qaprod.alerts.channels.base import PartlySentError
from django_qaprod.exceptions import ChannelError
from tests.servers import free_port

from .messages import HOSTILE, message
from .receiver import Receiver

CANARY = "CanaryTokenZ9"
# As Apprise wants Slack's: three tokens.
SLACK = "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/"


def address(receiver: Receiver, scheme: str = "json", path: str = "hook") -> str:
    return f"{scheme}://127.0.0.1:{receiver.port}/{path}"


def channel(*urls: str) -> Apprise:
    return Apprise("chat", apprise=urls)


def test_a_message_arrives(receiver: Receiver) -> None:
    channel(address(receiver)).send(message())
    assert receiver.last.path == "/hook"
    assert receiver.last.json["title"] == "Applications fail"
    assert "3 in 5 minutes.\nLook: https://jobs.example.org/admin/" in receiver.last.json["message"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"severity": "info"}, "info"),
        ({"severity": "warning"}, "warning"),
        ({"severity": "critical"}, "failure"),
        ({"severity": "critical", "kind": "resolved"}, "success"),
    ],
)
def test_how_bad_it_is_is_said(given: dict[str, Any], said: str, receiver: Receiver) -> None:
    channel(address(receiver)).send(message(**given))
    assert receiver.last.json["type"] == said


@pytest.mark.parametrize("scheme", ["json", "mmost"])
def test_nobody_is_called_by_what_somebody_wrote(scheme: str, receiver: Receiver) -> None:
    path = "hook" if scheme == "json" else "a1b2c3d4e5f6g7h8i9j0k1l2m3"
    channel(address(receiver, scheme, path)).send(message(subject=HOSTILE, text=HOSTILE))
    body = receiver.last.body.decode()
    parts = receiver.last.json
    words = str(parts)
    for call in ("<!channel>", "@everyone", "<@U123>"):
        assert call not in words
        assert call not in body
    assert len(body) < 60_000


def test_what_a_chat_takes_for_markup_stays_text(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    from apprise.plugins.slack import NotifySlack

    receiver.body = b"ok"
    monkeypatch.setattr(NotifySlack, "webhook_url", receiver.url("/services"))
    channel(SLACK).send(message(subject="<!channel> down", text="<!here> <@U123> <http://evil|good> & co"))
    text = receiver.last.body.decode()
    assert "<!" not in text
    assert "<@" not in text
    assert "<http://evil|good>" not in text


def test_a_service_of_short_messages_gets_what_fits(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    from apprise.plugins.custom_json import NotifyJSON

    monkeypatch.setattr(NotifyJSON, "body_maxlen", 160)
    channel(address(receiver)).send(message(subject="s" * 500, text="t" * 5000))
    body = receiver.last.json["message"]
    assert len(body) <= 160
    assert body.endswith("…\nhttps://jobs.example.org/admin/")
    assert body.startswith("sss")


def test_what_is_too_long_for_a_service_is_cut(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    from apprise.plugins.custom_json import NotifyJSON

    monkeypatch.setattr(NotifyJSON, "body_maxlen", 2000)
    channel(address(receiver)).send(message(text="t" * 5000))
    assert len(receiver.received) == 1
    assert 1000 < len(receiver.last.json["message"]) <= 2000


def test_what_is_not_taken_is_an_error_with_the_status_alone(receiver: Receiver) -> None:
    receiver.status = 403
    with pytest.raises(ChannelError, match=r"^json \(1 of 1\): it was not taken, HTTP 403$"):
        channel(address(receiver, path=CANARY)).send(message())


def test_a_redirect_has_not_been_sent(receiver: Receiver) -> None:
    receiver.status, receiver.headers = 302, {"Location": receiver.url("/elsewhere")}
    with pytest.raises(ChannelError):
        channel(address(receiver)).send(message())
    assert [one.path for one in receiver.received] == ["/hook"]


def test_an_address_that_nobody_understands_is_an_error() -> None:
    with pytest.raises(ChannelError, match="does not understand") as caught:
        channel(f"nosuchservice://{CANARY}/").send(message())
    assert CANARY not in str(caught.value)
    assert not understood("nosuchservice://x/")
    assert understood("json://localhost/")


def test_one_that_fails_costs_the_others_nothing_and_they_get_it_once(receiver: Receiver) -> None:
    dead = f"json://127.0.0.1:{free_port()}/{CANARY}"
    sending = channel(dead, address(receiver))
    for _ in range(2):
        with pytest.raises(PartlySentError, match=r"^json \(1 of 2\)"):
            sending.send(message())
    assert len(receiver.received) == 1


def test_its_addresses_are_in_no_log(receiver: Receiver, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for name in ("apprise", "urllib3"):
        logging.getLogger(name).setLevel(logging.DEBUG)
    try:
        channel(address(receiver, path=CANARY)).send(message())
        receiver.status = 500
        for url in (
            address(receiver, path=CANARY),
            f"json://user:{CANARY}@127.0.0.1:{free_port()}/",
            f"nosuchservice://{CANARY}",
            f"slack://{CANARY}/x/y",
        ):
            with pytest.raises(ChannelError) as caught:
                channel(url).send(message())
            assert CANARY not in str(caught.value)
    finally:
        for name in ("apprise", "urllib3"):
            logging.getLogger(name).setLevel(logging.NOTSET)
    assert CANARY not in caplog.text


def test_what_the_host_does_with_apprise_itself_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    channel("json://localhost/")
    logging.getLogger("apprise").warning("of the host's")
    assert "of the host's" in caplog.text


@pytest.mark.parametrize(
    ("url", "said"), [("slack://a/b", "slack"), ("x y://a", "?"), ("no address", "?"), ("", "?")]
)
def test_only_the_kind_of_an_address_is_said(url: str, said: str) -> None:
    assert kind(url) == said
