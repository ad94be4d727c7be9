"""What people say of rules in place of the code: checked, and nobody's lost."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection, connections

from django_qaprod import registry
from django_qaprod.exceptions import OverrideError
from django_qaprod.models import Rule
from django_qaprod.specs import Measure, RuleSpec
from django_qaprod.store import rules

pytestmark = pytest.mark.django_db(databases="__all__")

SPEC = RuleSpec(
    name="fails",
    kind="threshold",
    of=Measure(kind="failures"),
    numbers={"at_least": 1.0, "window": 300.0, "for": 0.0, "keep_firing": 600.0},
)


@pytest.fixture(autouse=True)
def _declared() -> Iterator[None]:
    with registry.isolated():
        registry.register_rule(SPEC)
        registry.register_rule(SPEC._replace(name="dips", kind="dip", numbers={"weeks": 8.0}))
        yield


def said(name: str = "fails") -> dict[str, Any]:
    override = Rule.objects.get(name=name).override
    return {key: given["value"] for key, given in override.items() if "value" in given}


def test_what_is_said_is_kept_with_who_and_when() -> None:
    """The row is made when something is said for the first time."""
    rules.override("fails", "numbers.at_least", 3, who="mira")
    rules.override("fails", "on", False, who="joost")
    rules.override("fails", "to", ("chat", "mail", "chat"), who="joost")
    rules.override("fails", "severity", "warning", who="joost")
    assert said() == {"numbers.at_least": 3.0, "on": False, "to": ["chat", "mail"], "severity": "warning"}
    given = Rule.objects.get(name="fails").override["numbers.at_least"]
    assert given["who"] == "mira"
    assert given["at"].endswith("+00:00")


def test_it_is_given_back_to_the_code_one_by_one_or_whole() -> None:
    """Also of a rule that is declared no more."""
    for key, value in (("numbers.at_least", 3), ("on", False), ("severity", "info")):
        rules.override("fails", key, value, who="mira")
    assert rules.give_back("fails", "on", who="joost")
    assert said() == {"numbers.at_least": 3.0, "severity": "info"}
    back = Rule.objects.get(name="fails").override["on"]
    assert back == {"who": "joost", "at": back["at"]}, "who gave it back is known"
    assert not rules.give_back("fails", "on", who="mira")
    Rule.objects.create(name="gone", override={"on": {"value": False}})
    assert rules.give_back("gone", who="mira")
    assert rules.give_back("fails", who="mira")
    assert said() == said("gone") == {}
    assert Rule.objects.get(name="fails").override["on"] == back, "and stays so"
    assert not rules.give_back("never heard of", who="mira")
    assert not Rule.objects.filter(name="never heard of").exists()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("numbers.at_most", 3),
        ("numbers.at_least", "3"),
        ("numbers.at_least", True),
        ("numbers.at_least", float("nan")),
        ("numbers.at_least", float("inf")),
        ("numbers.at_least", -1),
        ("numbers.window", 0),
        ("numbers.window", 1e10),
        ("numbers.keep_firing", 401 * 86400),
        ("on", 1),
        ("on", None),
        ("severity", "terrible"),
        ("to", "mail"),
        ("to", [""]),
        ("to", [7]),
        ("kind", "dip"),
        ("runbook", "javascript:alert(1)"),
    ],
)
def test_what_cannot_be_is_refused(key: str, value: Any) -> None:
    """And nothing is kept."""
    with pytest.raises(OverrideError):
        rules.override("fails", key, value, who="mira")
    assert not Rule.objects.exists()


@pytest.mark.parametrize(
    ("kind", "key", "refused", "taken"),
    [
        ("ratio", "above", 1, 0.5),
        ("ratio", "below", 1.5, 1),
        ("out_of_sync", "at_least", 1.01, 1),
        ("burn_rate", "objective", 1, 0.999),
        ("burn_rate", "period", 86_400, 3 * 86_400),
    ],
)
def test_shares_and_periods_are_held_to_what_may_be_declared(
    kind: str, key: str, refused: float, taken: float
) -> None:
    registry.register_rule(SPEC._replace(name=kind, kind=kind, numbers={key: 0.5}))
    with pytest.raises(OverrideError):
        rules.override(kind, f"numbers.{key}", refused, who="mira")
    rules.override(kind, f"numbers.{key}", taken, who="mira")
    assert said(kind) == {f"numbers.{key}": float(taken)}


def test_readings_may_be_below_zero() -> None:
    """As they may be declared: in a cold store it is too warm from -18 on."""
    spec = SPEC._replace(name="cold", of=Measure(kind="gauge", name="store"), numbers={"at_least": -18.0})
    registry.register_rule(spec)
    rules.override("cold", "numbers.at_least", -20, who="mira")
    assert said("cold") == {"numbers.at_least": -20.0}
    with pytest.raises(OverrideError):
        rules.override("cold", "numbers.for", -1, who="mira")


def test_a_rule_that_nobody_declared_is_refused() -> None:
    """A typo makes no row."""
    with pytest.raises(OverrideError, match="falls"):
        rules.override("falls", "on", False, who="mira")


def test_what_a_declaration_may_leave_out_can_be_said() -> None:
    """The window of a dip, which is chosen where nobody says it."""
    rules.override("dips", "numbers.window", 7200, who="mira")
    rules.override("dips", "numbers.min_count", 5, who="mira")
    assert said("dips") == {"numbers.window": 7200.0, "numbers.min_count": 5.0}


@pytest.mark.django_db(transaction=True, databases="__all__")
@pytest.mark.skipif(connection.vendor == "sqlite", reason="in memory there is one connection")
def test_two_who_change_different_things_at_once_both_have_their_way() -> None:
    """Each thread says something of its own, several times."""
    keys = [key for key in rules.keys(SPEC) if key.startswith(rules.NUMBERS)]
    start = threading.Barrier(len(keys))

    def say(key: str) -> None:
        start.wait()
        try:
            for value in range(1, 6):
                rules.override("fails", key, value, who=key)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=say, args=(key,)) for key in keys]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert said() == dict.fromkeys(keys, 5.0)


def test_a_number_that_no_float_holds_is_refused() -> None:
    """Written there by whoever, it would keep every rule from being judged."""
    with registry.isolated():
        spec = RuleSpec(name="r", kind="threshold", of=Measure("failures"), numbers={"at_least": 1.0})
        for number in (10**400, float("nan"), float("inf")):
            with pytest.raises(OverrideError):
                rules.valid(spec, "numbers.at_least", number)
