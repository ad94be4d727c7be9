"""A message is sent by its channel or the next in line; what becomes of it is written down, masked."""

from __future__ import annotations

import logging
import socket
import threading
import traceback
from contextlib import suppress
from typing import Any

import django
import pytest
from django.core import mail

from django_qaprod.alerts import channels
from django_qaprod.alerts.channels import configured, masking
from django_qaprod.alerts.channels.base import Message, PartlySentError
from django_qaprod.exceptions import ChannelError
from django_qaprod.models import Channel
from django_qaprod.pipeline import guard
from django_qaprod.store import channels as store
from django_qaprod.store.outbox import TTL
from tests.servers import free_port

from .mailserver import use as use_mail
from .messages import message
from .receiver import Receiver

pytestmark = pytest.mark.django_db(databases="__all__")

CANARY = "Canary-Z9y8x7"


class Own:
    """A channel of the host's."""

    sent: list[tuple[str, Message]] = []
    raises: BaseException | None = None
    hangs: threading.Event | None = None

    def __init__(self, name: str, *, to: str = "") -> None:
        self.name = name
        self.to = to

    def send(self, message: Message, /) -> None:
        if Own.hangs is not None:
            Own.hangs.wait(30)
        if Own.raises is not None:
            raise Own.raises
        Own.sent.append((self.name, message))


@pytest.fixture(autouse=True)
def _nothing_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Own, "sent", [])
    monkeypatch.setattr(Own, "raises", None)
    monkeypatch.setattr(Own, "hangs", None)


def use(settings: Any, **given: dict[str, Any]) -> None:
    settings.QAPROD = (
        {**settings.QAPROD, "CHANNELS": given} if hasattr(settings, "QAPROD") else {"CHANNELS": given}
    )


def own(**more: Any) -> dict[str, Any]:
    return {"class": f"{__name__}.Own", **more}


def test_a_channel_that_ends_its_thread_has_not_sent(settings: Any) -> None:
    """``sys.exit`` in a host's channel, or a library of its."""
    use(settings, one=own(), two=own())
    Own.raises = SystemExit(3)
    with pytest.raises(ChannelError, match="SystemExit: 3"):
        channels.send("one", message())
    assert Channel.objects.get().failures == 1


def test_the_channels_are_those_of_the_settings(settings: Any) -> None:
    use(settings, one=own(fallback="two", per_hour=5), two=own(options={"to": "ada"}))
    assert channels.names() == ("one", "two")
    assert channels.options("one") == channels.Options(fallback="two", per_hour=5)
    assert channels.options("two") == channels.options("nobody") == channels.Options()
    two = channels.load("two")
    assert isinstance(two, Own)
    assert (two.name, two.to) == ("two", "ada")
    assert channels.load("two") is two


@pytest.mark.parametrize(
    "admins", [["ada@example.org"], [("Ada", "ada@example.org")]], ids=["addresses", "pairs"]
)
def test_without_any_mail_goes_to_the_admins(admins: Any, settings: Any) -> None:
    use(settings)
    assert channels.names() == ()
    settings.ADMINS = admins
    assert channels.names() == ("admins",)
    assert channels.send("admins", message()) == "admins"
    assert [sent.to for sent in mail.outbox] == [["ada@example.org"]]


def test_what_took_it_is_said_and_written_down(settings: Any) -> None:
    use(settings, one=own())
    assert channels.send("one", message()) == "one"
    assert Own.sent == [("one", message())]
    row = Channel.objects.get()
    assert (row.name, row.failures, row.error) == ("one", 0, "")
    assert row.sent_at is not None


def test_one_that_fails_is_stood_in_for(settings: Any) -> None:
    use(
        settings,
        one={"webhook": f"http://127.0.0.1:{free_port()}/", "allow_private": True, "fallback": "two"},
        two={"apprise": "nosuchservice://x/", "fallback": "three"},
        three=own(fallback="one"),
    )
    assert channels.send("one", message()) == "three"
    assert {row.name: row.failures for row in Channel.objects.all()} == {"one": 1, "two": 1, "three": 0}


def test_a_circle_of_fallbacks_ends(settings: Any) -> None:
    use(settings, one=own(fallback="two"), two=own(fallback="one"))
    Own.raises = ChannelError("no", permanent=True)
    with pytest.raises(ChannelError, match=r"^one: no two: no$") as caught:
        channels.send("one", message())
    assert caught.value.permanent


def test_it_is_worth_trying_again_as_long_as_one_of_them_may_take_it(settings: Any) -> None:
    use(settings, one={"webhook": "http://127.0.0.1/", "fallback": "two"}, two=own())
    Own.raises = ChannelError("busy")
    with pytest.raises(ChannelError, match=r"private network.*two: busy") as caught:
        channels.send("one", message())
    assert not caught.value.permanent


def test_a_channel_that_is_there_no_more_is_an_error_for_good(settings: Any) -> None:
    use(settings)
    with pytest.raises(ChannelError, match="gone: There is no such channel") as caught:
        channels.send("gone", message())
    assert caught.value.permanent
    assert not Channel.objects.exists(), "and no row is made of it"


def test_for_a_channel_that_is_there_no_more_the_others_stand_in(settings: Any) -> None:
    """What waits for it, or a rule whose channels a person chose, would else be told to nobody."""
    use(settings, one=own(), two=own())
    assert channels.send("gone", message()) == "one"
    assert [name for name, _ in Own.sent] == ["one"]
    assert list(Channel.objects.values_list("name", flat=True)) == ["one"]


def test_one_that_is_full_stands_in_for_no_other(settings: Any) -> None:
    """The next does; where there is none the message waits, however useless it was to try the first again."""
    use(settings, one=own(fallback="two"), two=own(fallback="three"), three=own())
    full = ["two"]
    store.failed("one", "down")
    store.failed("one", "down")
    store.failed("one", "down")
    assert (channels.taker("one"), channels.taker("gone")) == ("two", "two")
    assert channels.send("one", message(), is_full=full.__contains__) == "three"
    full.append("three")
    for name in ("one", "gone"):
        with pytest.raises(channels.FullError, match="three: It has taken as many messages") as caught:
            channels.send(name, message(), is_full=full.__contains__)
        assert not caught.value.permanent
    assert channels.send("two", message(), is_full=full.__contains__) == "two", (
        "whose own hour was asked before"
    )


def test_where_all_are_left_alone_nobody_is_asked(settings: Any) -> None:
    """Nothing of it has left; where one was asked, it may have."""
    use(settings, one=own(fallback="two"), two=own())
    for name in ("one", "two"):
        for _ in range(3):
            store.failed(name, "down")
    assert channels.taker("one") == ""
    with pytest.raises(ChannelError, match=r"one: .*left alone.*two: .*left alone") as caught:
        channels.send("one", message())
    assert caught.value.unsent
    assert not caught.value.permanent
    store.succeeded("two")
    assert channels.taker("one") == "two"
    Own.raises = ChannelError("no answer")
    with pytest.raises(ChannelError, match="two: no answer") as caught:
        channels.send("one", message())
    assert not caught.value.unsent


def test_a_channel_may_say_that_nothing_has_left(settings: Any) -> None:
    """Else nobody knows, whatever it raises; one that cannot be made was never asked."""
    use(settings, one=own(), wrong={"email": 3})
    for error, unsent in (
        (ChannelError("not reached", unsent=True), True),
        (ChannelError("busy"), False),
        (OSError("broken pipe"), False),
    ):
        Own.raises = error
        with pytest.raises(ChannelError) as caught:
            channels.send("one", message())
        assert caught.value.unsent is unsent
        store.succeeded("one")
    with pytest.raises(ChannelError, match="settings are wrong") as caught:
        channels.send("wrong", message())
    assert caught.value.unsent


def test_a_chain_of_slow_ones_ends_before_others_may_send_the_same(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is tried again, and by then the first of them may be left alone."""
    use(settings, one=own(fallback="two"), two=own(fallback="three"), three=own())
    Own.raises = ChannelError("busy", permanent=True)
    monkeypatch.setattr(channels, "NONE_AFTER", -1.0)
    with pytest.raises(ChannelError, match="one: busy There was no time left") as caught:
        channels.send("one", message())
    assert not caught.value.permanent
    assert TTL.total_seconds() > channels.WITHIN + 110


def test_one_that_fails_again_and_again_is_left_alone_and_its_fallback_is_not_delayed(settings: Any) -> None:
    use(settings, one=own(), two=own(fallback="one"), three=own())
    Own.raises = RuntimeError("dead")
    for _ in range(store.OPEN_AFTER):
        with pytest.raises(ChannelError, match="RuntimeError: dead"):
            channels.send("one", message())
    with pytest.raises(ChannelError, match="left alone") as caught:
        channels.send("one", message())
    assert not caught.value.permanent
    Own.raises = None
    assert channels.send("two", message()) == "two", "another is not"


def test_a_test_is_sent_even_then_and_closes_it(settings: Any) -> None:
    use(settings, one=own(fallback="two"), two=own())
    for _ in range(store.OPEN_AFTER):
        store.failed("one", "dead")
    channels.send_test("one", who="Ada")
    [(name, sent)] = Own.sent
    assert (name, sent.kind) == ("one", "test")
    assert "Ada asked for this test." in sent.text
    assert not store.is_open("one")
    Own.raises = ChannelError("no")
    with pytest.raises(ChannelError, match="one: no"):
        channels.send_test("one")
    assert len(Own.sent) == 1, "nobody stands in at a test"


def test_what_has_reached_somebody_is_sent_and_says_whom_it_has_not(settings: Any) -> None:
    use(settings, one=own(fallback="two"), two=own())
    Own.raises = PartlySentError("bob@example.org: 550 no such user")
    assert channels.send("one", message()) == "one"
    row = Channel.objects.get()
    assert (row.failures, row.error) == (0, "one: bob@example.org: 550 no such user")
    assert row.failed_at is not None


def test_one_that_hangs_is_left_to_itself(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    use(settings, one=own())
    monkeypatch.setattr(channels, "WITHIN", 0.02)
    Own.hangs = threading.Event()
    with pytest.raises(ChannelError, match="took too long"):
        channels.send("one", message())
    Own.hangs.set()


def test_a_mail_server_that_drips_is_left_to_itself(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each byte comes within the timeout of a step; all of them never do."""
    closed = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def drip() -> None:
            connection, _ = server.accept()
            with connection, suppress(OSError):
                while not closed.wait(0.01):
                    connection.sendall(b"2")

        thread = threading.Thread(target=drip)
        thread.start()
        use_mail(settings, server.getsockname()[1])
        use(settings, one={"email": "ada@example.org"})
        monkeypatch.setattr(channels, "WITHIN", 0.1)
        with pytest.raises(ChannelError, match="one: It took too long"):
            channels.send("one", message())
        closed.set()
        thread.join()


def test_a_database_that_fails_does_not_make_a_message_unsent(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(settings, one=own())

    def refuse(*given: object, **more: object) -> None:
        raise RuntimeError("no database")

    for name in ("is_open", "succeeded", "failed"):
        monkeypatch.setattr(store, name, refuse)
    assert channels.send("one", message()) == "one"
    tally = guard.take()
    assert tally is not None
    assert tally.errors == {"channels": 2}


@pytest.mark.parametrize(
    "given",
    [
        {"webhook": f"https://127.0.0.1:1/{CANARY}?{CANARY}=x", "secret": CANARY},
        {"webhook": f"https://{CANARY}:{CANARY}@example.org/"},
        {"webhook": f"ftp://example.org/{CANARY}"},
        {"webhook": f"http://127.0.0.1:1/x?token={CANARY}", "allow_private": True},
        {"apprise": f"json://u:{CANARY}@127.0.0.1:1/{CANARY}?x={CANARY}"},
        {"apprise": f"slack://{CANARY}/{CANARY}"},
        {"apprise": [f"nosuchservice://{CANARY}"]},
        {"webhook": CANARY, "secret": 7},
        {"webhook": CANARY, "apprise": CANARY},
        {"class": "tests.alerts.channels.test_sending.Own", "options": {"to": CANARY, "more": CANARY}},
        {"class": "tests.alerts.channels.test_sending.Own", "options": {"to": CANARY}},
    ],
    ids=lambda given: next(iter(given)),
)
def test_secrets_are_said_nowhere(given: dict[str, Any], settings: Any, caplog: Any) -> None:
    caplog.set_level(logging.DEBUG)
    use(settings, one=given)
    Own.raises = RuntimeError(f"401 for https://api.example.org/{CANARY}/send?{CANARY}")
    with pytest.raises(ChannelError) as caught:
        channels.send("one", message())
    with pytest.raises(ChannelError) as tested:
        channels.send_test("one")
    for error in (caught.value, tested.value):
        assert CANARY not in "".join(traceback.format_exception(error))
        seen: list[BaseException] = [error]
        while seen:
            one = seen.pop()
            assert CANARY not in f"{one!r}{one.args}"
            seen += [behind for behind in (one.__cause__, one.__context__) if behind is not None]
    row = Channel.objects.get()
    assert row.error
    assert CANARY not in row.error
    assert CANARY not in caplog.text


def test_a_mail_password_is_said_nowhere(settings: Any) -> None:
    class Telling:
        timeout = 1

        def open(self) -> None:
            raise RuntimeError(f"login failed with {CANARY}")

        def close(self) -> None: ...

    use(settings, one={"email": "ada@example.org"})
    settings.MAILERS = {"default": {"OPTIONS": {"password": CANARY}}}
    if django.VERSION < (6, 1):
        settings.EMAIL_HOST_PASSWORD = CANARY
    loaded: Any = channels.load("one")
    loaded._backend = Telling
    with pytest.raises(ChannelError, match="login failed with") as caught:
        channels.send("one", message())
    assert CANARY not in str(caught.value)


def test_secrets_are_masked_however_they_are_quoted() -> None:
    url = "https://user:p%40ss-w0rd@example.org/services/T0000/abc%2Fdef?token=q%20q%20q"
    words = "p@ss-w0rd p%40ss-w0rd services abc/def T0000 q q q q+q+q example.org"
    masked = masking.mask(words, masking.of_url(url))
    assert masked.replace(masking.MASKED, "").split() == ["example.org"]
    assert masking.mask("a b /c", masking.of_url("https://example.org/c")) == "a b /c"


def test_a_channel_is_named_though_its_address_has_the_same_word(settings: Any, receiver: Receiver) -> None:
    use(settings, hook={"webhook": receiver.url("/hook"), "secret": "s3cret"})
    with pytest.raises(ChannelError, match=r"^hook: .*private"):
        channels.send_test("hook")


def test_what_a_message_says_is_not_masked_away_for_a_word(settings: Any) -> None:
    assert (
        masking.mask("HTTP 403", configured.secrets({"class": "x.y", "options": {"to": "40"}})) == "HTTP 403"
    )


def test_a_real_webhook_goes_the_whole_way(settings: Any, receiver: Receiver) -> None:
    use(settings, hook={"webhook": receiver.url(), "allow_private": True, "secret": "s3cret"})
    assert channels.send("hook", message()) == "hook"
    assert "webhook-signature" in receiver.last.headers


def test_the_last_resort_stands_in_no_row(settings: Any, receiver: Receiver) -> None:
    channels.send_apart({"webhook": receiver.url(), "allow_private": True}, message())
    assert len(receiver.received) == 1
    with pytest.raises(ChannelError, match="last resort: Its settings are wrong"):
        channels.send_apart({}, message())
    assert not Channel.objects.exists()
