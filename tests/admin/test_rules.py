"""Rules in the admin: what each says, its numbers and who changed them, and what others would have done."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import ValidationError
from django.db import connections
from django.test import Client
from django.test.utils import CaptureQueriesContext

from django_qaprod import clock, default_rules, registry
from django_qaprod.admin import backtests
from django_qaprod.admin.rule_forms import NumberField
from django_qaprod.conf import telemetry_alias
from django_qaprod.models import Alert, Bucket, Rule, Series
from django_qaprod.queries import rules as known
from django_qaprod.specs import Measure, RuleSpec
from tests.admin import rows
from tests.alerts import catalogue

pytestmark = pytest.mark.django_db(databases="__all__")

LIST = "/admin/qaprod/rule/"
NAME = "orders fail"


@pytest.fixture(autouse=True)
def rule(settings: Any) -> Iterator[RuleSpec]:
    """A rule that is declared, alone, and two channels."""
    settings.QAPROD = {
        **getattr(settings, "QAPROD", {}),
        "DEFAULT_RULES": False,
        "CHANNELS": {"mail": {"email": ["a@example.org"]}, "chat": {"email": ["b@example.org"]}},
    }
    with registry.isolated():
        registry._rules.clear()
        registry.register_rule(rows.rule())
        yield rows.rule()


def page_of(name: str = NAME) -> str:
    return f"{LIST}rule/?name={quote(name)}"


def body(client: Client, address: str = LIST, **posted: Any) -> str:
    answer = client.post(address, posted, follow=True) if posted else client.get(address)
    assert answer.status_code == 200
    return answer.content.decode()


def form(**changed: Any) -> dict[str, Any]:
    """What a browser sends when nothing is changed, and what is."""
    shown = {
        "numbers.at_least": "3", "numbers.window": "5 min", "numbers.for": "0 s",
        "numbers.keep_firing": "10 min", "numbers.min_count": "", "severity": "error", "on": "on", "to": [],
    }  # fmt: skip
    given = {
        **shown,
        **{f"numbers.{key}" if key not in shown else key: value for key, value in changed.items()},
    }
    return {f"rule-{key}": value for key, value in given.items() if value is not None}


def effective() -> RuleSpec:
    return known.effective_rule(NAME)


# The list


def test_all_that_is_declared_is_listed_the_worst_first(client_of_boss: Client) -> None:
    """With what it said last, whether or not it was looked at yet."""
    specs = ("fine", "silent", "failing", "fires", "waits", "off", "new")
    for name in specs:
        registry.register_rule(rows.rule(name, on=name != "off"))
    rows.judged("fine")
    rows.judged("silent", silent="It has no history yet.", silent_since=clock.now() - timedelta(days=3))
    rows.judged("failing", error="LookupError: no such property")
    rows.judged("off", error="LookupError: from before it was switched off")
    for name, state in (("fires", "firing"), ("waits", "pending")):
        rows.judged(name)
        rows.alert(name, state=state)
    page = client_of_boss.get(LIST).context["page"]
    assert [(row.spec.name, row.state) for row in page.rows] == [
        ("failing", "failing"), ("fires", "firing"), ("waits", "pending"), ("silent", "silent"),
        ("fine", "ok"), (NAME, "unjudged"), ("new", "unjudged"), ("off", "off"),
    ]  # fmt: skip
    text = body(client_of_boss)
    for words in ("LookupError: no such property", "It has no history yet.", "1 in 5 min", "for 3"):
        assert words in text, words


@pytest.mark.parametrize(
    ("days", "hours", "told"), [(0.9, None, False), (1.1, None, True), (3.0, bool, False), (9.0, bool, True)]
)
def test_it_is_told_of_a_rule_that_may_never_fire(
    client_of_boss: Client, days: float, hours: Any, told: bool
) -> None:
    """One with hours of its own may say nothing for a weekend, or for a week."""
    registry.register_rule(rows.rule("mute", hours=hours))
    rows.judged("mute", verdicts=[], silent="No data.", silent_since=clock.now() - timedelta(days=days))
    assert ("it may have no data" in body(client_of_boss)) == told
    assert ("it may have no data" in body(client_of_boss, page_of("mute"))) == told


def test_the_rules_that_come_with_the_app_are_there(client_of_boss: Client, settings: Any) -> None:
    """And marked as such."""
    settings.QAPROD = {**settings.QAPROD, "DEFAULT_RULES": True}
    assert "built in" in body(client_of_boss)


def test_without_a_rule_the_page_teaches_how_to_declare_one(client_of_boss: Client) -> None:
    """Nothing is watched then."""
    registry._rules.clear()
    assert "Nothing is watched." in body(client_of_boss)


def test_what_another_rule_explains_says_so(client_of_boss: Client) -> None:
    """It fires, but quietly, and after what holds it back; not once that has not been judged for long."""
    registry.register_rule(rows.rule("a consequence", inhibited_by=(NAME,)))
    rows.alert("a consequence")
    cause = rows.alert(NAME)
    said = f"held back: “{NAME}” explains it"
    shown = client_of_boss.get(LIST).context["page"].rows
    assert [(row.spec.name, row.explained) for row in shown if row.alerts] == [
        (NAME, ""), ("a consequence", NAME),
    ]  # fmt: skip
    assert said in body(client_of_boss)
    assert said in body(client_of_boss, page_of("a consequence"))
    Alert.objects.filter(pk=cause.pk).update(wrong_at=clock.now() - timedelta(hours=2))
    assert said not in body(client_of_boss)


def test_a_value_is_told_in_its_unit(client_of_boss: Client) -> None:
    """A share as a percentage, what a gauge reads in its own."""
    share = rows.rule(
        "share", kind="ratio", per=Measure(kind="requests"), numbers={"above": 0.25, "window": 60.0}
    )
    memory = rows.rule("memory", of=Measure(kind="gauge", name="process.memory.usage"))
    for spec, value, limit in ((share, 0.5, 0.25), (memory, 2.0**30, 2.0**31)):
        registry.register_rule(spec)
        verdict = {"key": "", "wrong": True, "value": value, "limit": limit, "words": "w", "usual": ""}
        rows.judged(spec.name, verdicts=[verdict])
    text = re.sub(r"\s+", " ", body(client_of_boss))
    assert '>50%</td><td class="qaprod-number" data-label="limit">25%' in text
    assert '>1 GiB</td><td class="qaprod-number" data-label="limit">2 GiB' in text


def test_the_list_and_a_page_read_a_fixed_number_of_rows(client_of_boss: Client) -> None:
    """Whatever the number of rules and of what they tell apart."""

    def queries(address: str) -> int:
        with CaptureQueriesContext(connections[telemetry_alias()]) as read:
            body(client_of_boss, address)
        return len(read)

    verdict = {"key": "a", "wrong": True, "value": 1.0, "limit": 2.0, "words": "w", "usual": ""}
    rows.judged(verdicts=[verdict])
    few = queries(LIST), queries(page_of())
    Rule.objects.update(verdicts=[{**verdict, "key": str(number)} for number in range(20)])
    for number in range(20):
        registry.register_rule(rows.rule(str(number)))
        rows.judged(str(number))
        rows.alert(str(number))
        rows.alert(key=str(number))
    assert (queries(LIST), queries(page_of())) == few


# A rule's page


@pytest.mark.parametrize("name", ["", "nobody", "x" * 500, "\x00", f"{NAME}\x00x"])
def test_a_rule_that_is_not_declared_is_not_found(client_of_boss: Client, name: str) -> None:
    """And the page says so."""
    for answer in (client_of_boss.get(page_of(name)), client_of_boss.post(page_of(name), form())):
        assert answer.status_code in {404, 405}
    assert "No rule of that name" in client_of_boss.get(page_of(name)).content.decode()


def test_each_of_what_is_told_apart_has_its_chart(client_of_boss: Client) -> None:
    """The worst first, the one that is asked for after that."""
    registry.register_rule(
        rows.rule("by browser", of=Measure("step", "started", rows.JOURNEY.name), by="browser")
    )
    verdicts = [
        {"key": key, "wrong": False, "value": 1.0, "limit": 3.0, "words": "w", "usual": ""}
        for key in ("Firefox", "Chrome")
    ]
    rows.judged("by browser", verdicts=verdicts)
    for number in range(3):
        rows.event(subject=str(number), browser="Firefox", at=clock.now() - timedelta(hours=1))
    first = client_of_boss.get(page_of("by browser")).context["page"]
    assert (first.key, sum(first.chart.lines[0].values)) == ("Firefox", 3)
    other = client_of_boss.get(f"{page_of('by browser')}&key=Chrome").context["page"]
    assert (other.key, other.chart.empty) == ("Chrome", False)
    assert sum(other.chart.lines[0].values) == 0


def test_numbers_are_changed_as_people_write_them(client_of_boss: Client) -> None:
    """What is left as it was stays the code's."""
    text = body(
        client_of_boss, page_of(), **form(at_least="5", window="10 min", severity="critical", to=["chat"])
    )
    assert "Changed." in text
    spec = effective()
    assert (spec.numbers["at_least"], spec.numbers["window"]) == (5.0, 600.0)
    assert (spec.severity, spec.to, spec.on) == ("critical", ("chat",), True)
    said = Rule.objects.get(name=NAME).override
    assert set(said) == {"numbers.at_least", "numbers.window", "severity", "to"}
    assert {one["who"] for one in said.values()} == {"boss"}
    assert "In the code: 5 min" in text
    assert "changed here" in text


def test_what_is_changed_back_by_hand_is_the_code_s_again(client_of_boss: Client) -> None:
    """Also what is left empty."""
    body(client_of_boss, page_of(), **form(at_least="5", window="10 min"))
    body(client_of_boss, page_of(), **form(at_least="3", window=""))
    assert effective() == rows.rule()
    assert "Nothing was changed." in body(client_of_boss, page_of(), **form())


def test_one_value_is_given_back_to_the_code(client_of_boss: Client) -> None:
    """And the others stay."""
    text = body(client_of_boss, page_of(), **form(at_least="5", severity="info"))
    assert 'name="give_back" value="numbers.at_least"' in text
    assert "The code’s value holds again." in body(client_of_boss, page_of(), give_back="numbers.at_least")
    assert effective() == rows.rule()._replace(severity="info")
    returned = Rule.objects.get(name=NAME).override["numbers.at_least"]
    assert returned == {"who": "boss", "at": returned["at"]}
    assert "as in the code" in body(client_of_boss, page_of())
    assert "Nothing was changed." in body(client_of_boss, page_of(), give_back="nothing")


def test_each_change_of_a_number_can_be_read(client_of_boss: Client) -> None:
    """Who made it, when, from what to what; what is given back, too, and among the admin's recent actions."""
    body(client_of_boss, page_of(), **form(**{"numbers.at_least": "5", "severity": "warning"}))
    body(client_of_boss, page_of(), **form(**{"numbers.at_least": "7.5", "severity": "warning"}))
    body(client_of_boss, page_of(), give_back="numbers.at_least")
    answer = client_of_boss.get(page_of())
    shown = answer.context["changes"]
    assert [(one.who, one.name, one.before, one.after, one.in_code) for one in shown] == [
        ("boss", "at least", "7.5", "3", True),
        ("boss", "at least", "5", "7.5", False),
        ("boss", "at least", "3", "5", False),
        ("boss", "severity", "error", "warning", False),
    ]
    assert shown[0].at >= shown[-1].at
    assert "Each change" in answer.content.decode()
    told = [entry.get_change_message() for entry in LogEntry.objects.order_by("pk")]
    assert told[0] == "Changed at least: 3 → 5 and severity: error → warning."


def test_a_change_is_logged_in_no_language_and_shown_in_that_of_who_looks(
    client_of_boss: Client, settings: Any, tmp_path: Path
) -> None:
    """The admin translates what it has logged when it shows it: what is kept is as the code has it."""
    catalogue.write(tmp_path, "de", {"at least": "mindestens"})
    settings.LOCALE_PATHS, settings.LANGUAGE_CODE = [str(tmp_path)], "de"
    client_of_boss.post(page_of(), form(**{"numbers.at_least": "5"}))
    assert '"at least: 3 \\u2192 5"' in LogEntry.objects.get().change_message
    assert [one.name for one in client_of_boss.get(page_of()).context["changes"]] == ["mindestens"]


def test_what_others_have_logged_of_a_rule_is_no_change(client_of_boss: Client) -> None:
    """Other apps write into the admin's log what they like."""
    row = rows.judged()
    boss = User.objects.get(username="boss")
    content_type = ContentType.objects.get_for_model(Rule)
    for message in (
        "",
        "plain",
        "{}",
        "[]",
        "[1]",
        '[{"changed": {}}]',
        '[{"rule": [["a"]]}]',
        '[{"rule": 3}]',
    ):
        LogEntry.objects.create(
            user=boss, content_type=content_type, object_id=str(row.pk), action_flag=2, change_message=message
        )
    assert client_of_boss.get(page_of()).context["changes"] == []


def test_a_rule_is_switched_off_and_on(client_of_boss: Client) -> None:
    """A box that is not ticked is not sent."""
    body(client_of_boss, page_of(), **form(on=None))
    assert not effective().on
    body(client_of_boss, page_of(), **form())
    assert effective().on


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("at_least", "many", "Write a number"),
        ("at_least", "1.000", "without separators"),
        ("at_least", "1,234,567", "without separators"),
        ("at_least", "-1", "out of bounds"),
        ("at_least", "nan", "out of bounds"),
        ("at_least", "1e300", "out of bounds"),
        ("window", "soon", "Write a time"),
        ("window", "0 s", "out of bounds"),
        ("severity", "deadly", "Select a valid choice"),
        ("to", ["nobody"], "Select a valid choice"),
    ],
)
def test_what_a_rule_cannot_take_is_refused_in_words(
    client_of_boss: Client, key: str, value: Any, told: str
) -> None:
    """And nothing of the rest is stored."""
    text = body(client_of_boss, page_of(), **{**form(keep_firing="1 h"), **form(**{key: value})})
    assert told in text
    assert not Rule.objects.filter(name=NAME).exists()


def test_a_number_is_taken_as_it_is_shown_and_a_share_in_percent(client_of_boss: Client) -> None:
    """Though one with three digits behind its point would be in doubt if somebody typed it."""
    field = NumberField(effective(), "numbers.at_least", initial="1.125")
    assert field.clean("1.125") == 1.125
    assert field.clean("30%") == 0.3
    assert field.clean("0,125") == 0.125
    with pytest.raises(ValidationError):
        field.clean("2.125")


def test_a_rule_of_ours_with_nothing_to_watch_is_no_warning(client_of_boss: Client, settings: Any) -> None:
    """A site whose only sink is the database has none that could take nothing."""
    silent = "Nothing was read in the last minute."
    days = clock.now() - timedelta(days=3)
    for name in (default_rules.SINK_STANDS, default_rules.WORKER_LATE):
        registry.register_rule(next(rule for rule in default_rules.rules() if rule.name == name))
        rows.judged(name, verdicts=[], silent=silent, silent_since=days)

    def listed() -> dict[str, tuple[str, str, bool]]:
        page = client_of_boss.get(LIST).context["page"]
        return {row.spec.name: (row.state, row.silent, bool(row.dumb)) for row in page.rows}

    assert listed()[default_rules.SINK_STANDS] == ("idle", "There is no further sink.", False)
    assert listed()[default_rules.WORKER_LATE] == ("silent", silent, True)
    settings.QAPROD = {**settings.QAPROD, "STATSD": {"host": "127.0.0.1"}}
    assert listed()[default_rules.SINK_STANDS] == ("silent", silent, True)


def test_what_is_refused_is_said_where_the_form_leads_to(client_of_boss: Client) -> None:
    """The form is far below the top of its page, which would look as if nothing had happened."""
    text = body(client_of_boss, page_of(), **form(at_least="many"))
    assert '#answer" class="qaprod-form' in text
    assert '<p class="errornote" id="answer" role="alert">Please correct the error below.</p>' in text
    text = body(client_of_boss, page_of(), **form(at_least="many", severity="deadly"))
    assert "Please correct the errors below." in text
    text = body(client_of_boss, page_of(), **form(), test="yes")
    assert '<section id="answer">' in text
    assert 'class="errornote"' not in text


def test_who_may_only_look_sees_the_numbers_and_no_form() -> None:
    """To change them has a permission of its own."""
    client = Client()
    client.force_login(rows.user("viewer", "view_rule"))
    text = body(client, page_of())
    assert "10 min" in text
    assert '<form method="post" action' not in text.split('id="content-main"')[1]
    for posted in (form(), {**form(), "test": "yes"}, {"give_back": ""}):
        assert client.post(page_of(), posted).status_code == 403


# What other numbers would have done


@pytest.fixture
def bursts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Failures of the journey: 9 in a minute an hour ago, and 4 in one three hours ago; and time to try."""
    monkeypatch.setattr(backtests, "WITHIN", 600.0)
    failure = rows.failure(journey=rows.JOURNEY.name)
    series = Series.objects.create(
        digest="f", name="qaprod.failures", label=str(failure.pk), attributes={"failure": str(failure.pk)}
    )
    minute = clock.epoch(clock.now()) // 60 * 60
    for ago, count in ((60, 9), (180, 4)):
        start = clock.moment(minute - ago * 60)
        Bucket.objects.create(series=series, resolution=0, start=start, count=count)


@pytest.mark.usefixtures("bursts")
def test_other_numbers_are_tried_on_the_past_before_they_are_stored(client_of_boss: Client) -> None:
    """With looser and tighter ones beside them."""
    answer = client_of_boss.post(page_of(), {**form(at_least="6"), "test": "yes"})
    tried = answer.context["tried"]
    assert [one.words for one in tried.fired] == ["9 in the last 5 min"]
    assert [(one.value, one.firings) for one in tried.others if one.chosen] == [("6", 1)]
    assert {one.value: one.firings for one in tried.others}["3"] == 2
    assert not tried.chart.empty
    assert not Rule.objects.exists()
    text = answer.content.decode()
    assert "It would have fired once" in text
    assert 'value="6"' in text, "the form still says what was tried"


@pytest.mark.usefixtures("bursts")
def test_what_takes_too_long_for_a_page_says_so(
    client_of_boss: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server would end the request."""
    monkeypatch.setattr(backtests, "WITHIN", -1.0)
    answer = client_of_boss.post(page_of(), {**form(at_least="6"), "test": "yes"})
    assert "manage.py qaprod_backtest has the time" in answer.content.decode()


def test_what_has_no_history_says_so(client_of_boss: Client) -> None:
    """It is no error."""
    registry.register_rule(rows.rule("health", of=Measure(kind="health")))
    answer = client_of_boss.post(page_of("health"), {**form(), "test": "yes"})
    assert "It cannot be tried" in answer.content.decode()


def test_numbers_that_make_no_sense_are_not_tried(client_of_boss: Client) -> None:
    """The form says why."""
    answer = client_of_boss.post(page_of(), {**form(window="soon"), "test": "yes"})
    assert answer.context["tried"] is None
    assert "Write a time" in answer.content.decode()
