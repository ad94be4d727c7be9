"""A message says what happened, since when, to whom, what came before, what to do, whatever it is given."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.contrib import admin
from django.db import DatabaseError, connections
from django.test.utils import CaptureQueriesContext
from django.urls import include, path, set_script_prefix
from pytest_django import Settings

from django_qaprod import Journey, Step, alerts, clock, conf, registry
from django_qaprod.alerts import addresses, messages, payload, tokens
from django_qaprod.alerts.channels.base import Message
from django_qaprod.models import Alert, Deploy, Notification, Rule, Transition
from django_qaprod.pipeline import guard
from django_qaprod.specs import Measure
from django_qaprod.store.alerts import RULE_GONE
from tests.admin import rows
from tests.alerts import told

pytestmark = pytest.mark.django_db(databases="__all__")

NOW = datetime(2026, 11, 3, 13, 15, tzinfo=UTC)
BASE = "https://jobs.example.org"
HOSTILE = (
    "<script>alert(1)</script>\r\nBcc: all@example.org\x00\u202egpj.exe\u2028<!channel> @everyone "
    "{{ x }}{% load y %}\x1b[31m\ud800'\"&"
)


class _Site(admin.AdminSite):
    pass


class _AlertAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    def get_urls(self) -> list[Any]:
        detail = path("<int:pk>/look/", lambda request, pk: None, name="qaprod_alert_detail")
        return [detail, *super().get_urls()]


def _site(name: str) -> _Site:
    site = _Site(name=name)
    site.register(Alert, _AlertAdmin)
    return site


OWN = _site("back_office")
BARE = _Site(name="admin")


class PublicAlone:
    """A URLconf with the pages without login alone."""

    urlpatterns = (path("qa/", include("django_qaprod.urls")),)


class WithOwnAdmin:
    """A URLconf with an admin site of the host's own, beside the pages without login."""

    urlpatterns = (path("office/", OWN.urls), path("", include("django_qaprod.urls")))


class WithBareAdmin:
    """A URLconf with two admin sites, of which the usual one does not show alerts."""

    urlpatterns = (path("admin/", BARE.urls), path("office/", OWN.urls))


class Broken:
    """A URLconf that cannot be used."""

    @property
    def urlpatterns(self) -> list[Any]:
        raise ImportError("the host's views do not import")


@pytest.fixture(autouse=True)
def _now() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def _links(settings: Settings) -> None:
    settings.ROOT_URLCONF = WithOwnAdmin
    settings.QAPROD = {"BASE_URL": BASE}


@pytest.fixture(autouse=True)
def declared() -> Iterator[None]:
    """A journey with rules."""
    with registry.isolated():

        class Application(Journey):
            name = "apply"
            title = "Job application"
            started = Step()
            submitted = Step(title="Sent in")

        alerts.Threshold(
            "applications fail",
            of=Application.failures(),
            at_least=1,
            severity="critical",
            runbook="https://wiki.example.org/apply",
            description="Ask the school to wait.",
        )
        alerts.Dip("fewer applications", of=Application.submitted)
        alerts.Threshold("left out", of=alerts.breaches("reaches the school"), at_least=1)
        yield


def build(*given: Notification, digest: bool = False) -> Message:
    return messages.build(given, channel="chat", id="m1", digest=digest)


def one(told_as: str = "firing", **fields: Any) -> Message:
    return build(told.notification(told.alert(**fields), told_as))


def line(message: Message, label: str) -> str:
    """Return what is said to a label, with the items and addresses below it."""
    found = re.search(rf"^{re.escape(label)}:((?:.*)(?:\n(?:-|  |https:).*)*)", message.text, re.MULTILINE)
    assert found, message.text
    return found[1].strip()


def labels(message: Message) -> list[str]:
    return re.findall(r"^([A-Z][^:\n]{3,40}):", "\n".join(message.text.splitlines()[1:]), re.MULTILINE)


# What it says


@pytest.mark.usefixtures("_links")
def test_a_message_answers_what_since_when_compared_with_what_where_whom_why_and_what_to_do() -> None:
    """The whole of an ordinary alert, in the order in which somebody woken by it asks."""
    broken = rows.failure(
        journey="apply", route="apply/", error_type="smtplib.SMTPConnectError", message="refused", count=14,
        first_seen=NOW - timedelta(minutes=9), last_seen=NOW,
    )  # fmt: skip
    for person in ("1", "2"):
        rows.affected(broken, person, who="user")
        rows.affected(broken, f"app:{person}")
    rows.affected(broken, "app:3")
    Deploy.objects.create(release="1.4.2", at=NOW - timedelta(minutes=13))
    alert = told.alert()
    message = build(told.notification(alert))
    token = message.act.split("/")[-2]
    assert message.subject == "[critical] applications fail: 14 in 5 min"
    assert message.text == (
        "Critical: applications fail: 14 in 5 min (usually 0–2), since Tue 3 Nov 14:05 CET\n"
        "\n"
        "Since: Tue 3 Nov 14:05 CET, for 10 min\n"
        "Compared with: usually 0–2\n"
        "Where: Job application, failures\n"
        "Whom it hits: 2 people and 3 subjects met its failures so far\n"
        "Changed before: release 1.4.2 at Tue 3 Nov 14:02 CET\n"
        "Failures that are new since then: "
        "SMTPConnectError in apply/: refused; 14 times since Tue 3 Nov 14:06 CET\n"
        "Who is on it: nobody yet\n"
        "What to do: Ask the school to wait.\n"
        "https://wiki.example.org/apply\n"
        f"Look: {BASE}/office/qaprod/alert/{alert.pk}/look/\n"
        f"Say that you are on it: {BASE}/alerts/{token}/\n"
    )
    assert (message.id, message.kind, message.severity) == ("m1", "firing", "critical")
    assert message.look == f"{BASE}/office/qaprod/alert/{alert.pk}/look/"
    assert tokens.read(token) == tokens.Ticket("m1", "chat")


def test_a_reminder_says_for_how_long_it_has_been_going_on() -> None:
    """Somebody was told already: that it goes on is the news."""
    message = one("reminder", minutes=120)
    assert message.subject == "[critical] still, for 2 h: applications fail: 14 in 5 min"
    assert message.text.startswith("Still, for 2 h. Critical: applications fail: 14 in 5 min")


def test_an_escalation_says_that_nobody_has_acknowledged() -> None:
    """Who is told second wants to know why it is them."""
    message = one("escalation", minutes=15)
    assert message.subject == "[critical] nobody acknowledged for 15 min: applications fail: 14 in 5 min"
    assert message.text.startswith("Nobody acknowledged for 15 min. Critical: applications fail")


@pytest.mark.usefixtures("_links")
def test_a_resolved_alert_says_how_long_it_lasted_what_it_was_and_asks_whether_it_was_useful() -> None:
    """There is nothing to do any more but to say whether the noise was worth it."""
    message = build(told.notification(told.over(acknowledged_at=NOW, acknowledged_by="ada"), "resolved"))
    assert message.subject == "[resolved] applications fail, after 2 h 5 min"
    assert message.text.startswith("applications fail is over after 2 h 5 min; it was: 14 in 5 min\n")
    assert line(message, "When") == "from Tue 3 Nov 12:10 CET until Tue 3 Nov 14:15 CET, for 2 h 5 min"
    assert line(message, "Who was on it") == "ada, since Tue 3 Nov 14:15 CET"
    assert line(message, "Was this useful? Yes or no") == message.act
    assert "What to do" not in labels(message)
    assert message.kind == message.data["kind"] == "resolved"


@pytest.mark.parametrize(
    ("who", "why", "said"),
    [
        ("ada", "It was a drill.", "by ada: It was a drill."),
        ("ada", "", "by ada"),
        ("qaprod", RULE_GONE, "nobody judges it any more: its rule was switched off, or is gone"),
        ("qaprod", "0 in the last 5 min", None),
    ],
)
def test_what_did_not_heal_by_itself_says_who_ended_it(who: str, why: str, said: str | None) -> None:
    """It may be wrong still: whoever reads that it is over would think that all is well."""
    ended = told.over()
    Transition.objects.create(
        alert=ended, at=NOW, who=who, why=why, before=Alert.State.FIRING, after=Alert.State.RESOLVED
    )
    message = build(told.notification(ended, "resolved"))
    assert (line(message, "It was ended") if "It was ended" in labels(message) else None) == said


def test_one_that_ended_before_it_was_told_says_so() -> None:
    """A message may be in mid-send when its alert ends."""
    message = build(told.notification(told.over(minutes=10)))
    assert message.subject == "[critical] applications fail: 14 in 5 min"
    assert message.text.splitlines()[0].endswith("; it is over by now, after 10 min")


def test_who_has_acknowledged_is_named() -> None:
    """Two people need not get up."""
    message = one(acknowledged_at=NOW - timedelta(minutes=3), acknowledged_by="ada")
    assert line(message, "Who is on it") == "ada, since Tue 3 Nov 14:12 CET"


def test_what_is_told_apart_is_named_and_a_step_by_its_title() -> None:
    """The one browser that broke is in the subject."""
    alerts.Dip("fewer by browser", of=registry_step("submitted"), by="browser")
    message = one(rule="fewer by browser", key="Firefox", kind="dip", value=0.0, limit=5.0, words="0 by now")
    assert message.subject == "[critical] fewer by browser (Firefox): 0 by now"
    assert line(message, "Where") == "Job application, step “Sent in”, browser Firefox"
    assert line(message, "Compared with") == "usually 0–2; at least 5 fewer than usual"


def registry_step(name: str) -> Any:
    return Measure(kind="step", name=name, journey="apply")


def test_people_who_met_a_failure_earlier_make_the_number_a_least_one() -> None:
    """Who meets an old failure again is not counted anew, so the number says that it may be more."""
    old = rows.failure(journey="apply")
    rows.affected(old, "1", who="user")
    assert line(one(), "Whom it hits") == "at least 1 person met its failures so far"


def test_failures_of_other_journeys_hit_nobody_here_but_are_named_as_what_began_then() -> None:
    """A cause may be elsewhere; its victims are not this alert's."""
    began = {"first_seen": NOW - timedelta(minutes=11), "last_seen": NOW}
    other = rows.failure(1, journey="other", count=90, **began)
    rows.affected(other, "1", who="user")
    rows.failure(2, journey="apply", count=3, **began)
    rows.failure(3, journey="other", count=99, state="silenced", **began)
    message = one()
    assert "Whom it hits" not in labels(message)
    named = line(message, "Failures that are new since then")
    assert [found.split(";")[0] for found in named.splitlines()] == [
        "- KeyError in jobs.views.apply: 'school 2'",
        "- KeyError in jobs.views.apply: 'school 1'",
    ]


def test_failures_of_one_error_are_told_apart_by_their_places() -> None:
    """What was degraded and on which route; the function where neither is known."""
    for number, place in enumerate(({"name": "recommended", "route": "jobs/"}, {"route": "apply/"}, {})):
        rows.failure(
            number, count=9 - number, error_type="SessionStoreError", message="", culprit="jobs.tasks.send",
            first_seen=NOW - timedelta(minutes=9), last_seen=NOW, **place,
        )  # fmt: skip
    named = line(one(), "Failures that are new since then")
    assert [found.split(";")[0] for found in named.splitlines()] == [
        "- SessionStoreError in recommended, jobs/",
        "- SessionStoreError in apply/",
        "- SessionStoreError in jobs.tasks.send",
    ]


def test_a_breach_says_for_how_many_subjects() -> None:
    """What was left out is counted by subject."""
    for subject in ("1", "2", "2"):
        rows.breach(subject=subject, found_at=NOW, expectation="reaches the school")
    rows.breach(subject="3", found_at=NOW, expectation="another")
    assert line(one(rule="left out"), "Whom it hits") == "2 subjects were left out so far"


def test_where_nothing_changed_that_is_known_it_says_so() -> None:
    """That there was no release narrows it down, too."""
    Deploy.objects.create(release="1.4.1", at=NOW - timedelta(hours=3))
    assert line(one(), "Changed before") == "nothing that is known, in the 2 h before"


def test_a_flag_that_was_changed_is_named_with_what_it_is_now() -> None:
    """It explains as much as a release."""
    Deploy.objects.create(release="short form", at=NOW - timedelta(minutes=13), note="active on", flag=True)
    message = one()
    assert line(message, "Changed before") == "flag short form at Tue 3 Nov 14:02 CET: active on"
    assert message.data["releases"] == []
    assert message.data["flags"] == [
        {"flag": "short form", "at": "2026-11-03T13:02:00+00:00", "note": "active on"}
    ]


def test_what_somebody_set_in_the_admin_is_a_change() -> None:
    """A limit that was made tighter explains an alert; one that was set last month does not."""
    lately, long_ago = NOW - timedelta(days=1), NOW - timedelta(days=30)
    override = {
        "numbers.at_least": {"value": 3.0, "who": "ada", "at": lately.isoformat()},
        "numbers.window": {"value": 600.0, "who": "ada", "at": lately.isoformat()},
        "numbers.for": {"value": 60.0, "who": "ada", "at": long_ago.isoformat()},
        "severity": {"who": "joost", "at": lately.isoformat()},
    }
    Rule.objects.create(name="applications fail", override=override)
    rule = "of “applications fail” is"
    assert line(one(), "Changed before").splitlines() == [
        f"- at_least {rule} 3 since ada set it in the admin",
        f"- window {rule} 10 min since ada set it in the admin",
        f"- severity {rule} the code’s again since joost gave it back",
    ]


def test_a_rule_that_is_gone_is_still_told_of() -> None:
    """A release may take the rule away between its firing and the message."""
    message = one(rule="of an older release")
    assert message.subject == "[critical] of an older release: 14 in 5 min"
    assert line(message, "Where") == "Job application"


def test_times_are_the_site_s_without_time_zones_too(settings: Settings) -> None:
    """Without ``USE_TZ`` rows hold local time: the message says the same."""
    with_zones = one().text.splitlines()[0]
    settings.USE_TZ = False
    given = {"began_at": clock.moment(NOW.timestamp() - 600), "fired_at": clock.moment(NOW.timestamp() - 600)}
    alert = Alert(
        rule="applications fail", state="firing", severity="critical", words="14 in 5 min",
        usual="usually 0–2", pk=1, **given,
    )  # fmt: skip
    settings.QAPROD = {}
    shown = messages.build(
        [Notification(alert=alert, kind="firing", made_at=clock.now())], channel="c", id="1"
    )
    assert shown.text.splitlines()[0] == with_zones
    assert shown.data["alerts"][0]["began_at"] == "2026-11-03T13:05:00+00:00"  # type: ignore[index]


# Groups


@pytest.mark.usefixtures("_links")
def test_alerts_of_one_release_are_one_message_that_names_it() -> None:
    """A burst after a release is one story: how many, since which, the worst first."""
    Deploy.objects.create(release="1.4.2", at=NOW - timedelta(minutes=12))
    group = {"group": "release 1.4.2"}
    error = {"severity": "error", "rank": 1}
    given = [
        told.notification(told.alert(f"rule {number}", key="x", minutes=number, **error), **group)
        for number in range(1, 5)
    ]
    given.append(told.notification(told.alert(minutes=2), **group))
    message = build(*given)
    names = "applications fail, rule 4 (x), rule 3 (x) and 2 more"
    assert message.subject == f"[critical] 5 alerts since release 1.4.2: {names}"
    assert message.text.startswith(
        f"Critical: 5 alerts since release 1.4.2: {names}. The first since Tue 3 Nov 14:11 CET, "
        "the worst: applications fail: 14 in 5 min\n"
    )
    assert line(message, "Alerts").splitlines()[0] == (
        "- [critical] applications fail: 14 in 5 min, since Tue 3 Nov 14:13 CET"
    )
    assert line(message, "Changed before").startswith("release 1.4.2")
    assert message.look == f"{BASE}/office/qaprod/alert/"
    assert tokens.read(message.act.split("/")[-2]) == tokens.Ticket("m1", "chat")


def test_one_alert_with_two_notifications_is_one_alert() -> None:
    """Who was to be reminded when others were to be told gets one story, the louder."""
    alert = told.alert(minutes=30)
    message = build(told.notification(alert, "reminder"), told.notification(alert, "escalation"))
    assert message.kind == "escalation"
    assert message.subject.startswith("[critical] nobody acknowledged for 30 min: applications fail")


@pytest.mark.parametrize(
    ("kind", "subject"),
    [
        ("reminder", "[critical] still 2 alerts: a, b"),
        ("escalation", "[critical] nobody acknowledged for 20 min: 2 alerts: a, b"),
        ("resolved", "[resolved] 2 alerts: a, b"),
    ],
)
def test_a_group_says_what_kind_of_news_it_is(kind: str, subject: str) -> None:
    """Each kind of message has its group."""
    make = told.over if kind == "resolved" else told.alert
    given = [told.notification(make(rule, minutes=20 - number), kind) for number, rule in enumerate("ab")]
    assert build(*given).subject == subject


def test_a_digest_counts_by_rule_and_names_the_worst_first() -> None:
    """What was held back is counted, cut, and nothing of it is asked of the database."""
    made = {"made_at": NOW - timedelta(minutes=50)}
    given = [
        told.notification(told.alert("a", key=str(n), severity="error", rank=1), **made) for n in range(25)
    ]
    given += [told.notification(told.alert("b", key=str(n)), **made) for n in range(2)]
    given.append(told.notification(told.over("c"), "resolved", **made))
    message = build(*given, digest=True)
    assert message.kind == "digest"
    assert message.subject == "[critical] 28 alerts were held back: a (25), b (2), c"
    assert message.text.startswith("28 alerts were held back since Tue 3 Nov 13:25 CET")
    assert line(message, "By rule").splitlines() == ["- a: 25", "- b: 2", "- c: 1"]
    named = line(message, "Alerts").splitlines()
    assert named[0].startswith("- [critical] b (0)")
    assert (len(named), named[-1]) == (21, "- and 8 more alerts")
    assert (len(message.data["alerts"]), message.data["left_out"]) == (20, 8)  # type: ignore[arg-type]
    assert len(message.text) < 5_000


# Links


def test_without_an_address_of_the_site_there_are_no_links_and_it_says_where_to_look() -> None:
    """Half an address would be worse than none."""
    message = one()
    assert (message.look, message.act) == ("", "")
    assert line(message, "Look") == "in the admin of the site, at “applications fail” among the alerts"
    assert "http" not in message.text.replace("https://wiki.example.org/apply", "")


@pytest.mark.parametrize(
    ("base", "prefix", "expected"),
    [
        ("https://x.org", "/", "https://x.org/qa/alerts/"),
        ("https://x.org/", "/", "https://x.org/qa/alerts/"),
        ("https://x.org/site/", "/", "https://x.org/site/qa/alerts/"),
        ("https://x.org/site", "/site/", "https://x.org/site/qa/alerts/"),
        ("https://x.org", "/site/", "https://x.org/site/qa/alerts/"),
    ],
)
def test_links_begin_with_the_site_s_address_wherever_it_is_mounted(
    settings: Settings, base: str, prefix: str, expected: str
) -> None:
    """A path in ``BASE_URL`` is where the site is mounted, which a worker does not know by itself."""
    settings.ROOT_URLCONF, settings.QAPROD = PublicAlone, {"BASE_URL": base}
    set_script_prefix(prefix)
    try:
        message = one()
    finally:
        set_script_prefix("/")
    assert message.act.startswith(expected)
    assert message.look == ""


def test_without_the_public_pages_there_is_no_link_to_act(settings: Settings) -> None:
    """They are there by one ``include()``, which a site need not have."""
    settings.QAPROD = {"BASE_URL": BASE}
    message = one()
    assert message.act == ""
    assert "Say that you are on it" not in labels(message)


def test_a_urlconf_that_cannot_be_imported_costs_the_links_alone(settings: Settings) -> None:
    """A site that is broken that way is when messages are needed."""
    settings.QAPROD, settings.ROOT_URLCONF = {"BASE_URL": BASE}, Broken()
    message = one()
    assert (message.look, message.act) == ("", "")
    assert message.subject == "[critical] applications fail: 14 in 5 min"
    tally = guard.take()
    assert tally is not None
    assert set(tally.errors) == {"alerts.links"}


def test_a_runbook_that_is_no_address_is_no_link(declared: None) -> None:
    """What a browser would run is shown as words."""
    alerts.Dip("x", of=registry_step("submitted"), runbook="javascript:alert(1)")
    message = one(rule="x")
    assert line(message, "What to do") == "javascript:alert(1)"
    assert 'href="javascript' not in message.html


# What it is given


class _Tags(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        assert not [name for name, _ in attrs if name.startswith("on") or name == "style"]


ALLOWED = {"html", "head", "meta", "title", "style", "body", "p", "strong", "a", "ul", "li"}
MAKE: dict[str, Callable[[str], Message]] = {
    "one": lambda text: build(told.notification(_hostile(text))),
    "resolved": lambda text: build(told.notification(_hostile(text, state="resolved"), "resolved")),
    "group": lambda text: build(
        told.notification(_hostile(text), group=f"release {text}"[:200]),
        told.notification(_hostile(text, key="k"), "escalation"),
    ),
    "digest": lambda text: build(told.notification(_hostile(text)), digest=True),
}


def _hostile(text: str, **fields: Any) -> Alert:
    given = {
        "rule": text, "key": text, "journey": text, "words": text, "usual": text, "acknowledged_by": text,
        "acknowledged_at": NOW, "severity": "critical", "rank": 0, "state": "firing", "kind": "dip",
        "began_at": NOW, "wrong_at": NOW, "fired_at": NOW, "value": float("nan"), "limit": float("inf"),
    }  # fmt: skip
    # Not as they are kept, so that lengths that no column has come through, too.
    alert = told.alert(f"kept {Alert.objects.count()}")
    for name, value in {**given, **fields}.items():
        setattr(alert, name, value)
    return alert


@pytest.mark.usefixtures("_links")
@pytest.mark.parametrize("make", MAKE)
@pytest.mark.parametrize("text", [HOSTILE, HOSTILE * 1_000, "\u202e" * 50, "", "\n"])
def test_hostile_text_stays_text_on_its_line(make: str, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Names, words, releases and failures come from anywhere: no new header, line, tag, call or direction."""
    Deploy.objects.bulk_create(
        [Deploy(release=text.replace("\x00", "").encode("utf-8", "replace").decode()[:100], at=NOW)]
    )
    message_of_failure = text.replace("\x00", "").encode("utf-8", "replace").decode()[:500]
    rows.failure(message=message_of_failure, first_seen=NOW, last_seen=NOW, journey="apply")
    monkeypatch.setattr("tests.alerts.told.notification", _unsaved)
    message = MAKE[make](text)
    assert "\n" not in message.subject
    assert len(message.subject) <= messages.MAX_SUBJECT
    for shown in (message.subject, *message.text.splitlines()):
        assert shown.isprintable(), shown
        assert not shown.startswith("Bcc")
    assert len(message.text) < 10_000
    assert _Tags(message.html).tags <= ALLOWED
    assert "<script" not in message.html
    assert json.loads(json.dumps(message.data, allow_nan=False)) == message.data
    assert {alert["value"] for alert in message.data["alerts"]} == {None}  # type: ignore[attr-defined]
    message.text.encode()


def _unsaved(of: Alert, kind: str = "firing", **fields: Any) -> Notification:
    return Notification(alert=of, kind=kind, lane="chat", made_at=NOW, due_at=NOW, **fields)


@pytest.mark.usefixtures("_links")
def test_addresses_in_the_html_are_links_and_the_rest_is_escaped() -> None:
    """One can be pressed, and nothing else is markup."""
    message = one(words="a < b & c")
    assert f'<a href="{message.look}">Look</a>' in message.html
    assert '<a href="https://wiki.example.org/apply">Ask the school to wait.</a>' in message.html
    assert "a &lt; b &amp; c" in message.html


# What it costs


@pytest.mark.usefixtures("_links")
@pytest.mark.parametrize("number", [1, 2, 40])
def test_a_message_asks_the_database_six_times_at_most(number: int) -> None:
    """However many alerts it tells of, and however many failures and people there are."""
    for at in range(25):
        found = rows.failure(at, journey="apply", first_seen=NOW - timedelta(minutes=9), last_seen=NOW)
        rows.affected(found, str(at))
    rules = ("applications fail", "left out")
    given = [told.notification(told.alert(rules[at % 2], key=str(at))) for at in range(number)]
    asked = []
    with CaptureQueriesContext(connections[conf.telemetry_alias()]) as caught:
        build(*given)
    asked = [query["sql"] for query in caught.captured_queries]
    assert len(asked) <= 6, asked


@pytest.mark.parametrize("broken", ["affected", "breach", "deploy", "failure", "rule"])
def test_a_question_that_fails_costs_its_answer_and_never_the_message(broken: str) -> None:
    """The database may be slow, half migrated, or read only."""
    Deploy.objects.create(release="1.4.2", at=NOW - timedelta(minutes=13))
    given = told.notification(told.alert())

    def refuse(execute: Any, sql: str, *args: Any) -> Any:
        if f'FROM "qaprod_{broken}"' in sql:
            raise DatabaseError("no")
        return execute(sql, *args)

    with connections[conf.telemetry_alias()].execute_wrapper(refuse):
        message = build(given)
    assert message.subject == "[critical] applications fail: 14 in 5 min"
    assert ("Changed before" in labels(message)) == (broken != "deploy")
    guard.take()


@pytest.mark.usefixtures("_links")
def test_a_line_that_fails_costs_what_follows_it_but_no_link(monkeypatch: pytest.MonkeyPatch) -> None:
    """Something that nobody thought of is no reason to be silent."""
    monkeypatch.setattr("django_qaprod.alerts.words.where", lambda *args: 1 / 0)
    assert labels(one()) == ["Since", "Compared with", "Look", "Say that you are on it"]
    guard.take()


def test_a_template_that_fails_costs_the_html_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Plain text is what is needed."""
    monkeypatch.setattr(messages, "_engine", lambda: 1 / 0)
    message = one()
    assert message.html == ""
    assert message.text.startswith("Critical: applications fail")
    guard.take()


# For machines


def _documented(heading: str) -> set[str]:
    page = (Path(__file__).parents[2] / "docs/messages.md").read_text()
    section = page.partition(f"### {heading}\n")[2].partition("\n#")[0]
    return {
        name
        for row in re.findall(r"^\| (`.+?`) \|", section, re.MULTILINE)
        for name in re.findall(r"`(\w+)`", row)
    }


@pytest.mark.usefixtures("_links")
def test_the_data_has_the_documented_keys_and_no_others() -> None:
    """Receivers are written by the documentation."""
    rows.failure(first_seen=NOW - timedelta(minutes=9), last_seen=NOW)
    Deploy.objects.create(release="1.4.2", at=NOW - timedelta(minutes=9))
    data: dict[str, Any] = dict(one().data)
    assert data["version"] == payload.VERSION == 1
    assert set(data) == _documented("A message")
    assert set(data["alerts"][0]) == _documented("An alert")
    assert set(data["new_failures"][0]) == _documented("A failure")
    assert set(data["releases"][0]) == {"release", "at", "note"}
    assert data["alerts"][0]["began_at"] == "2026-11-03T13:05:00+00:00"


def test_an_alert_is_found_in_the_usual_admin(settings: Settings) -> None:
    """Without the host doing anything for it."""
    settings.QAPROD = {"BASE_URL": BASE}
    alert, broken = told.alert(), rows.failure()
    assert addresses.look(alert) == f"{BASE}/admin/qaprod/alert/{alert.pk}/"
    assert addresses.look_at_all() == f"{BASE}/admin/qaprod/alert/"
    assert addresses.failure(broken) == f"{BASE}/admin/qaprod/failure/{broken.pk}/change/"


@pytest.mark.parametrize("host", [WithOwnAdmin, WithBareAdmin])
def test_an_alert_is_found_on_the_site_that_shows_it(host: type, settings: Settings) -> None:
    """A project may have several admin sites, and show alerts on one."""
    settings.QAPROD, settings.ROOT_URLCONF = {"BASE_URL": BASE}, host
    alert = told.alert()
    assert addresses.look(alert) == f"{BASE}/office/qaprod/alert/{alert.pk}/look/"
    assert addresses.failure(rows.failure()) == ""
