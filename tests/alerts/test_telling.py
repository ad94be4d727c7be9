"""Who is told of an alert, by which way, in which group; and what keeps it back."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pytest_django import Settings

from django_qaprod import default_rules, registry
from django_qaprod.alerts import telling
from django_qaprod.models import Alert, Deploy, Silence
from django_qaprod.pipeline import guard
from django_qaprod.specs import Measure, RouteSpec, RuleSpec

AT = datetime(2026, 11, 2, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _alone(settings: Settings) -> Iterator[None]:
    settings.USE_TZ = True
    settings.QAPROD = {
        "CHANNELS": {
            "mail": {"email": ["a@example.org"]},
            "chat": {"email": ["b@example.org"], "fallback": "sms"},
            "sms": {"email": ["c@example.org"]},
        }
    }
    with registry.isolated():
        yield


def alert(**given: Any) -> Alert:
    fields = {
        "pk": 1, "rule": "few", "kind": "dip", "severity": "error", "rank": 1, "journey": "apply",
        "state": "firing", "began_at": AT, "wrong_at": AT, "fired_at": AT,
    }  # fmt: skip
    return Alert(**{**fields, **given})


def rule(**given: Any) -> RuleSpec:
    return RuleSpec(**{"name": "few", "kind": "dip", "of": Measure("step"), "numbers": {}, **given})


def route(name: str, *to: str, **given: Any) -> None:
    registry.register_route(RouteSpec(name=name, to=to, **given))


def lanes(one: Alert | None = None, spec: RuleSpec | None = None) -> list[str]:
    return [told.lane for told in telling.telling(one or alert(), spec or rule(), AT, []).told]


def test_without_routes_all_are_told_but_those_that_stand_in() -> None:
    """A fallback is there for when another fails."""
    assert lanes() == ["mail", "chat"]


def test_what_a_rule_says_goes_before_the_routes() -> None:
    """Its own channels alone."""
    route("all", "chat")
    assert lanes(spec=rule(to=("sms",))) == ["sms"]


def test_the_first_route_that_matches_is_taken() -> None:
    """By severity, journey and rule; the next ones too if it says so."""
    route("bad", "sms", severity="critical")
    route("theirs", "mail", journeys=("pay",))
    route("named", "chat", rules=("few",), further=True)
    route("rest", "mail")
    assert lanes() == ["chat", "mail"]
    assert lanes(alert(severity="critical")) == ["sms"]
    assert lanes(alert(rule="other")) == ["mail"]


def test_an_alert_that_no_route_matches_goes_nowhere() -> None:
    """That is what routes are for."""
    route("bad", "sms", severity="critical")
    assert lanes() == []


def test_outside_its_hours_a_route_is_passed_over() -> None:
    """The next one that is open takes it."""
    route("day", "chat", hours=lambda at: False)
    route("night", "sms")
    assert lanes() == ["sms"]


def test_where_all_routes_are_closed_it_waits_until_one_opens() -> None:
    """Nothing is lost by a night."""
    route("day", "chat", hours=lambda at: at > AT)
    assert lanes() == ["chat"]
    kept = {"silences": [], "explaining": {}}
    assert telling.held(alert(), "chat", rule(), AT, **kept) == "Outside the hours of its route."
    assert telling.held(alert(), "chat", rule(), AT + timedelta(hours=8), **kept) == ""


def test_what_is_critical_is_told_at_once_and_the_rest_waits_for_its_like() -> None:
    """Half a minute."""
    assert telling.telling(alert(severity="critical"), rule(), AT, []).told[0].due_at == AT
    assert telling.telling(alert(), rule(), AT, []).told[0].due_at == AT + timedelta(seconds=30)


def test_alerts_after_one_release_are_one_group() -> None:
    """Whatever rule and journey they are of; others are grouped by journey, or rule."""
    deploys = [
        Deploy(release="1.0", at=AT - timedelta(days=1)),
        Deploy(release="1.1", at=AT - timedelta(minutes=20)),
        Deploy(release="1.2", at=AT + timedelta(minutes=1)),
    ]
    assert telling.group_of(alert(), deploys) == "release 1.1"
    assert telling.group_of(alert(journey="pay"), deploys) == "release 1.1"
    assert telling.group_of(alert(), deploys[:1]) == "journey apply"
    assert telling.group_of(alert(journey=""), []) == "rule few"


def test_a_flag_that_was_changed_is_a_cause_as_a_release_is() -> None:
    """The later of the two it is, if both came shortly before."""
    deploys = [
        Deploy(release="1.1", at=AT - timedelta(minutes=20)),
        Deploy(release="short form", at=AT - timedelta(minutes=10), flag=True),
    ]
    assert telling.group_of(alert(), deploys) == "flag short form"


def test_what_breaks_in_the_minute_of_its_release_is_of_that_release() -> None:
    """Numbers are known by the minute, so that it seems to have begun before."""
    deploys = [Deploy(release="1.1", at=AT + timedelta(seconds=40))]
    assert telling.group_of(alert(), deploys) == "release 1.1"


def test_reminders_come_at_growing_intervals() -> None:
    """Half an hour, then longer and longer, in the end once a day."""
    found, at = [telling.telling(alert(), rule(), AT, []).remind_at], AT
    for number in range(6):
        at = found[-1]
        assert at is not None
        found.append(telling.next_reminder(alert(reminders=number), at))
    gaps = [later - earlier for earlier, later in zip([AT, *found], found, strict=False)]
    assert gaps == sorted(gaps)
    assert (gaps[0], gaps[1], gaps[-1]) == (
        timedelta(minutes=30), timedelta(minutes=90), timedelta(hours=24),
    )  # fmt: skip


def test_what_nobody_acknowledges_goes_to_others() -> None:
    """After the shortest time that its routes give."""
    route("one", "mail", escalate_after=900.0, escalate_to=("sms",), further=True)
    route("two", "chat", escalate_after=600.0, escalate_to=("mail", "sms"))
    found = telling.telling(alert(), rule(), AT, [])
    assert found.escalate_at == AT + timedelta(minutes=10)
    assert [told.lane for told in telling.escalated(alert(), rule(), AT)] == ["sms", "mail"]


def test_a_silence_keeps_it_back_and_says_who_and_why() -> None:
    """One of another journey does not."""
    quiet = Silence(journey="apply", who="ada", why="moving house", begins_at=AT, until=AT)
    other = Silence(journey="pay", who="bob", why="moving", begins_at=AT, until=AT)
    said = telling.held(alert(), "mail", rule(), AT, silences=[other, quiet], explaining={})
    assert said == "Silenced by ada: moving house"
    assert telling.held(alert(), "mail", rule(), AT, silences=[other], explaining={}) == ""


def test_while_the_site_is_down_no_dip_is_told() -> None:
    """By default; a rule may name what explains it itself."""
    down = {default_rules.SITE_FAILS: AT}
    held = telling.held(alert(), "mail", rule(), AT, silences=[], explaining=down)
    assert default_rules.SITE_FAILS in held
    assert telling.held(alert(), "mail", rule(kind="threshold"), AT, silences=[], explaining=down) == ""
    own = rule(inhibited_by=("mail is down",))
    assert telling.held(alert(), "mail", own, AT, silences=[], explaining=down) == ""
    assert telling.held(alert(), "mail", own, AT, silences=[], explaining={"mail is down": AT})


def test_a_rule_does_not_keep_itself_back() -> None:
    """Even if it says so."""
    own = rule(inhibited_by=("few",))
    assert telling.held(alert(), "mail", own, AT, silences=[], explaining={"few": AT}) == ""


def test_rules_that_keep_each_other_back_are_told() -> None:
    """Directly or in a circle; one outside of it is explained by it."""
    for name, by in (("a", "b"), ("b", "c"), ("c", "a"), ("d", "a")):
        registry.register_rule(rule(name=name, inhibited_by=(by,)))
    specs = {spec.name: spec for spec in registry.rules()}
    fire = dict.fromkeys(specs, AT)

    def held(name: str) -> str:
        return telling.held(alert(rule=name), "mail", specs[name], AT, silences=[], explaining=fire)

    assert [held(name) for name in "abc"] == ["", "", ""]
    assert "“a” explains" in held("d")


def test_a_route_whose_hours_cannot_be_told_is_open() -> None:
    """A calendar that is broken costs no alert."""

    def hours(at: datetime) -> bool:
        raise LookupError("no such country")

    route("day", "chat", hours=hours)
    assert lanes() == ["chat"]
    assert telling.held(alert(), "chat", rule(), AT, silences=[], explaining={}) == ""
    assert guard.take()
