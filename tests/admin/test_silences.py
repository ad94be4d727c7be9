"""Silences in the admin: who asks for quiet about what, until when and why, and who ends it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import connections
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils.timezone import localtime

from django_qaprod import clock, registry
from django_qaprod.conf import telemetry_alias
from django_qaprod.models import Silence
from tests.admin import rows

pytestmark = pytest.mark.django_db(databases="__all__")

LIST = "/admin/qaprod/silence/"
NAME = "orders fail"
HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def declared() -> Iterator[None]:
    """A rule and a journey."""
    with registry.isolated():
        registry.register_rule(rows.rule())
        registry.register(rows.JOURNEY)
        yield


def body(client: Client, address: str = LIST, **posted: Any) -> str:
    answer = client.post(address, posted, follow=True) if posted else client.get(address)
    assert answer.status_code == 200
    return answer.content.decode()


def typed(at: Any) -> str:
    """As a browser sends what was chosen in a field of a time."""
    return f"{localtime(at):%Y-%m-%dT%H:%M}"


def test_what_is_not_over_is_listed_unless_something_else_is_asked_for(client_of_boss: Client) -> None:
    """What holds now and what is to come."""
    now = clock.now()
    rows.silence(rule="holds")
    rows.silence(rule="comes", begins_at=now + HOUR, until=now + 2 * HOUR)
    rows.silence(rule="past", begins_at=now - 2 * HOUR, until=now - HOUR)

    def shown(when: str) -> set[str]:
        return {one.rule for one in client_of_boss.get(f"{LIST}?when={when}").context["cl"].result_list}

    assert shown("") == shown("nonsense") == {"holds", "comes"}
    assert (shown("now"), shown("coming"), shown("over")) == ({"holds"}, {"comes"}, {"past"})
    assert shown("all") == {"holds", "comes", "past"}


def test_quiet_is_asked_for_by_a_rule_for_a_time(client_of_boss: Client) -> None:
    """Whoever is signed in is who asked."""
    body(client_of_boss, f"{LIST}add/", rule=NAME, key="Firefox", span="86400", why="vendor bug", who="eve")
    silence = Silence.objects.get()
    assert (silence.rule, silence.key, silence.who, silence.why) == (NAME, "Firefox", "boss", "vendor bug")
    assert silence.until - silence.begins_at == timedelta(days=1)
    assert abs(silence.begins_at - clock.now()) < timedelta(minutes=1)


def test_a_maintenance_window_begins_later_and_is_of_everything(client_of_boss: Client) -> None:
    """Its times are those that the reader's clock shows."""
    now = clock.now()
    begins, until = now + 24 * HOUR, now + 27 * HOUR
    body(
        client_of_boss, f"{LIST}add/",
        everything="on", begins_at=typed(begins), until=typed(until), span="3600", why="database upgrade",
    )  # fmt: skip
    silence = Silence.objects.get()
    assert silence.everything
    assert silence.begins_at == begins.replace(second=0, microsecond=0)
    assert silence.until == until.replace(second=0, microsecond=0), "the time that is named, not the span"


@pytest.mark.parametrize(
    ("posted", "told"),
    [
        ({"span": "3600", "why": "w"}, "Say about what"),
        ({"everything": "on", "rule": NAME, "span": "3600", "why": "w"}, "everything and nothing else"),
        ({"rule": NAME, "span": "3600"}, "This field is required."),
        ({"rule": NAME, "span": "3600", "why": " "}, "This field is required."),
        ({"rule": NAME, "span": "", "why": "w"}, "Say until when."),
        ({"rule": NAME, "until": "2020-01-01T00:00", "why": "w"}, "over before it begins"),
        ({"rule": NAME, "until": "2999-01-01T00:00", "why": "w"}, "more than a year"),
        ({"rule": NAME, "begins_at": "9999-12-31T23:59", "span": "3600", "why": "w"}, "Say until when."),
        ({"rule": NAME, "until": "soon", "why": "w"}, "Enter a valid date/time."),
        ({"rule": NAME, "span": "7", "why": "w"}, "Select a valid choice."),
        ({"journey": "nobody", "span": "3600", "why": "w"}, "Select a valid choice."),
        ({"key": "\x00", "span": "3600", "why": "w"}, "Null characters are not allowed."),
    ],
)
def test_a_silence_of_nothing_without_end_or_reason_is_refused(
    client_of_boss: Client, posted: dict[str, str], told: str
) -> None:
    """With what is missing."""
    assert told in body(client_of_boss, f"{LIST}add/", **posted)
    assert not Silence.objects.exists()


def test_the_form_may_be_filled_in_by_its_address(client_of_boss: Client) -> None:
    """Also with a rule that is gone, of which there still may be an alert."""
    text = body(client_of_boss, f"{LIST}add/?rule=gone&key=Firefox")
    assert '<option value="gone" selected>' in text
    assert 'value="Firefox"' in text
    body(client_of_boss, f"{LIST}add/", rule="gone", span="3600", why="w")
    assert Silence.objects.get().rule == "gone"


def test_a_silence_of_what_nobody_knows_is_made_with_a_warning(client_of_boss: Client) -> None:
    """What is told apart is typed, and one letter is enough for it to hold back nothing."""
    registry.register_rule(rows.rule("dips"))
    verdict = {"key": "Chrome", "wrong": False, "value": 1.0, "limit": 3.0, "words": "", "usual": ""}
    rows.judged("dips", verdicts=[verdict])
    rows.alert(key="Firefox")

    def warned(**named: str) -> bool:
        text = body(client_of_boss, f"{LIST}add/", **named, span="3600", why="w")
        assert "It is silent until" in text
        return "No alert and no rule knows" in text

    assert warned(key="Firefix")
    assert warned(key="Firefox", rule="dips"), "of another rule"
    assert warned(key="Chrome", rule=NAME)
    assert not warned(key="Firefox")
    assert not warned(key="Firefox", rule=NAME, journey=rows.JOURNEY.name)
    assert not warned(key="Chrome", rule="dips")
    assert not warned(rule=NAME)
    assert Silence.objects.count() == 7


def test_the_end_of_a_silence_has_one_full_stop(client_of_boss: Client) -> None:
    """Which is that of “p.m.”."""
    posted = {"do": "silence", "span": "3600", "why": "w"}
    texts = [
        body(client_of_boss, f"/admin/qaprod/alert/{rows.alert().pk}/act/", **posted),
        body(client_of_boss, f"{LIST}add/", rule=NAME, span="3600", why="w"),
    ]
    for text in texts:
        assert "m.</li>" in text
        assert "m..<" not in text


def test_a_page_shows_what_would_be_told_but_for_it(client_of_boss: Client) -> None:
    """To those who may look at alerts."""
    silence = rows.silence(rule=NAME, key="a")
    mine, other = rows.alert(key="a"), rows.alert(key="b")
    text = body(client_of_boss, f"{LIST}{silence.pk}/change/")
    assert f"/alert/{mine.pk}/" in text
    assert f"/alert/{other.pk}/" not in text
    client = Client()
    client.force_login(rows.user("viewer", "view_silence"))
    assert f"/alert/{mine.pk}/" not in body(client, f"{LIST}{silence.pk}/change/")


def test_who_ends_a_silence_is_kept(client_of_boss: Client) -> None:
    """Once; from its page or several at a time."""
    one, coming = (
        rows.silence(rule="a"),
        rows.silence(rule="b", begins_at=clock.now() + HOUR, until=clock.now() + 2 * HOUR),
    )
    assert "1 silence is over." in body(client_of_boss, f"{LIST}{one.pk}/end/", x="")
    assert "Nothing changed" in body(client_of_boss, f"{LIST}{one.pk}/end/", x="")
    text = body(client_of_boss, f"{LIST}{one.pk}/change/")
    assert "ended early" in text
    assert "/end/" not in text
    data = {"action": "end", "_selected_action": [one.pk, coming.pk], "index": "0"}
    assert "1 silence is over." in body(client_of_boss, f"{LIST}?when=all", **data)
    assert set(Silence.objects.values_list("ended_by", flat=True)) == {"boss"}


def test_who_may_only_make_silences_makes_them() -> None:
    """And is led to where they may look."""
    client = Client()
    client.force_login(rows.user("maker", "add_silence"))
    answer = client.post(f"{LIST}add/", {"rule": NAME, "span": "3600", "why": "w"})
    assert answer.headers["Location"] == "/admin/"
    client.force_login(rows.user("looker", "add_silence", "view_silence"))
    assert client.post(f"{LIST}{Silence.objects.get().pk}/end/").status_code == 403


@pytest.mark.parametrize("pk", ["0", "999999", "x", "%00", "9" * 40, "٣"])
def test_what_is_no_silence_is_not_found(client_of_boss: Client, pk: str) -> None:
    """Whatever stands in its address."""
    assert client_of_boss.get(f"{LIST}{pk}/change/").status_code == 404
    assert client_of_boss.post(f"{LIST}{pk}/end/").status_code == 404


def test_the_list_and_a_page_read_a_fixed_number_of_rows(client_of_boss: Client) -> None:
    """Whatever the number of silences and alerts."""

    def queries(address: str) -> int:
        with CaptureQueriesContext(connections[telemetry_alias()]) as read:
            body(client_of_boss, address)
        return len(read)

    silence = rows.silence(everything=True)
    rows.alert()
    few = queries(LIST), queries(f"{LIST}{silence.pk}/change/")
    for number in range(30):
        rows.silence(rule=str(number))
        rows.alert(key=str(number))
    assert (queries(LIST), queries(f"{LIST}{silence.pk}/change/")) == few
