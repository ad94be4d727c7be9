"""Channels and notifications in the admin: how each channel does, a test, and what became of each message."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.db import connections
from django.test import Client
from django.test.utils import CaptureQueriesContext

from django_qaprod import clock
from django_qaprod.conf import telemetry_alias
from django_qaprod.models import Channel, Notification
from tests.admin import rows

pytestmark = pytest.mark.django_db(databases="__all__")

CHANNELS = "/admin/qaprod/channel/"
LIST = "/admin/qaprod/notification/"


@pytest.fixture(autouse=True)
def channels(settings: Any) -> None:
    """Two that can be made, one of which has a secret, and one that cannot."""
    settings.QAPROD = {
        **getattr(settings, "QAPROD", {}),
        "CHANNELS": {
            "mail": {"email": ["on-call@example.org"]},
            "chat": {"webhook": "https://ada:hunter2@chat.example.org/hook?token=s3cr3t", "fallback": "mail"},
            "odd": {},
        },
    }


def body(client: Client, address: str = CHANNELS, **posted: Any) -> str:
    answer = client.post(address, posted, follow=True) if posted else client.get(address)
    assert answer.status_code == 200
    return answer.content.decode()


# Channels


def test_each_channel_says_how_it_does(client_of_boss: Client) -> None:
    """Also one that was never used, and one whose settings make none."""
    now = clock.now()
    rows.channel(
        "chat", failures=4, failed_at=now, error="chat: refused", open_until=now + timedelta(minutes=5)
    )
    rows.channel("gone")
    page = client_of_boss.get(CHANNELS).context["page"]
    assert [(one.name, one.state, one.fallback) for one in page.rows] == [
        ("mail", "unused", ""), ("chat", "alone", "mail"), ("odd", "wrong", ""),
    ]  # fmt: skip
    assert page.gone == ["gone"]
    Channel.objects.filter(name="chat").update(open_until=now)
    rows.channel("mail")
    page = client_of_boss.get(CHANNELS).context["page"]
    assert [one.state for one in page.rows] == ["fine", "failing", "wrong"]


def test_no_secret_of_a_channel_is_shown(client_of_boss: Client) -> None:
    """Nor its address, which is one."""
    text = body(client_of_boss)
    for secret in ("hunter2", "s3cr3t", "chat.example.org"):
        assert secret not in text


def test_a_test_is_sent_and_what_became_of_it_told(client_of_boss: Client) -> None:
    """By that channel and no other; who asked is in the message."""
    assert "A test is sent by mail" in body(client_of_boss, f"{CHANNELS}test/", channel="mail")
    assert len(mail.outbox) == 1
    assert "boss" in mail.outbox[0].body
    assert Channel.objects.get(name="mail").sent_at is not None


def test_a_test_that_is_not_taken_says_why(client_of_boss: Client) -> None:
    """It is no error of the page."""
    text = body(client_of_boss, f"{CHANNELS}test/", channel="odd")
    assert "It was not taken" in text
    assert not mail.outbox


@pytest.mark.parametrize("name", ["", "nobody", "mail\x00", "admins", "last resort"])
def test_only_channels_of_the_settings_are_tested(client_of_boss: Client, name: str) -> None:
    """Whatever a form that is not ours sends."""
    assert client_of_boss.post(f"{CHANNELS}test/", {"channel": name}).status_code == 404
    assert not mail.outbox
    assert not Channel.objects.exists()


def test_who_may_only_look_is_offered_no_test() -> None:
    """A test has a permission of its own."""
    client = Client()
    client.force_login(rows.user("viewer", "view_channel"))
    assert "Send a test" not in body(client)
    assert client.post(f"{CHANNELS}test/", {"channel": "mail"}).status_code == 403


def test_without_channels_it_says_that_nobody_can_be_told(client_of_boss: Client, settings: Any) -> None:
    """And what to write into the settings; whoever is in ``ADMINS`` is a channel of its own."""
    settings.QAPROD = {**settings.QAPROD, "CHANNELS": {}}
    settings.ADMINS = []
    assert "Nobody can be told" in body(client_of_boss)
    settings.ADMINS = [("Ada", "ada@example.org")]
    assert ">admins<" in body(client_of_boss)


# Notifications


def test_notifications_are_listed_with_what_became_of_them(client_of_boss: Client) -> None:
    """The latest first; why one waits, was not needed or went wrong."""
    alert, now = rows.alert("dips", key="Firefox"), clock.now()
    rows.notification(alert, made_at=now - timedelta(hours=1), lane="mail")
    rows.notification(alert, lane="chat", state="failed", error="chat: refused", sent_at=None, via="mail")
    rows.notification(alert, lane="pager", state="waiting", held="silenced by ada", sent_at=None)
    text = body(client_of_boss, LIST)
    for words in ("dips: Firefox", "chat: refused", "silenced by ada", "by mail", f"/alert/{alert.pk}/"):
        assert words in text, words
    shown = client_of_boss.get(LIST).context["cl"].result_list
    assert [one.lane for one in shown] == ["pager", "chat", "mail"]


def test_notifications_are_filtered_and_found(client_of_boss: Client) -> None:
    """By state, channel and kind, and by a part of the rule's name."""
    first, second = rows.alert("orders fail"), rows.alert("dips")
    rows.notification(first, lane="mail")
    rows.notification(second, lane="chat", state="failed", kind="reminder")

    def shown(query: str) -> list[str]:
        return [one.alert.rule for one in client_of_boss.get(f"{LIST}?{query}").context["cl"].result_list]

    assert shown("state__exact=failed") == shown("channel=chat") == shown("kind__exact=reminder") == ["dips"]
    assert shown("q=dip") == ["dips"]
    assert shown("q=%00") == ["dips", "orders fail"]
    assert shown("q=zzz") == []
    assert shown("channel=mail%00") == ["orders fail"]


def test_a_page_of_notifications_reads_its_own_rows(client_of_boss: Client) -> None:
    """Of a thousand or of ten million: nothing is counted, and the index has their order."""
    alert = rows.alert()
    Notification.objects.bulk_create(
        Notification(
            alert=alert, lane="mail", kind="reminder", number=number, made_at=clock.now(), due_at=clock.now()
        )
        for number in range(120)
    )
    with CaptureQueriesContext(connections[telemetry_alias()]) as read:
        answer = client_of_boss.get(LIST)
    asked = [query["sql"] for query in read if "qaprod_notification" in query["sql"]]
    assert len(asked) == 1
    assert "LIMIT 51" in asked[0]
    assert len(answer.context["cl"].result_list) == 50
    assert 'href="?p=2">earlier' in answer.content.decode()
    assert len(client_of_boss.get(f"{LIST}?p=3").context["cl"].result_list) == 20


@pytest.mark.parametrize("pk", ["0", "999999", "x", "%00", "9" * 40])
def test_what_is_no_notification_is_not_found(client_of_boss: Client, pk: str) -> None:
    """Whatever stands in its address."""
    assert client_of_boss.get(f"{LIST}{pk}/change/").status_code == 404


def test_before_anything_was_told_it_says_what_will_be_there(client_of_boss: Client) -> None:
    """An empty list explains itself."""
    assert "Nobody was told anything yet." in body(client_of_boss, LIST)
    assert "No notification matches." in body(client_of_boss, f"{LIST}?q=zzz")
