"""A look judges every rule, keeps what changed and has it told; what cannot be judged changes nothing."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from typing import Any

import pytest
from django.db import DataError, OperationalError
from pytest_django import Settings

from django_qaprod import clock, registry
from django_qaprod.alerts import passes
from django_qaprod.alerts.judging.base import Judgement, Sight, Verdict
from django_qaprod.alerts.sight import LiveSight, Memory
from django_qaprod.models import Alert, Notification, Rule, Transition
from django_qaprod.pipeline import guard
from django_qaprod.specs import Measure, RouteSpec, RuleSpec
from django_qaprod.store import alerts, looks, rules
from tests.alerts import told

pytestmark = pytest.mark.django_db(databases="__all__")

#: The verdicts of each rule, or what is raised instead, which a test sets.
Said = dict[str, Any]


@pytest.fixture(autouse=True)
def _alone(settings: Settings) -> Iterator[None]:
    settings.QAPROD = {"CHANNELS": {"mail": {"email": ["a@example.org"]}}, "DEFAULT_RULES": False}
    with registry.isolated():
        registry._rules.clear()
        registry._routes.clear()
        yield


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> Said:
    found: Said = {}

    def judge(spec: RuleSpec, sight: Sight) -> Judgement:
        given = found[spec.name]
        if isinstance(given, BaseException):
            raise given
        if isinstance(given, str):
            return Judgement(silent=given)
        return Judgement(tuple(Verdict(key, wrong, 3.0, "3 in 5 min") for key, wrong in given.items()))

    monkeypatch.setattr(passes, "judge_of", lambda spec: judge)
    return found


def rule(name: str = "fail", kind: str = "threshold", **given: Any) -> None:
    numbers = given.pop("numbers", {})
    registry.register_rule(RuleSpec(name=name, kind=kind, of=Measure("failures"), numbers=numbers, **given))


def look(
    minutes: float = 0.0, *, memory: Memory | None = None, previous: float | None = None
) -> passes.Looked:
    at = clock.epoch(clock.now()) + minutes * 60
    sight = LiveSight(at=at, previous=previous, memory=memory)
    return passes.look(threading.Event(), sight=sight)


def states() -> Mapping[str, str]:
    rows = Alert.objects.order_by("pk").values_list("rule", "key", "state")
    return {f"{name} {key}".strip(): state for name, key, state in rows}


def test_a_rule_that_is_wrong_fires_and_is_told(said: Said) -> None:
    """And when it is right for long enough it is over."""
    rule(numbers={"keep_firing": 120})
    said["fail"] = {"": True}
    assert look() == passes.Looked(judged=1)
    assert states() == {"fail": "firing"}
    assert Notification.objects.get().lane == "mail"
    said["fail"] = {"": False}
    look(1)
    assert states() == {"fail": "firing"}
    look(2)
    assert states() == {"fail": "resolved"}


def test_one_that_cannot_be_judged_holds_back_no_other_and_changes_nothing(said: Said) -> None:
    """It is shown on its row, and counted."""
    rule("a")
    rule("b")
    said.update(a={"": True}, b={"": True})
    look()
    said.update(a=LookupError("no such column"), b={"": False})
    assert look(1) == passes.Looked(judged=1, failed=1)
    assert states() == {"a": "firing", "b": "resolved"}
    assert Rule.objects.get(name="a").error == "LookupError: no such column"
    assert guard.take()


def test_that_it_cannot_even_be_shown_holds_back_no_other(
    said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database may refuse what is said of one that could not be judged."""

    def refuse(spec: RuleSpec, error: str, **given: Any) -> None:
        raise OperationalError("database is locked")

    monkeypatch.setattr(looks, "failed", refuse)
    rule("a")
    rule("b")
    said.update(a=LookupError("no such column"), b={"": True})
    assert look() == passes.Looked(judged=1, failed=1)
    assert states() == {"b": "firing"}
    tally = guard.take()
    assert tally is not None
    assert tally.errors["rules"] == 1


def test_hours_that_exit_the_process_end_no_look_and_no_reminder(said: Said) -> None:
    """A function of the host's may do anything; others are judged, and told again."""

    def leave(at: Any) -> bool:
        raise SystemExit("no calendar")

    rule("a", hours=leave)
    rule("b")
    said.update(b={"": True})
    due = {"state": "firing", "remind_at": clock.now() - timedelta(minutes=1)}
    for name in ("a", "b"):
        told.alert(name, **due)
    look()
    assert "exits" in Rule.objects.get(name="a").error
    assert list(Notification.objects.values_list("alert__rule", "kind")) == [("b", "reminder")]
    assert guard.take()


@pytest.mark.parametrize("error", [DataError("out of range"), TypeError("not JSON")], ids=type)
def test_one_that_cannot_be_kept_holds_back_no_other(
    said: Said, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """Rules that are well are written at once; where that fails, each by itself."""
    keep = looks.look

    def refuse(spec: Any, **given: Any) -> bool:
        if isinstance(spec, RuleSpec) and spec.name != "b":
            return keep(spec, **given)
        raise error

    for name in ("a", "b", "c"):
        rule(name)
        said[name] = {"": False}
    monkeypatch.setattr(looks, "look_well", refuse)
    monkeypatch.setattr(looks, "look", refuse)
    assert look() == passes.Looked(judged=2, failed=1)
    errors = dict(Rule.objects.values_list("name", "error"))
    assert errors == {"a": "", "b": f"{type(error).__name__}: {error}", "c": ""}
    assert Rule.objects.get(name="c").verdicts
    assert guard.take()


def test_a_pass_that_dies_has_kept_what_it_found_before(said: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    """All but the last seconds of it: a slow pass does not look as if nobody had judged."""
    monkeypatch.setattr(passes, "_TOGETHER", -1.0)
    rule("a")
    rule("b", hours=lambda at: exit_at_once())
    said["a"] = {"": False}
    with pytest.raises(KeyboardInterrupt):
        look()
    assert Rule.objects.get().name == "a"


def exit_at_once() -> bool:
    raise KeyboardInterrupt


def test_what_was_well_and_is_told_of_meanwhile_ends_as_it_should(
    said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A person resolves an alert between the look that ends it, and when that is kept."""
    rule("a")
    rule("b")
    said.update(a={"": True}, b={"": True})
    look()
    said.update(a={"": False}, b={"": False})
    together = looks.look_well

    def then_resolve(found: Any, *, at: Any) -> set[str]:
        names = together(found, at=at)
        alerts.resolve(Alert.objects.filter(rule="a").values_list("pk", flat=True), who="ada")
        return names

    monkeypatch.setattr(looks, "look_well", then_resolve)
    assert look(1) == passes.Looked(judged=2)
    ended = Transition.objects.filter(after="resolved").order_by("alert__rule")
    assert list(ended.values_list("alert__rule", "who")) == [("a", "ada"), ("b", "qaprod")]
    assert Notification.objects.filter(kind="firing").count() == 2


def test_silence_of_a_rule_changes_nothing(said: Said) -> None:
    """No data is neither right nor wrong."""
    rule()
    said["fail"] = {"": True}
    look()
    said["fail"] = "Has no data."
    assert look(1) == passes.Looked(silent=1)
    assert states() == {"fail": "firing"}


def test_what_it_tells_apart_are_alerts_of_their_own(said: Said) -> None:
    """One of them may be over while another begins."""
    rule(by="browser")
    said["fail"] = {"Safari": True, "Firefox": False}
    look()
    assert states() == {"fail Safari": "firing"}
    said["fail"] = {"Safari": False, "Firefox": True}
    look(1)
    assert states() == {"fail Safari": "resolved", "fail Firefox": "firing"}


def test_one_of_which_nothing_is_said_any_more_goes_on_for_an_hour(said: Said) -> None:
    """Too few visitors are no news that it is well."""
    rule(by="browser")
    said["fail"] = {"Safari": True}
    look()
    said["fail"] = {}
    look(59)
    assert states() == {"fail Safari": "firing"}
    look(60)
    assert states() == {"fail Safari": "resolved"}


def test_none_of_what_should_not_happen_is_right(said: Said) -> None:
    """A route that fails no more is not counted any more: its alert is over when others would be."""
    rule(by="route", numbers={"at_least": 1.0, "keep_firing": 600.0})
    said["fail"] = {"apply/": True}
    look()
    said["fail"] = {"": False}
    look(9)
    assert states() == {"fail apply/": "firing"}
    look(10)
    assert states() == {"fail apply/": "resolved"}


def test_while_all_are_wrong_the_alert_of_one_goes_on(said: Said) -> None:
    """It is not over because all are told together."""
    rule(by="browser")
    said["fail"] = {"Safari": True}
    look()
    said["fail"] = {"": True}
    look(120)
    assert states() == {"fail Safari": "firing", "fail": "firing"}
    said["fail"] = {"Safari": False, "Firefox": False, "": False}
    look(121)
    assert set(states().values()) == {"resolved"}


def test_one_that_all_go_with_says_what_is_wrong_with_all(
    said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was of it alone is old: it stays, and says no more than the others."""
    rule(by="browser")
    said["fail"] = {"Chrome": True}
    look()
    verdicts = (Verdict("", True, 9.0, "9 of all"),)
    monkeypatch.setattr(passes, "judge_of", lambda spec: lambda rule, sight: Judgement(verdicts))
    look(1)
    assert Alert.objects.get(key="Chrome").words == "9 of all"


def test_a_flood_of_keys_is_bounded(said: Said) -> None:
    """Ten thousand alerts help nobody."""
    rule(by="route")
    said["fail"] = {str(number): True for number in range(200)}
    look()
    assert Alert.objects.count() == passes.MOST_KEYS


def test_the_bound_is_of_all_that_there_are(said: Said) -> None:
    """One more is told while there is room, and always that it is all of them."""
    rule(by="route", numbers={"keep_firing": 600.0})
    said["fail"] = {str(number): True for number in range(passes.MOST_KEYS - 1)}
    look()
    said["fail"] |= {"new": True, "newer": True}
    look(1)
    assert Alert.objects.filter(key="new").exists()
    assert not Alert.objects.filter(key="newer").exists()
    said["fail"][""] = True
    look(2)
    assert Alert.objects.filter(key="").exists()


def test_what_a_judge_says_is_kept_whatever_it_holds(said: Said) -> None:
    """A key is what a browser sent."""
    rule(by="browser")
    hostile = "Sa\x00fari\ud800" + "x" * 300
    said["fail"] = {hostile: True}
    assert look() == look(1) == passes.Looked(judged=1)
    assert Alert.objects.get().state == "firing"


def test_a_clock_that_was_wrong_does_not_stop_the_rules(said: Said) -> None:
    """One look from a day ahead is nobody's last word, nor does what it began go on for a day."""
    rule("fail", numbers={"keep_firing": 60})
    rule("other")
    said.update(fail={"": True}, other={"": False})
    look(24 * 60)
    said.update(fail={"": False}, other={"": True})
    for minute in range(3):
        look(minute)
    assert states() == {"fail": "resolved", "other": "firing"}


def test_outside_its_hours_a_rule_is_not_judged(said: Said) -> None:
    """Nor changes anything."""
    rule(hours=lambda at: False)
    said["fail"] = {"": True}
    assert look() == passes.Looked(silent=1)
    assert Rule.objects.get().silent == "Outside its hours."


def test_a_rule_that_is_switched_off_ends_its_alerts(said: Said) -> None:
    """As one does that is declared no more."""
    rule("a")
    rule("b")
    said.update(a={"": True}, b={"": True})
    look()
    rules.override("a", "on", False, who="ada")
    registry._rules.pop("b")
    look(1)
    assert set(states().values()) == {"resolved"}
    assert Transition.objects.filter(why__contains="switched off").count() == 2


def test_what_comes_and_goes_is_held_and_said(said: Said) -> None:
    """After three times within three hours it is one alert until it is calm."""
    rule()
    for minute in range(0, 150, 25):
        said["fail"] = {"": minute % 50 == 0}
        look(minute)
    assert list(Alert.objects.values_list("state", flat=True)) == ["resolved"] * 3
    said["fail"] = {"": True}
    look(150)
    held = Alert.objects.get(state="firing")
    assert held.flapping
    assert "flaps" in Transition.objects.get(alert=held).why
    said["fail"] = {"": False}
    look(151)
    look(174)
    held.refresh_from_db()
    assert held.state == "firing"
    look(181)
    held.refresh_from_db()
    assert held.state == "resolved"


def test_rules_of_what_is_missing_wait_for_what_is_late(said: Said) -> None:
    """After the worker was down nothing is known to be missing; what is there is judged at once."""
    rule("dip", kind="dip")
    rule("few", numbers={"at_most": 3.0})
    rule("many", numbers={"at_least": 3.0})
    said.update(dip={"": True}, few={"": True}, many={"": True})
    memory, now = Memory(), clock.epoch(clock.now())
    look(0, memory=memory, previous=now - 1800)
    assert states() == {"many": "firing"}
    assert "waited for" in Rule.objects.get(name="dip").silent
    look(3, memory=memory, previous=now + 150)
    assert states() == {"many": "firing", "dip": "firing", "few": "firing"}


def test_missed_looks_are_not_made_up_for(said: Said) -> None:
    """One look, whatever the gap."""
    calls: list[float] = []
    rule()
    said["fail"] = {"": True}
    look(0, previous=clock.epoch(clock.now()) - 86_400)
    assert Alert.objects.count() == 1
    assert Transition.objects.count() == 1
    assert not calls


def test_what_happened_while_a_rule_could_not_be_judged_is_looked_at(
    said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Others were judged well meanwhile. What was switched off is not made up for."""
    seen: list[float | None] = []
    rule()
    said["fail"] = {"": False}
    look(-40)
    well = clock.epoch(clock.now()) - 40 * 60
    said["fail"] = LookupError("no such column")
    for minute in range(-39, 0):
        look(minute, previous=well + (minute + 39) * 60)
    assert guard.take()
    monkeypatch.setattr(passes, "judge", lambda spec, sight: seen.append(sight.previous) or Judgement())
    look(0, previous=well + 39 * 60)
    assert seen == [pytest.approx(well, abs=5)]
    rules.override("fail", "on", False, who="ada")
    look(1, previous=well + 40 * 60)
    rules.override("fail", "on", True, who="ada")
    look(60, previous=well + 99 * 60)
    assert seen[1:] == [well + 99 * 60]


def test_it_is_told_again_and_to_others(said: Said) -> None:
    """When nobody acknowledges it: at growing intervals."""
    registry.register_route(RouteSpec(name="r", to=("mail",), escalate_after=600.0, escalate_to=("sms",)))
    rule()
    said["fail"] = {"": True}
    for minute in (0, 11, 31, 32, 122):
        look(minute)
    kinds = Notification.objects.order_by("pk").values_list("kind", "lane", "number")
    assert list(kinds) == [
        ("firing", "mail", 0), ("escalation", "sms", 0), ("reminder", "mail", 1), ("reminder", "mail", 2),
    ]  # fmt: skip


def test_what_was_not_reached_comes_first_the_next_time(said: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow rule does not keep the last ones from being judged for ever."""
    for name in ("a", "b", "c"):
        rule(name)
        said[name] = {"": False}
    look()
    monkeypatch.setattr(passes, "WITHIN", -1.0)
    assert look(1).left == 3
    monkeypatch.undo()
    monkeypatch.setattr(passes, "judge_of", lambda spec: lambda *args: Judgement())
    Rule.objects.filter(name="a").update(judged_at=clock.now() + timedelta(minutes=1))
    looked_at: list[str] = []
    monkeypatch.setattr(passes, "_look_at", lambda spec, *rest: looked_at.append(spec.name))
    look(2)
    assert looked_at == ["b", "c", "a"]


def test_every_kind_has_its_judge(monkeypatch: pytest.MonkeyPatch) -> None:
    """The module of its name."""
    kinds = ("threshold", "ratio", "absence", "heartbeat", "burn_rate", "out_of_sync", "dip", "trend")
    judges: list[Callable[..., Any]] = [
        passes.judge_of(RuleSpec(name="r", kind=kind, of=Measure("step"), numbers={})) for kind in kinds
    ]
    assert all(map(callable, judges))


def test_too_few_to_judge_by_end_an_alert_after_an_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    """At night there are never enough: it would fire until somebody sees that it is long over."""
    said = [Judgement((Verdict("", True, 1.0, "60 of 60"),)), Judgement(silent="8 in 10 min", few=True)]
    monkeypatch.setattr(passes, "judge_of", lambda spec: lambda *given: said[0])
    rule(kind="ratio")
    look()
    said.pop(0)
    look(59)
    assert states() == {"fail": "firing"}
    assert Rule.objects.get().silent == "8 in 10 min"
    look(60)
    assert states() == {"fail": "resolved"}


def test_a_rule_that_calls_exit_ends_nobody(said: Said) -> None:
    """It is shown on its row, and the others are judged."""
    rule("a")
    rule("b")
    said.update(a=SystemExit(3), b={"": True})
    assert look() == passes.Looked(judged=1, failed=1)
    assert Rule.objects.get(name="a").error == "SystemExit: 3"


def test_outside_its_hours_nobody_is_reminded(said: Said) -> None:
    """But as soon as it is looked at again."""
    opened = [True]
    rule(hours=lambda at: opened[0])
    said["fail"] = {"": True}
    look()
    opened[0] = False
    look(45)
    assert not Notification.objects.filter(kind="reminder").exists()
    opened[0] = True
    look(46)
    assert Notification.objects.filter(kind="reminder").count() == 1


def test_a_rule_that_is_another_one_now_ends_what_it_fired_of(said: Said) -> None:
    """What it says now has nothing to do with it."""
    rule(kind="threshold")
    said["fail"] = {"": True}
    look()
    registry._rules.clear()
    rule(kind="ratio")
    said["fail"] = "Too few."
    look(1)
    assert states() == {"fail": "resolved"}
