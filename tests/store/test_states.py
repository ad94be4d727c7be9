from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone

from django_qaprod.models import Deploy, Failure, Transition
from django_qaprod.store import states

pytestmark = pytest.mark.django_db(databases="__all__")


def made(fingerprint: str = "v1:a", **fields: object) -> Failure:
    now = timezone.now()
    values = {"kind": "unhandled", "error_type": "E", "first_seen": now, "last_seen": now}
    return Failure.objects.create(fingerprint=fingerprint, **values | fields)


def test_resolving_leaves_a_transition_with_who_and_why() -> None:
    failures = [made(str(i)).pk for i in range(3)]
    assert states.resolve(failures[:2], who="ada", why="mended in #12") == 2
    assert list(Failure.objects.order_by("pk").values_list("state", flat=True)) == [
        "resolved",
        "resolved",
        "open",
    ]
    transition = Transition.objects.get(failure=failures[0])
    assert (transition.who, transition.why) == ("ada", "mended in #12")
    assert (transition.before, transition.after) == ("open", "resolved")


def test_what_is_resolved_already_does_not_change() -> None:
    failure = made()
    assert [states.resolve([failure.pk], who="ada"), states.resolve([failure.pk], who="bob")] == [1, 0]
    assert Transition.objects.get().who == "ada"


def test_resolving_remembers_the_release_that_is_live() -> None:
    Deploy.objects.create(release="r1", at=timezone.now() - timedelta(days=1))
    Deploy.objects.create(release="r2", at=timezone.now())
    failure = made()
    states.resolve([failure.pk], who="ada", in_next=True)
    failure.refresh_from_db()
    assert (failure.resolved_release, failure.resolve_in_next) == ("r2", True)
    assert states.resolve([failure.pk], who="ada") == 1
    failure.refresh_from_db()
    assert failure.resolve_in_next is False


def test_the_transition_says_when_it_is_to_be_mended() -> None:
    failure = made()
    states.resolve([failure.pk], who="ada", in_next=True)
    assert Transition.objects.get().why == ""  # Where no releases are in use there is no next one.
    states.reopen([failure.pk], who="ada")
    Deploy.objects.create(release="r1", at=timezone.now())
    states.resolve([failure.pk], who="ada", in_next=True, why="#12")
    assert Transition.objects.latest("pk").why == "In the next release. #12"


@pytest.mark.parametrize(
    ("limits", "why"),
    [
        ({}, "noise"),
        ({"above": 20}, "Up to 20 an hour. noise"),
        (
            {"until": datetime(2026, 1, 2, 4, 5, tzinfo=ZoneInfo("Europe/Paris"))},
            "Until 2026-01-02 03:05 UTC. noise",
        ),
        (
            {"until": datetime(2026, 1, 2, 3, 5, tzinfo=UTC), "above": 20},
            "Until 2026-01-02 03:05 UTC, up to 20 an hour. noise",
        ),
    ],
)
def test_the_transition_keeps_the_limits_of_a_silence(limits: dict[str, Any], why: str) -> None:
    failure = made()
    states.silence([failure.pk], who="ada", why="noise", **limits)
    states.reopen([failure.pk], who="ada")
    assert Transition.objects.earliest("pk").why == why


def test_reopening_forgets_what_was_agreed() -> None:
    failure = made()
    states.silence([failure.pk], who="ada", above=5)
    assert states.reopen([failure.pk], who="bob") == 1
    failure.refresh_from_db()
    assert (failure.state, failure.silenced_above) == ("open", None)
    assert states.reopen([failure.pk], who="bob") == 0


def test_silencing_what_is_silent_sets_the_new_limits_once() -> None:
    failure = made()
    states.silence([failure.pk], who="ada", above=5)
    assert states.silence([failure.pk], who="ada", above=9) == 1
    failure.refresh_from_db()
    assert failure.silenced_above == 9
    assert Transition.objects.count() == 2


def test_many_are_changed_in_few_queries(django_assert_max_num_queries: object) -> None:
    from django_qaprod.conf import telemetry_alias

    ids = [made(str(i)).pk for i in range(40)]
    with django_assert_max_num_queries(12, using=telemetry_alias()):  # type: ignore[operator]
        assert states.resolve(ids, who="ada") == 40


class TestSilence:
    def test_it_ends_with_its_time(self) -> None:
        failure, later = made(), made("later")
        states.silence([failure.pk], who="ada", until=timezone.now() - timedelta(seconds=1))
        states.silence([later.pk], who="ada", until=timezone.now() + timedelta(hours=1))
        assert states.review() == 1
        failure.refresh_from_db()
        assert (failure.state, failure.silenced_until) == ("open", None)
        assert failure.transitions.first().who == "qaprod"
        later.refresh_from_db()
        assert later.state == "silenced"

    def test_it_ends_above_its_limit_and_returns_well_below(self) -> None:
        failure = made()
        states.silence([failure.pk], who="ada", above=10)
        assert self.at_rate(failure, 10) == "silenced"
        assert self.at_rate(failure, 11) == "open"
        assert self.at_rate(failure, 8) == "open"
        assert self.at_rate(failure, 4) == "silenced"
        assert Transition.objects.filter(who="qaprod").count() == 2

    def test_what_a_person_decides_meanwhile_holds(self) -> None:
        failure = made()
        states.silence([failure.pk], who="ada", above=10)
        self.at_rate(failure, 11)
        states.resolve([failure.pk], who="ada")
        assert self.at_rate(failure, 0) == "resolved"

    def test_one_for_good_stays(self) -> None:
        failure = made()
        states.silence([failure.pk], who="ada")
        assert self.at_rate(failure, 10_000) == "silenced"

    def at_rate(self, failure: Failure, rate: float) -> str:
        Failure.objects.filter(pk=failure.pk).update(rate=rate)
        states.review()
        failure.refresh_from_db()
        return failure.state
