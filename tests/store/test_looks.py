"""Looks at rules that are well are kept together, and never over what a later one or a person has said."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest
from django.db import connection, connections

from django_qaprod import clock, registry
from django_qaprod.models import Alert, Notification, Rule, Transition
from django_qaprod.specs import Measure, RuleSpec
from django_qaprod.store import alerts, looks, rules
from django_qaprod.store.alerts import Change, Telling, Told
from django_qaprod.store.looks import Well
from tests.counting import Counted

pytestmark = pytest.mark.django_db(databases="__all__")

NAMES = [f"rule {number}" for number in range(8)]
LATER = timedelta(seconds=30)
#: Looks of each evaluator where there are many.
TURNS = 20


@pytest.fixture
def at() -> datetime:
    return clock.now() - timedelta(minutes=10)


@pytest.fixture
def _declared() -> Iterator[None]:
    with registry.isolated():
        for name in NAMES:
            registry.register_rule(spec(name))
        yield


def spec(name: str) -> RuleSpec:
    return RuleSpec(name=name, kind="threshold", of=Measure("failures"), numbers={"at_least": 1.0})


def said(words: str, *names: str, **more: Any) -> list[Well]:
    return [Well(name, [{"key": "", "words": words}], **more) for name in names]


def look(name: str, at: datetime, state: str) -> bool:
    def change(active: Any) -> list[Change]:
        if state == "firing" or active:
            return [Change(key="", state=state, began_at=at, wrong_at=at, words="3 in 5 min")]
        return []

    def tell(alert: Alert) -> Telling:
        return Telling(told=[Told("mail", at)])

    return looks.look(spec(name), at=at, verdicts=[{"key": ""}], change=change, tell=tell)


def test_many_are_kept_by_as_many_statements_as_few(at: datetime) -> None:
    """Also the first time, when their rows are made."""
    for begun, least in ((0, 5), (30, 3)):
        then = at + timedelta(seconds=begun)
        with Counted() as few:
            assert looks.look_well(said("1", *NAMES[:2]), at=then) == set()
        with Counted() as many:
            assert looks.look_well(said("1", *NAMES[2:]), at=then) == set()
        assert len(few) == len(many) == least
    assert set(Rule.objects.values_list("judged_at", "well_at")) == {(then, then)}
    assert [row.verdicts[0]["words"] for row in Rule.objects.all()] == ["1"] * len(NAMES)


def test_who_looked_earlier_leaves_what_a_later_look_said(at: datetime) -> None:
    """Of others, in the same breath, it is kept. A clock that was wrong is nobody's last word."""
    looks.look_well(said("later", "rule 0"), at=at + LATER)
    Rule.objects.create(name="rule 2", judged_at=at + timedelta(days=1))
    assert looks.look_well(said("earlier", *NAMES[:3]), at=at) == set()
    kept = dict(Rule.objects.values_list("name", "verdicts__0__words"))
    assert kept == {"rule 0": "later", "rule 1": "earlier", "rule 2": "earlier"}


def test_rules_that_have_alerts_are_left_to_a_look_of_their_own(at: datetime) -> None:
    """By which the alert ends, and whoever was told of it is told."""
    look("rule 0", at, "firing")
    assert looks.look_well(said("1", *NAMES[:2]), at=at + LATER) == {"rule 0"}
    assert Rule.objects.get(name="rule 0").judged_at == at
    assert Rule.objects.get(name="rule 1").judged_at == at + LATER
    assert look("rule 0", at + LATER, "resolved")
    assert Alert.objects.get().state == "resolved"


def test_of_what_is_silent_only_that_is_kept(at: datetime) -> None:
    """Since when, too, and what was said before; its alerts go on."""
    look("rule 0", at, "firing")
    looks.look_well(said("1", "rule 1"), at=at)
    for after in (1, 2):
        silent = [Well(name, silent="It has no data.", ends=False) for name in NAMES[:2]]
        assert looks.look_well([*silent, *said("1", "rule 2")], at=at + after * LATER) == set()
    for row in Rule.objects.filter(name__in=NAMES[:2]):
        assert (row.silent, row.silent_since, row.judged_at) == (
            "It has no data.",
            at + LATER,
            at + 2 * LATER,
        )
        assert row.verdicts
    assert looks.look_well([Well("rule 0", silent="Too few.")], at=at + 3 * LATER) == {"rule 0"}
    looks.look_well(said("2", "rule 1"), at=at + 3 * LATER)
    row = Rule.objects.get(name="rule 1")
    assert (row.silent, row.silent_since, row.verdicts[0]["words"]) == ("", None, "2")
    assert Alert.objects.get().state == "firing"


@pytest.mark.usefixtures("_declared")
def test_what_a_person_changed_of_a_rule_stays(at: datetime) -> None:
    """A look writes what it found, and nothing else; an error is over."""
    rules.override("rule 0", "numbers.at_least", 7, who="ada")
    looks.failed(spec("rule 0"), "LookupError: no such column", at=at)
    looks.look_well(said("1", "rule 0"), at=at + LATER)
    row = Rule.objects.get()
    assert row.override["numbers.at_least"]["value"] == 7
    assert (row.error, row.well_at) == ("", at + LATER)


@pytest.mark.parametrize("act", [alerts.acknowledge, alerts.resolve])
def test_a_person_who_acts_during_a_look_is_not_overruled(act: Any, at: datetime) -> None:
    """Neither when the rule is wrong still, nor when it is over."""
    for name in NAMES[:2]:
        look(name, at, "firing")

    def look_again(name: str, state: str) -> None:
        def change(active: Any) -> list[Change]:
            # After the look has read them: on its own connection, so that it is the same on SQLite.
            act([active[""].pk], who="ada")
            return [Change(key="", state=state, began_at=at, wrong_at=at + LATER, words="4 in 5 min")]

        looks.look(spec(name), at=at + LATER, verdicts=[], change=change, tell=lambda alert: Telling())

    look_again("rule 0", "firing")
    look_again("rule 1", "resolved")
    wrong, over = Alert.objects.order_by("rule")
    assert over.state == "resolved"
    if act == alerts.acknowledge:
        assert (wrong.state, wrong.acknowledged_by, wrong.remind_at) == ("firing", "ada", None)
        assert over.acknowledged_by == "ada"
    else:
        assert wrong.state == "resolved"
        assert Transition.objects.filter(after="resolved", who="ada").count() == 2
    assert Transition.objects.filter(alert=over, after="resolved").count() == 1


def evaluate(number: int, begun: datetime) -> None:
    """Look at all rules again and again, each time at two others that are wrong."""
    chosen = random.Random(number)
    for turn in range(TURNS):
        at = begun + timedelta(seconds=10 * turn + number)
        wrong = chosen.sample(NAMES, 2)
        for name in wrong:
            look(name, at, "firing")
        well = chosen.sample([name for name in NAMES if name not in wrong], len(NAMES) - 2)
        for name in looks.look_well(said(str(at), *well), at=at):
            look(name, at, "resolved")


def act() -> None:
    """Do what people do to alerts and rules."""
    chosen = random.Random(9)
    for _ in range(TURNS):
        pks = list(Alert.objects.values_list("pk", flat=True))
        chosen.choice([alerts.resolve, alerts.acknowledge])(chosen.sample(pks, min(len(pks), 3)), who="ada")
        rules.override(chosen.choice(NAMES), "numbers.at_least", 7, who="ada")


def at_once(*tasks: Callable[[], object]) -> None:
    barrier = threading.Barrier(len(tasks))

    def run(task: Callable[[], object]) -> None:
        barrier.wait()
        try:
            task()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(tasks)) as pool:
        for done in [pool.submit(run, task) for task in tasks]:
            done.result()


@pytest.mark.slow
@pytest.mark.django_db(databases="__all__", transaction=True)
@pytest.mark.usefixtures("_declared")
def test_looks_of_many_evaluators_and_people_come_to_one_end() -> None:
    """Nobody waits for each other for ever; the newest look is the last word; each alert is told once."""
    if connection.vendor != "postgresql":
        pytest.skip("SQLite in memory has one writer; the suite runs on PostgreSQL too")
    begun = clock.now() - timedelta(hours=1)
    at_once(*(partial(evaluate, number, begun) for number in range(4)), act)
    newest = begun + timedelta(seconds=10 * (TURNS - 1) + 3)
    assert set(Rule.objects.values_list("judged_at", flat=True)) == {newest}
    told = Notification.objects.filter(kind="firing").values_list("alert", flat=True)
    assert sorted(told) == sorted(Alert.objects.values_list("pk", flat=True))
    active = list(Alert.objects.exclude(state="resolved").values_list("rule", flat=True))
    assert len(active) == len(set(active)) <= 2
