"""Rules as they are judged: the code's, with what people say in its place."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connections
from django.test.utils import CaptureQueriesContext

from django_qaprod import registry
from django_qaprod.conf import telemetry_alias
from django_qaprod.exceptions import OverrideError
from django_qaprod.models import Rule
from django_qaprod.queries import rules
from django_qaprod.specs import Measure, RuleSpec
from django_qaprod.store import rules as stored

pytestmark = pytest.mark.django_db(databases="__all__")

SPEC = RuleSpec(
    name="fails",
    kind="threshold",
    of=Measure(kind="failures"),
    numbers={"at_least": 1.0, "window": 300.0},
    to=("mail",),
)


@pytest.fixture(autouse=True)
def _declared(settings: Any) -> Iterator[None]:
    settings.QAPROD = {"DEFAULT_RULES": False}
    with registry.isolated():
        registry.register_rule(SPEC)
        registry.register_rule(SPEC._replace(name="other"))
        yield


def test_a_rule_is_the_codes_until_somebody_says_something_else() -> None:
    """Of that rule alone."""
    assert rules.effective() == [SPEC, SPEC._replace(name="other")]
    for key, value in (("numbers.at_least", 3), ("severity", "info"), ("to", ["chat"]), ("on", False)):
        stored.override("fails", key, value, who="mira")
    changed = SPEC._replace(
        numbers={"at_least": 3.0, "window": 300.0}, severity="info", to=("chat",), on=False
    )
    assert rules.effective() == [changed, SPEC._replace(name="other")]
    assert rules.effective_rule("fails") == changed
    assert SPEC.numbers["at_least"] == 1.0
    stored.give_back("fails", who="mira")
    assert rules.effective_rule("fails") == SPEC


def test_all_rules_cost_one_query() -> None:
    """However many there are."""
    with CaptureQueriesContext(connections[telemetry_alias()]) as captured:
        rules.effective()
    assert len(captured) == 1


def test_what_does_not_fit_the_code_any_more_does_not_hold() -> None:
    """It is shown, so that somebody takes it back; nothing else of the rule is lost by it."""
    override = {
        "numbers.at_most": {"value": 3, "who": "mira", "at": "2026-01-01T00:00:00+00:00"},
        "numbers.at_least": {"value": "many"},
        "severity": {"value": "warning", "who": "mira"},
        "on": {},
    }
    Rule.objects.create(name="fails", override=override)
    assert rules.effective_rule("fails") == SPEC._replace(severity="warning")
    found = rules.state("fails")
    assert {key: given.holds for key, given in found.overrides.items()} == {
        "numbers.at_most": False,
        "numbers.at_least": False,
        "severity": True,
    }
    assert found.overrides["severity"].code == "error"
    assert found.overrides["severity"].who == "mira"


def test_a_page_sees_what_the_code_says_and_what_is_known() -> None:
    """Also of rules that were never judged."""
    Rule.objects.create(name="fails", silent="It has no data.")
    stored.override("fails", "numbers.window", 60, who="mira")
    fails, other = rules.states()
    assert fails.declared == SPEC
    assert fails.effect.numbers["window"] == 60.0
    assert (fails.overrides["numbers.window"].code, fails.overrides["numbers.window"].value) == (300.0, 60.0)
    assert fails.row.silent == "It has no data."
    assert other.row.pk is None
    assert other.overrides == {}
    with pytest.raises(OverrideError, match="falls"):
        rules.state("falls")
