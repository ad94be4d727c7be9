"""Alerts in the admin: what fires now, an alert's page, what people do, and how useful it was."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.db import connections
from django.test import Client
from django.test.utils import CaptureQueriesContext

from django_qaprod import clock, registry
from django_qaprod.conf import telemetry_alias
from django_qaprod.models import Alert, Deploy, JobRun, Silence, Transition
from django_qaprod.specs import Measure, RuleSpec
from tests.admin import rows

pytestmark = pytest.mark.django_db(databases="__all__")

LIST = "/admin/qaprod/alert/"
NAME = "orders fail"


@pytest.fixture(autouse=True)
def rule() -> Iterator[RuleSpec]:
    """The rule of the alerts, which is declared."""
    with registry.isolated():
        registry.register_rule(rows.rule())
        yield rows.rule()


def body(client: Client, address: str = LIST, **posted: Any) -> str:
    answer = client.post(address, posted, follow=True) if posted else client.get(address)
    assert answer.status_code == 200
    return answer.content.decode()


def page_of(alert: Alert) -> str:
    return f"{LIST}{alert.pk}/"


def looked(*, ago: timedelta) -> None:
    at = clock.now() - ago
    JobRun.objects.create(name="alerts", started_at=clock.now(), finished_at=at, succeeded_at=at)


# The list


def test_what_fires_comes_first_and_the_worst_of_it(client_of_boss: Client) -> None:
    """Then what is pending, whatever its severity; what is over only when it is asked for."""
    for name, fields in (
        ("over", {"state": "resolved", "resolved_at": clock.now(), "rank": 0}),
        ("pending", {"state": "pending", "rank": 0, "fired_at": None}),
        ("mild", {"rank": 2}),
        ("young", {"rank": 0}),
        ("old", {"rank": 0, "fired_at": clock.now() - timedelta(days=1)}),
    ):
        rows.alert(name, **fields)
    shown = [alert.rule for alert in client_of_boss.get(LIST).context["cl"].result_list]
    assert shown == ["young", "old", "mild", "pending"]
    resolved = client_of_boss.get(f"{LIST}?state=resolved").context["cl"].result_list
    assert [alert.rule for alert in resolved] == ["over"]
    everything = client_of_boss.get(f"{LIST}?state=all").context["cl"].result_list
    assert [alert.rule for alert in everything] == ["old", "young", "mild", "pending", "over"]


def test_the_list_says_who_is_on_it_and_what_keeps_it_quiet(client_of_boss: Client) -> None:
    """A silence of the rule and one of another key; and what its message waits for."""
    rows.alert(key="a", acknowledged_by="ada", acknowledged_at=clock.now())
    held = rows.alert(key="b")
    rows.silence(rule=NAME, key="a", who="bob")
    rows.silence(rule=NAME, key="other", who="eve")
    rows.notification(held, state="waiting", held="It waits for the site.", sent_at=None)
    text = body(client_of_boss)
    assert ">ada<" in text
    assert re.search(r"silent until .* by bob", text)
    assert "by eve" not in text
    assert "It waits for the site." in text


def test_what_another_alert_explains_comes_after_what_is_told(client_of_boss: Client) -> None:
    """However bad it is; the list and its page say which rule holds it back, and for ten minutes after."""
    registry.register_rule(rows.rule("orders stop", inhibited_by=(NAME,)))
    held = rows.alert("orders stop", severity="critical", rank=0)
    cause = rows.alert()
    pending = rows.alert("others", state="pending", fired_at=None)
    answer = client_of_boss.get(LIST)
    assert list(answer.context["cl"].result_list) == [cause, held, pending]
    said = f"held back: “{NAME}” explains it"
    assert said in answer.content.decode()
    assert said in body(client_of_boss, page_of(held))
    assert f"rule/rule/?name={NAME.replace(' ', '+')}" in body(client_of_boss, page_of(held))
    assert said not in body(client_of_boss, page_of(cause))
    Alert.objects.filter(pk=cause.pk).update(state="resolved", resolved_at=clock.now())
    assert said in body(client_of_boss)
    Alert.objects.filter(pk=cause.pk).update(resolved_at=clock.now() - timedelta(minutes=11))
    answer = client_of_boss.get(LIST)
    assert list(answer.context["cl"].result_list) == [held, pending]
    assert "held back" not in answer.content.decode()


def test_the_list_says_how_many_people_each_alert_concerns(client_of_boss: Client) -> None:
    """Those whom the failures hit that belong to it, as on its page; nothing where none can belong."""
    registry.register_rule(rows.rule("a gauge", of=Measure(kind="gauge", name="queue")))
    alert, other = rows.alert(), rows.alert("a gauge")
    now = clock.now()
    for number in (1, 2):
        failure = rows.failure(number, journey=rows.JOURNEY.name, first_seen=now, last_seen=now)
        for key in ("a", "b", f"c{number}"):
            rows.affected(failure, key, who="user")
    rows.affected(rows.failure(3, journey="other", first_seen=now, last_seen=now), "x", who="user")
    shown = {row.pk: row.hit for row in client_of_boss.get(LIST).context["cl"].result_list}
    assert shown == {alert.pk: ["4 people"], other.pk: []}
    assert "4 people" in body(client_of_boss, page_of(alert))


def test_what_is_louder_elsewhere_hides_no_people_of_an_alert(client_of_boss: Client) -> None:
    """The list says what the alert's page says, whatever else fires."""
    registry.register_rule(rows.rule("payments fail", of=Measure(kind="failures", journey="Payment")))
    quiet, loud = rows.alert(), rows.alert("payments fail", journey="Payment")
    now = clock.now()
    for number in range(25):
        failure = rows.failure(number, journey="Payment", count=9000, first_seen=now, last_seen=now)
        rows.affected(failure, "x", who="user")
    failure = rows.failure(99, journey=rows.JOURNEY.name, count=3, first_seen=now, last_seen=now)
    for key in "abc":
        rows.affected(failure, key, who="user")
    shown = {row.pk: row.hit for row in client_of_boss.get(LIST).context["cl"].result_list}
    assert shown == {quiet.pk: ["3 people"], loud.pk: ["at least 1 person"]}
    assert "3 people" in body(client_of_boss, page_of(quiet))
    assert "at least 1 person" in body(client_of_boss, page_of(loud))


def test_who_may_not_look_at_failures_is_not_told_whom_they_hit(client: Client) -> None:
    """Neither in the list."""
    rows.alert()
    now = clock.now()
    failure = rows.failure(journey=rows.JOURNEY.name, first_seen=now, last_seen=now)
    rows.affected(failure, "a", who="user")
    for name, permissions, told in (
        ("a", ("view_alert",), False),
        ("b", ("view_alert", "view_failure"), True),
    ):
        client.force_login(rows.user(name, *permissions))
        assert ("<span>1 person</span>" in body(client)) == told


def test_where_nothing_fires_it_says_who_watches_and_since_when(client_of_boss: Client) -> None:
    """An empty list may be good news, or nobody looks."""
    text = body(client_of_boss)
    assert "No rule fires." in text
    assert "have not been judged yet" in text
    looked(ago=timedelta(seconds=20))
    text = body(client_of_boss)
    assert f"{len(registry.rules())} rules watch." in text
    assert "They were judged last 20 s ago." in text
    assert "No alert matches." in body(client_of_boss, f"{LIST}?q=zzz")


@pytest.mark.parametrize(("ago", "told"), [(4, False), (6, True)])
def test_it_is_told_when_nobody_has_judged_for_minutes(client_of_boss: Client, ago: int, told: bool) -> None:
    """What is shown is from before then."""
    rows.alive()
    looked(ago=timedelta(minutes=ago))
    alert = rows.alert()
    for address in (LIST, page_of(alert), "/admin/qaprod/rule/"):
        assert ("No look at the rules has ended well" in body(client_of_boss, address)) == told


def test_alerts_are_found_by_a_part_of_their_names(client_of_boss: Client) -> None:
    """Of the rule or of what it tells apart."""
    rows.alert("dips", key="Firefox")
    rows.alert("others")
    for term in ("dip", "fire"):
        text = body(client_of_boss, f"{LIST}?q={term}")
        assert ">dips<" in text
        assert ">others<" not in text


def test_several_are_acknowledged_at_once(client_of_boss: Client) -> None:
    """Those that were are not taken away from who has them."""
    alerts = [rows.alert(key=key) for key in "ab"]
    rows.alert(key="c")
    mine = rows.alert(key="d", acknowledged_by="ada", acknowledged_at=clock.now())
    chosen = [alert.pk for alert in (*alerts, mine)]
    text = body(client_of_boss, LIST, action="acknowledge", _selected_action=chosen, index="0")
    assert "2 alerts are acknowledged." in text
    assert dict(Alert.objects.values_list("key", "acknowledged_by")) == {
        "a": "boss", "b": "boss", "c": "", "d": "ada",
    }  # fmt: skip


def test_to_silence_asks_how_long_and_why(client_of_boss: Client) -> None:
    """One silence for each rule and key, however many alerts there were of it."""
    before = {"state": "resolved", "resolved_at": clock.now()}
    chosen = [rows.alert(key="a", **before).pk, rows.alert(key="a").pk, rows.alert(key="b").pk]
    data = {"action": "silence", "_selected_action": chosen, "index": "0"}
    asked = body(client_of_boss, f"{LIST}?state=all", **data)
    assert "3 alerts will be silent" in asked
    assert "This field is required." in body(
        client_of_boss, f"{LIST}?state=all", **data, confirmed="yes", span="86400", why=""
    )
    assert not Silence.objects.exists()
    body(client_of_boss, f"{LIST}?state=all", **data, confirmed="yes", span="86400", why="vendor bug")
    found = Silence.objects.order_by("key")
    assert [(one.rule, one.key, one.who, one.why) for one in found] == [
        (NAME, key, "boss", "vendor bug") for key in "ab"
    ]
    assert found[0].until - found[0].made_at == pytest.approx(timedelta(days=1), abs=timedelta(seconds=5))


def test_to_resolve_asks_why(client_of_boss: Client) -> None:
    """But takes no answer for one."""
    alert = rows.alert()
    data = {"action": "resolve", "_selected_action": [alert.pk], "index": "0"}
    assert "it fires anew" in body(client_of_boss, LIST, **data)
    body(client_of_boss, LIST, **data, confirmed="yes", why="mended")
    alert.refresh_from_db()
    assert alert.state == "resolved"
    assert Transition.objects.get(alert=alert).why == "mended"


# An alert's page


def test_a_page_says_what_happened_since_when_and_compared_with_what(client_of_boss: Client) -> None:
    """With what went live and failed before, who was told, and what became of it."""
    alert = rows.alert(key="Firefox")
    Deploy.objects.create(release="r7", at=alert.began_at - timedelta(minutes=20))
    near, far = rows.failure(1), rows.failure(2)
    type(near).objects.filter(pk=near.pk).update(first_seen=alert.began_at - timedelta(minutes=5))
    rows.notification(alert, lane="chat", state="failed", error="chat: It refused the message.", sent_at=None)
    Transition.objects.create(
        alert=alert, at=clock.now(), who="qaprod", before="pending", after="firing", why="Wrong for 5 min."
    )
    text = body(client_of_boss, page_of(alert))
    for words in (
        "14 in 5 min", "the limit is 3", "Firefox", "r7", "It refused the message.", "Wrong for 5 min.",
        "failures of JobApplication", "nobody yet",
    ):  # fmt: skip
        assert words in text, words
    assert f"/failure/{near.pk}/change/" in text
    assert f"/failure/{far.pk}/change/" not in text


def test_a_page_says_what_changed_before_as_its_message_does(client_of_boss: Client) -> None:
    """Three releases and three flags however often those are saved, and what people changed of the rule.

    Until shortly after it fired: it began in the minute in which the flag was changed.
    """
    at = clock.now().replace(second=0, microsecond=0) - timedelta(minutes=10)
    alert = rows.alert(began_at=at, fired_at=at + timedelta(seconds=70))
    Deploy.objects.create(release="r7", at=at - timedelta(minutes=119), note="the short form")
    Deploy.objects.create(release="r6", at=at - timedelta(minutes=121))
    Deploy.objects.create(release="r8", at=at + timedelta(minutes=7))
    for minute in range(5):
        moment = at + timedelta(seconds=42 - 60 * minute)
        Deploy.objects.create(release=f"form {minute}", at=moment, note="active on", flag=True)
    lately, long_ago = (f"{clock.now() - timedelta(days=days):%Y-%m-%dT%H:%M:%S+00:00}" for days in (1, 8))
    rows.judged(
        override={
            "numbers.at_least": {"value": 3.0, "who": "ada", "at": lately},
            "numbers.window": {"who": "bob", "at": lately},
            "severity": {"value": "info", "who": "eve", "at": long_ago},
        }
    )
    answer = client_of_boss.get(page_of(alert))
    assert [(one.what, one.note) for one in answer.context["page"].changes] == [
        ("flag form 0", "active on"),
        ("flag form 1", "active on"),
        ("flag form 2", "active on"),
        ("release r7", "the short form"),
        ("of the rule, at least: 3", "ada"),
        ("of the rule, window: as in the code again", "bob"),
    ]
    text = answer.content.decode()
    assert text.index("changed before") < text.index("<bdi>flag form 0</bdi>") < text.index("release r7")
    assert '<span class="qaprod-mark">flag changed</span>' in text
    earlier = rows.alert(
        "gone", began_at=at - timedelta(days=1), fired_at=at - timedelta(days=1), state="resolved"
    )
    assert "nothing that is known, in the two hours before" in body(client_of_boss, page_of(earlier))


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({}, "right since {since}; over at about {ten} if it stays so"),
        ({"flapping": True}, "right since {since}; over at about {thirty} if it stays so"),
        ({"rule": "right at once"}, "right since {since}<"),
        ({"rule": "calls", "key": "said"}, "right since {since}; over at about {ten} if it stays so"),
        ({"rule": "calls", "key": "unsaid"}, ""),
        ({"rule": "calls", "key": "wrong"}, ""),
        ({"rule": "failing"}, ""),
        ({"rule": "silent"}, ""),
        ({"rule": "late"}, ""),
        ({"rule": "unjudged"}, ""),
        ({"rule": "gone"}, ""),
        ({"state": "pending", "fired_at": None}, ""),
    ],
)
def test_what_is_right_again_says_since_when_and_until_when_it_is_kept(
    client_of_boss: Client, settings: Any, fields: dict[str, Any], told: str
) -> None:
    """Its words are of the last time that it was wrong; of whom nobody knows nothing is said."""
    settings.TIME_ZONE = "UTC"
    with time_machine.travel(datetime(2026, 11, 3, 13, 20, tzinfo=UTC), tick=False):
        for name in ("failing", "silent", "late", "unjudged"):
            registry.register_rule(rows.rule(name))
        at_once = {"at_least": 3.0, "window": 300.0, "keep_firing": 60.0}
        registry.register_rule(rows.rule("right at once", numbers=at_once))
        gauge = Measure(kind="gauge", name="calls")
        registry.register_rule(rows.rule("calls", of=gauge, by="label"))
        rows.judged()
        rows.judged("right at once")
        rows.judged("failing", error="KeyError")
        rows.judged("silent", silent="It has no data.")
        rows.judged("late", judged_at=clock.now() - timedelta(minutes=3))
        verdicts = [{"key": "said", "wrong": False}, {"key": "wrong", "wrong": True}]
        rows.judged("calls", verdicts=[{"value": 1.0, "limit": 3.0, **one} for one in verdicts])
        given: dict[str, Any] = {"wrong_at": clock.now() - timedelta(minutes=3), **fields}
        alert = rows.alert(given.pop("rule", NAME), **given)
        said = told.format(since="1:17 p.m.", ten="1:27 p.m.", thirty="1:47 p.m.")
        for address in (LIST, page_of(alert)):
            text = body(client_of_boss, address)
            assert said in text if said else "right since" not in text
        type(alert).objects.update(wrong_at=clock.now() - timedelta(seconds=80))
        assert "right since" not in body(client_of_boss)


def test_the_chart_has_the_measure_with_its_limit_and_what_went_live(client_of_boss: Client) -> None:
    """In steps as long as the rule's window, so that one compares with the limit."""
    alert = rows.alert()
    Deploy.objects.create(release="r7", at=alert.began_at - timedelta(minutes=20))
    chart = client_of_boss.get(page_of(alert)).context["page"].chart
    assert [line.label for line in chart.lines] == ["how often", "limit"]
    assert set(chart.lines[1].values) == {3.0}
    assert (chart.starts[1] - chart.starts[0]).total_seconds() == 300
    assert [mark.label for mark in chart.marks] == ["r7"]


def test_a_rule_that_is_gone_leaves_its_alert_readable(client_of_boss: Client) -> None:
    """Without what only its declaration knows."""
    alert = rows.alert("gone")
    text = body(client_of_boss, page_of(alert))
    assert "its rule is not declared any more" in text
    assert "14 in 5 min" in text
    assert "/rule/rule/" not in text


def test_what_cannot_be_told_apart_has_no_chart(client_of_boss: Client) -> None:
    """And its page is no error."""
    registry.register_rule(rows.rule("odd", by="nothing that a failure has"))
    alert = rows.alert("odd", key="x")
    assert client_of_boss.get(page_of(alert)).context["page"].chart is None


def test_a_runbook_that_is_no_page_is_not_followed(client_of_boss: Client) -> None:
    """Its address is text that somebody wrote."""
    registry.register_rule(rows.rule("safe", runbook="https://wiki.example.org/a"))
    registry.register_rule(rows.rule("bad", runbook="javascript:alert(1)"))
    assert 'href="https://wiki.example.org/a"' in body(client_of_boss, page_of(rows.alert("safe")))
    assert 'href="javascript:' not in body(client_of_boss, page_of(rows.alert("bad")))


def test_the_buttons_of_a_page_do_what_they_say(client_of_boss: Client) -> None:
    """Each once; a second press changes nothing and says so."""
    alert = rows.alert(key="Firefox")
    act = f"{page_of(alert)}act/"
    assert "1 alert is acknowledged." in body(client_of_boss, act, do="acknowledge")
    assert "Nothing changed" in body(client_of_boss, act, do="acknowledge")
    assert "Nobody is on 1 alert any more" in body(client_of_boss, act, do="give_back")
    assert "Nothing changed" in body(client_of_boss, act, do="give_back")
    body(client_of_boss, act, do="acknowledge")
    assert "Say why" in body(client_of_boss, act, do="silence", span="3600")
    assert "1 alert is silent until" in body(client_of_boss, act, do="silence", span="3600", why="on it")
    assert Silence.objects.get().key == "Firefox"
    assert "it counts for the rule" in body(client_of_boss, act, do="useful")
    assert "1 alert is resolved." in body(client_of_boss, act, do="resolve", why="mended")
    alert.refresh_from_db()
    assert (alert.acknowledged_by, alert.useful, alert.state) == ("boss", True, "resolved")
    text = body(client_of_boss, page_of(alert))
    for value in ("acknowledge", "silence", "resolve"):
        assert f'name="do" value="{value}"' not in text, "it is over"


def test_each_act_of_a_page_is_a_form_of_its_own(client_of_boss: Client) -> None:
    """Enter in a field presses the first button of its form: it does what stands beside the field."""
    alert = rows.alert()
    for shown in ("acknowledge", "give_back"):
        text = body(client_of_boss, page_of(alert))
        forms = re.findall(r"<form [^>]*act/.*?</form>", text, re.DOTALL)
        buttons = [re.findall(r'name="do" value="(\w+)"', form) for form in forms]
        assert buttons == [[shown], ["resolve"], ["silence"], ["useful", "useless"]]
        assert ['name="why"' in form for form in forms] == [False, True, True, False]
        body(client_of_boss, f"{page_of(alert)}act/", do="acknowledge")


def test_an_acknowledgement_that_is_taken_back_is_reminded_of_again(client_of_boss: Client) -> None:
    """As if it fired now; where its rule is gone, not."""
    for name, reminded in ((NAME, True), ("gone", False)):
        alert = rows.alert(name, acknowledged_by="ada", acknowledged_at=clock.now())
        body(client_of_boss, f"{page_of(alert)}act/", do="give_back")
        alert.refresh_from_db()
        assert (alert.acknowledged_at, alert.acknowledged_by) == (None, "")
        soon = clock.now() + timedelta(minutes=29)
        assert (alert.remind_at is not None and alert.remind_at > soon) == reminded


@pytest.mark.parametrize("posted", [{"do": "delete"}, {}, {"do": "silence", "why": "x", "span": "9e9"}])
def test_what_is_no_act_changes_nothing(client_of_boss: Client, posted: dict[str, str]) -> None:
    """Whatever a form that is not ours sends."""
    alert = rows.alert()
    answer = client_of_boss.post(f"{page_of(alert)}act/", posted)
    assert answer.status_code == 302
    alert.refresh_from_db()
    assert (alert.state, alert.acknowledged_by) == ("firing", "")
    assert not Silence.objects.exists()


def test_while_it_is_pending_nobody_says_whether_it_was_useful(client_of_boss: Client) -> None:
    """Nobody was told."""
    alert = rows.alert(state="pending", fired_at=None)
    text = body(client_of_boss, page_of(alert))
    assert 'value="useful"' not in text
    assert "while it is pending, nobody is told" in text


def test_who_may_not_look_at_failures_is_not_shown_them() -> None:
    """Nor whom they hit."""
    alert = rows.alert()
    failure = rows.failure(message="a secret of the host", journey=rows.JOURNEY.name)
    type(failure).objects.filter(pk=failure.pk).update(first_seen=clock.now(), last_seen=clock.now())
    rows.affected(failure, "app1")
    for name, given in (("without", ()), ("with", ("view_failure",))):
        client = Client()
        client.force_login(rows.user(name, "view_alert", *given))
        text = body(client, page_of(alert))
        assert ("a secret of the host" in text) == ("1 subject" in text) == (name == "with")
        assert ("Whoever may look at failures" in text) == (name == "without")


@pytest.mark.parametrize("pk", ["0", "999999", "x", "%00", "9" * 40, "٣"])
def test_what_is_no_alert_is_not_found(client_of_boss: Client, pk: str) -> None:
    """Whatever stands in its address."""
    for address in (f"{LIST}{pk}/change/", f"{LIST}{pk}/history/"):
        assert client_of_boss.get(address).status_code == 404
    assert client_of_boss.get(f"{LIST}{pk}/").status_code in {302, 404}


def test_the_list_and_a_page_read_a_fixed_number_of_rows(client_of_boss: Client) -> None:
    """Whatever the number of alerts, their messages and their history."""

    def queries(address: str) -> int:
        with CaptureQueriesContext(connections[telemetry_alias()]) as read:
            body(client_of_boss, address)
        return len(read)

    def add(alert: Alert) -> None:
        rows.silence(rule=alert.rule, key=alert.key)
        rows.notification(alert, state="waiting", held="later")
        Transition.objects.create(alert=alert, at=clock.now(), who="x", before="firing", after="firing")

    alert = rows.alert()
    add(alert)
    rows.affected(rows.failure(journey=rows.JOURNEY.name), "a")
    addresses = (LIST, f"{LIST}?state=all", page_of(alert), f"{LIST}usefulness/")
    few = [queries(address) for address in addresses]
    for number in range(30):
        add(rows.alert(key=str(number), useful=bool(number % 2)))
        rows.notification(alert, number=number + 1)
        rows.affected(rows.failure(number + 10, journey=rows.JOURNEY.name), "a")
    assert [queries(address) for address in addresses] == few


# How useful they were


def test_rules_that_cry_wolf_are_named_with_the_limit_that_would_have_fitted(client_of_boss: Client) -> None:
    """Of at least three that were judged, fewer than half were useful."""
    for name, values in (
        ("wolf", ((3, False), (4, False), (12, True))),
        ("fine", ((3, False), (4, True), (12, True))),
        ("young", ((3, False), (4, False))),
        ("never", ((3, False), (4, False), (5, False))),
    ):
        for value, useful in values:
            rows.alert(name, state="resolved", value=value, useful=useful, resolved_at=clock.now())
    rows.alert("unjudged", state="resolved")
    page = client_of_boss.get(f"{LIST}usefulness/").context["page"]
    assert [(one.rule, one.useful, one.judged) for one in page.wolves] == [("never", 0, 3), ("wolf", 1, 3)]
    assert "no alert of it was useful" in page.wolves[0].fitting
    assert page.wolves[1].fitting.startswith("8: 2 of 2 that were not useful")
    assert {one.rule for one in page.rules} == {"wolf", "fine", "young", "never"}
    assert [month.judged for month in page.wolves[1].months][-1] + sum(
        month.judged for month in page.wolves[1].months[:-1]
    ) == 3
    assert "not declared any more" in body(client_of_boss, f"{LIST}usefulness/")


def test_until_somebody_judges_it_says_how(client_of_boss: Client) -> None:
    """There is nothing to add up."""
    assert "Nobody has judged an alert yet." in body(client_of_boss, f"{LIST}usefulness/")


def test_without_time_zones_the_pages_are_the_same(client_of_boss: Client, settings: Any) -> None:
    """A project with ``USE_TZ = False`` keeps local times without a zone."""
    settings.USE_TZ = False
    alert = rows.alert(useful=True)
    rows.judged(override={"severity": {"value": "info", "who": "ada", "at": "2026-11-20T10:00:00+00:00"}})
    silence = rows.silence(rule=NAME)
    at = clock.now() + timedelta(hours=5)
    posted = {"rule": NAME, "until": f"{at:%Y-%m-%dT%H:%M}", "span": "", "why": "w"}
    body(client_of_boss, "/admin/qaprod/silence/add/", **posted)
    assert Silence.objects.latest("pk").until == at.replace(second=0, microsecond=0)
    for address in (
        "alert/", f"alert/{alert.pk}/", "alert/usefulness/", "rule/", f"rule/rule/?name={NAME}", "silence/",
        f"silence/{silence.pk}/change/", "notification/",
    ):  # fmt: skip
        body(client_of_boss, f"/admin/qaprod/{address}")
