"""A repair is tried dry first, seldom enough, and every try is kept."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from django_qaprod import Expectation, clock, registry
from django_qaprod.expectations import passes, repairing
from django_qaprod.models import Breach
from django_qaprod.pipeline import guard
from django_qaprod.store import breaches
from tests.recorded import records as records

from .conftest import Take

pytestmark = pytest.mark.django_db(databases="__all__")

Expect = Callable[..., Expectation]


class Repair:
    """A repair that says what it was asked for."""

    def __init__(self, *, broken: str = "") -> None:
        self.asked: list[tuple[str, bool]] = []
        self.broken = broken

    def __call__(self, breach: Breach, /, *, dry_run: bool) -> str:
        self.asked.append((breach.subject, dry_run))
        if self.broken == ("dry" if dry_run else "real"):
            raise LookupError("no such school")
        return "would send" if dry_run else "sent"


def go(*, later: timedelta = timedelta(0)) -> None:
    Breach.objects.filter(tried_at__isnull=False).update(tried_at=clock.now() - later)
    passes.look(threading.Event())


def test_by_itself_it_is_tried_dry_first(expect: Expect, take: Take) -> None:
    repair = Repair()
    expect(repair=repair, by_itself=True)
    take("submitted", "7", ago=40)
    go()
    assert repair.asked == [("7", True), ("7", False)]
    breach = Breach.objects.get()
    (told,) = breach.tried
    assert (told["who"], told["words"], told["dry_run"], told["failed"]) == ("qaprod", "sent", False, False)
    assert breach.state == "open", "only the second step closes it"


def test_what_a_repair_brings_about_closes_the_breach_at_once(expect: Expect, take: Take) -> None:
    def send(breach: Breach, /, *, dry_run: bool) -> None:
        if not dry_run:
            take("emailed", breach.subject, ago=0)

    spec = expect(repair=send).spec
    take("submitted", "7", ago=40)
    breaches.look(spec)
    repairing.repair(spec, Breach.objects.get(), who="ada", dry_run=True)
    assert Breach.objects.get().state == "open"
    repairing.repair(spec, Breach.objects.get(), who="ada")
    assert Breach.objects.get().state == "came"


def test_what_a_repair_logs_is_the_host_s_and_has_nothing_repaired(
    expect: Expect, take: Take, records: Any
) -> None:
    def send(breach: Breach, /, *, dry_run: bool) -> None:
        logging.getLogger("jobs.mail").error("the school has no address (dry run: %s)", dry_run)

    expect(repair=send, by_itself=True)
    take("submitted", "7", ago=40)
    with guard.guard("worker"):
        go()
        passes.look(threading.Event())
    assert [one.message for one in records.failures] == [
        "the school has no address (dry run: True)",
        "the school has no address (dry run: False)",
    ]


def test_without_being_asked_for_nothing_is_repaired(expect: Expect, take: Take) -> None:
    repair = Repair()
    expect(repair=repair)
    take("submitted", "7", ago=40)
    go()
    assert repair.asked == []


def test_a_dry_run_that_fails_is_the_end_of_the_try(expect: Expect, take: Take, records: Any) -> None:
    repair = Repair(broken="dry")
    expect(repair=repair, by_itself=True)
    take("submitted", "7", ago=40)
    go()
    assert repair.asked == [("7", True)]
    (told,) = Breach.objects.get().tried
    assert told["failed"]
    assert told["words"] == "LookupError: no such school"
    assert [failure.name for failure in records.failures] == ["repair of reaches the school"]
    assert guard.take() is None, "it is the host's error"


def test_it_is_tried_three_times_with_pauses(expect: Expect, take: Take) -> None:
    repair = Repair(broken="real")
    expect(repair=repair, by_itself=True)
    take("submitted", "7", ago=40)
    go()
    go()
    assert len(repair.asked) == 2
    for _ in range(5):
        go(later=timedelta(minutes=11))
    assert len(repair.asked) == 2 * repairing.MOST_TRIES
    assert Breach.objects.get().tries == repairing.MOST_TRIES


def test_a_dry_run_that_fails_uses_up_a_try(expect: Expect, take: Take) -> None:
    repair = Repair(broken="dry")
    expect(repair=repair, by_itself=True)
    take("submitted", "7", ago=40)
    for _ in range(6):
        go(later=timedelta(minutes=11))
    assert len(repair.asked) == repairing.MOST_TRIES


def test_so_many_an_hour_and_no_more(expect: Expect, take: Take) -> None:
    repair = Repair()
    expect(repair=repair, by_itself=True, repairs_per_hour=2)
    take("submitted", *"abcde", ago=40)
    go()
    go(later=timedelta(minutes=30))
    assert len({subject for subject, _ in repair.asked}) == 2
    go(later=timedelta(minutes=61))
    assert len({subject for subject, _ in repair.asked}) == 4


def test_the_latest_tries_are_kept(expect: Expect, take: Take) -> None:
    spec = expect(repair=Repair()).spec
    take("submitted", "7", ago=40)
    breaches.look(spec)
    for number in range(12):
        repairing.repair(spec, Breach.objects.get(), who=f"ada {number}", dry_run=True)
    tried = Breach.objects.get().tried
    assert [one["who"] for one in tried] == [f"ada {number}" for number in range(2, 12)]


def test_one_expectation_that_cannot_be_looked_at_holds_back_no_other(
    expect: Expect, take: Take, journey: Any
) -> None:
    def broken(at: Any) -> Any:
        raise LookupError("no calendar")

    spec = expect().spec
    registry.register_expectation(spec._replace(due=broken))
    Expectation("another", when=journey.submitted, then=journey.emailed, within=timedelta(minutes=30))
    take("submitted", "7", ago=40)
    passes.look(threading.Event())
    assert set(Breach.objects.values_list("expectation", flat=True)) == {"another"}
    tally = guard.take()
    assert tally is not None
    assert tally.errors == {"expectation.reaches the school": 1}


def test_what_came_twice_is_never_repaired(expect: Expect, take: Take) -> None:
    """The repair would send it a third time."""
    repair = Repair()
    expect(repair=repair, by_itself=True, once=True)
    take("submitted", "7", ago=40)
    take("emailed", "7", ago=39)
    take("emailed", "7", ago=38)
    go()
    assert Breach.objects.get().kind == "twice"
    assert repair.asked == []


def test_what_ends_the_process_is_a_try(expect: Expect, take: Take) -> None:
    def kill(breach: Breach, /, *, dry_run: bool) -> None:
        raise SystemExit

    expect(repair=kill, by_itself=True)
    take("submitted", "7", ago=40)
    with pytest.raises(SystemExit):
        go()
    breach = Breach.objects.get()
    assert (breach.tries, breach.tried[0]["words"]) == (1, "It was begun, and did not end.")
    go()
    assert Breach.objects.get().tries == 1, "not before its pause is over"


def test_words_that_cannot_be_said_are_a_try_that_failed(expect: Expect, take: Take, records: Any) -> None:
    class Mute:
        def __str__(self) -> str:
            raise LookupError("no words")

    spec = expect(repair=lambda breach, *, dry_run: Mute()).spec
    take("submitted", "7", ago=40)
    breaches.look(spec)
    assert repairing.repair(spec, Breach.objects.get(), who="ada").failed


def test_what_was_dismissed_or_came_meanwhile_is_left_alone(expect: Expect, take: Take) -> None:
    asked: list[str] = []

    def repair(breach: Breach, /, *, dry_run: bool) -> None:
        asked.append(breach.subject)
        breaches.dismiss(Breach.objects.filter(subject="b").values_list("pk", flat=True), who="ada", why="x")
        if dry_run:
            take("emailed", "c", ago=0)

    expect(repair=repair, by_itself=True)
    take("submitted", "a", ago=42)
    take("submitted", "b", "c", ago=41)
    go()
    assert set(asked) == {"a"}


def test_many_tries_of_one_are_so_many_of_the_hour_s(expect: Expect, take: Take) -> None:
    repair = Repair(broken="real")
    expect(repair=repair, by_itself=True, repairs_per_hour=2)
    take("submitted", "7", ago=40)
    passes.look(threading.Event())
    for _ in range(4):
        Breach.objects.update(tried_at=clock.now() - timedelta(minutes=11))
        passes.look(threading.Event())
    assert len(repair.asked) == 2 * 2


def test_a_stop_ends_repairs(expect: Expect, take: Take) -> None:
    stop, asked = threading.Event(), []

    def repair(breach: Breach, /, *, dry_run: bool) -> None:
        asked.append(breach.subject)
        stop.set()

    expect(repair=repair, by_itself=True)
    take("submitted", *"abc", ago=40)
    passes.look(stop)
    assert len(set(asked)) == 1


def test_what_a_person_tries_meanwhile_is_kept_beside(expect: Expect, take: Take) -> None:
    def repair(breach: Breach, /, *, dry_run: bool) -> str:
        breaches.keep_try(breach, who="ada", words="I looked.", failed=False, dry_run=True)
        return "sent"

    expect(repair=repair, by_itself=True)
    take("submitted", "7", ago=40)
    go()
    told = [(one["who"], one["words"]) for one in Breach.objects.get().tried]
    assert told == [("qaprod", "sent"), ("ada", "I looked."), ("ada", "I looked.")]
