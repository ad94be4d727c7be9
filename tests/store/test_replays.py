"""The states of rescued submissions, each step taken once; and healing after a deploy."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from django_qaprod.models import Deploy, RescuedSubmission, SubmissionAct
from django_qaprod.store import replays
from django_qaprod.store.replays import Ending
from tests.forms.kept import KEY, stored

pytestmark = pytest.mark.django_db(databases="__all__")
State = RescuedSubmission.State


@pytest.fixture(autouse=True)
def keys(settings: Any) -> None:
    settings.QAPROD = {"RESCUE_KEYS": [KEY], "RELEASE": "2"}


def states() -> list[str]:
    return list(RescuedSubmission.objects.order_by("pk").values_list("state", flat=True))


def claimed(pk: str, **options: Any) -> replays.Claim:
    assert replays.ask([pk], who="ada") == 1
    claim = replays.claim(pk, **options)
    assert claim is not None
    return claim


def failed(claim: replays.Claim, outcome: str = "failed") -> None:
    assert replays.give_back(claim, Ending(outcome=outcome, why="because", status=500))


def test_asking_says_who_and_is_done_once() -> None:
    ids = sorted(stored(key) for key in "abc")
    RescuedSubmission.objects.filter(pk=ids[2]).update(state="discarded")
    assert replays.ask(ids, who="ada") == 2
    assert replays.ask(ids, who="eve") == 0
    acts = SubmissionAct.objects.filter(act="queued")
    assert sorted(acts.values_list("submission_id", "who", "version")) == [(pk, "ada", 1) for pk in ids[:2]]


def test_what_waits_in_doubt_is_asked_for_by_confirmation_alone() -> None:
    pk = stored(in_doubt="commit", failure="f")
    assert replays.ask([pk], who="ada") == replays.ask_all("f", who="ada") == 0
    assert replays.ask([pk], who="ada", doubtful=True) == 1


def test_only_what_is_queued_is_claimed_and_once() -> None:
    pk = stored()
    assert replays.claim(pk) is None
    claim = claimed(pk)
    assert (claim.rescued.state, claim.rescued.attempts, claim.act.attempt, claim.act.who) == (
        State.REPLAYING, 1, 1, "ada",
    )  # fmt: skip
    assert replays.claim(pk) is None
    assert SubmissionAct.objects.filter(act="replayed").count() == 1


def test_a_claim_settles_once() -> None:
    claim = claimed(stored())
    assert replays.settled(claim) is None
    assert replays.settle(claim, status=302, request_id="r")
    assert not replays.settle(claim, status=302, request_id="r")
    assert not replays.give_back(claim, Ending(outcome="failed", why="late"))
    assert replays.settled(claim) is not None
    act = SubmissionAct.objects.get(act="replayed")
    assert (act.outcome, act.status, act.request_id) == ("succeeded", 302, "r")
    assert states() == [State.REPLAYED]


def test_a_claim_lasts_by_the_clock_of_the_database(monkeypatch: pytest.MonkeyPatch) -> None:
    ids = sorted((stored("a"), stored("b")))
    old, young = claimed(ids[0], ttl=timedelta(seconds=-1)), claimed(ids[1])
    monkeypatch.setattr(time, "time", lambda: 0)
    assert replays.expire() == 1
    assert states() == [State.WAITING, State.REPLAYING]
    assert not replays.settle(old, status=200, request_id="")
    assert replays.settle(young, status=200, request_id="")
    assert SubmissionAct.objects.get(pk=old.act.pk).outcome == "interrupted"


def test_a_claim_that_expired_settles_while_nobody_has_noticed() -> None:
    claim = claimed(stored(), ttl=timedelta(seconds=-1))
    assert replays.settle(claim, status=200, request_id="")
    assert replays.expire() == 0


def test_an_old_claim_is_none_after_another_attempt() -> None:
    pk = stored(transactional=False)
    first = claimed(pk, ttl=timedelta(seconds=-1))
    replays.expire()
    assert replays.ask([pk], who="eve", doubtful=True) == 1
    second = replays.claim(pk)
    assert second is not None
    assert not replays.settle(first, status=200, request_id="")
    assert not replays.settle_late(first, status=200, request_id="")
    assert not replays.give_back(first, Ending(outcome="failed", why=""))
    assert replays.settle(second, status=200, request_id="")


def test_what_is_discarded_meanwhile_is_not_settled() -> None:
    claim = claimed(stored(transactional=False), ttl=timedelta(seconds=-1))
    replays.expire()
    RescuedSubmission.objects.update(state=State.DISCARDED)
    assert not replays.settle_late(claim, status=200, request_id="")


def test_each_that_is_queued_is_come_to_once() -> None:
    ids = sorted(stored(key) for key in "abc")
    replays.ask(ids, who="ada")
    assert list(replays.queued()) == ids


class TestAllOfAFailure:
    """Asked for by a person: one goes first, and if the fault is still there the others are not tried."""

    @staticmethod
    def next() -> replays.Claim:
        claim = replays.claim(next(replays.queued()))
        assert claim is not None
        return claim

    def test_the_others_wait_with_a_reason_when_the_first_has_failed(self) -> None:
        for key in "abc":
            stored(key, failure="f")
        after = SubmissionAct.objects.count()
        assert replays.ask_all("f", who="ada") == 3
        claim = self.next()
        failed(claim)
        assert replays.call_off(claim) == 2
        found = RescuedSubmission.objects.order_by("pk").values_list("state", "reason")
        assert list(found) == [("waiting", ""), *[("waiting", replays.CALLED_OFF)] * 2]
        assert replays.called_off(after=after, by="ada") == 2
        assert replays.called_off(after=after, by="eve") == 0
        assert replays.ask_all("f", who="ada") == 3
        assert replays.called_off(after=after, by="ada") == 0

    def test_after_one_has_succeeded_each_stands_for_itself(self) -> None:
        for key in "abc":
            stored(key, failure="f")
        replays.ask_all("f", who="ada")
        assert replays.settle(self.next(), status=302, request_id="")
        claim = self.next()
        failed(claim)
        assert replays.call_off(claim) == 0
        # What has succeeded before says nothing of a fault that is back.
        stored("d", failure="f")
        failed(self.next())
        assert replays.ask_all("f", who="ada") == 3
        claim = self.next()
        failed(claim)
        assert replays.call_off(claim) == 2

    def test_what_somebody_has_chosen_or_failed_in_another_way_is_not_called_off(self) -> None:
        ids = sorted(stored(key, failure="f") for key in "abc")
        stored("other view", failure="f", name="another")
        replays.ask(ids[2:], who="ada")
        assert replays.ask_all("f", who="ada") == 3
        claim = self.next()
        failed(claim)
        assert replays.call_off(claim) == 1
        assert states() == ["waiting", "waiting", "queued", "queued"]


class TestHealing:
    """After a deploy: one of a kind first, the rest at a bounded rate, none after a failure."""

    @pytest.fixture(autouse=True)
    def _live(self) -> None:
        Deploy.objects.create(release="2", at=timezone.now() - timedelta(minutes=1))

    @staticmethod
    def kept(key: str, **fields: Any) -> str:
        values = {"at": time.time() - 600, "release": "1", "failure": "f", "healing": "after_deploy"}
        return stored(key, **values | fields)

    @staticmethod
    def run(outcome: str) -> None:
        """Replay what is queued, with this outcome."""
        for pk in list(replays.queued()):
            claim = replays.claim(pk)
            if claim is None:
                continue
            if outcome == "succeeded":
                assert replays.settle(claim, status=200, request_id="")
            else:
                failed(claim, outcome)
                if outcome == "failed":
                    replays.call_off(claim)

    def test_one_is_tried_before_the_rest(self) -> None:
        ids = sorted(self.kept(str(i)) for i in range(5))
        assert replays.heal() == 1
        assert replays.heal() == 0
        assert RescuedSubmission.objects.get(state="queued").pk == ids[0]
        self.run("succeeded")
        assert replays.heal(most=3) == 3
        assert replays.heal(most=3) == 0
        self.run("succeeded")
        assert replays.heal(most=3) == 1

    def test_a_failure_stops_it_until_the_next_release(self, settings: Any) -> None:
        for i in range(3):
            self.kept(str(i))
        replays.heal()
        self.run("failed")
        assert replays.heal() == 0
        settings.QAPROD = {**settings.QAPROD, "RELEASE": "3"}
        assert replays.heal() == 0
        Deploy.objects.create(release="3", at=timezone.now())
        assert replays.heal() == 1

    def test_a_failure_among_the_rest_calls_the_others_off(self) -> None:
        for i in range(5):
            self.kept(str(i))
        replays.heal()
        self.run("succeeded")
        assert replays.heal() == 4
        self.run("failed")
        assert sorted(states()) == ["replayed", "waiting", "waiting", "waiting", "waiting"]
        assert SubmissionAct.objects.filter(act="replayed").count() == 2
        assert replays.heal() == 0

    def test_what_was_asked_for_by_a_person_is_not_called_off(self) -> None:
        ids = sorted(self.kept(str(i)) for i in range(3))
        replays.ask(ids[1:], who="ada")
        RescuedSubmission.objects.filter(pk=ids[0]).update(state="queued", decided_by=replays.healer("2"))
        claim = replays.claim(ids[0])
        assert claim is not None
        failed(claim)
        assert replays.call_off(claim) == 0
        assert states() == ["waiting", "queued", "queued"]

    def test_one_that_is_refused_says_nothing_about_the_others(self) -> None:
        ids = sorted(self.kept(str(i)) for i in range(3))
        replays.heal()
        self.run("refused")
        assert replays.heal() == 1
        assert RescuedSubmission.objects.get(state="queued").pk == ids[1]

    def test_another_kind_is_not_held_up(self) -> None:
        self.kept("a")
        self.kept("b", failure="g")
        self.kept("c", failure="g", name="other")
        assert replays.heal() == 3

    @pytest.mark.parametrize(
        "fields",
        [
            {"in_doubt": "commit"},
            {"healing": "by_hand"},
            {"release": "2"},
            # A day: it is looked at when the test runs, long after it was collected.
            {"at": time.time() + 86_400},
        ],
    )
    def test_it_is_not_for_all(self, fields: dict[str, Any]) -> None:
        self.kept("a", **fields)
        assert replays.heal() == 0

    @pytest.mark.parametrize("release", ["", "1", "3"])
    def test_only_the_release_that_is_live_heals(self, release: str, settings: Any) -> None:
        self.kept("a")
        settings.QAPROD = {**settings.QAPROD, "RELEASE": release}
        assert replays.heal() == 0

    def test_what_another_release_left_in_the_queue_waits_again(self, settings: Any) -> None:
        """Its processes are gone; neither a person nor the next release could ask for it."""
        ids = sorted(self.kept(key) for key in "ab")
        replays.heal()
        replays.ask(ids[1:], who="ada")
        settings.QAPROD = {**settings.QAPROD, "RELEASE": "3"}
        Deploy.objects.create(release="3", at=timezone.now())
        assert replays.heal() == 0  # A person's is under way.
        assert states() == ["waiting", "queued"]
        self.run("succeeded")
        assert replays.heal() == 1
        assert RescuedSubmission.objects.get(pk=ids[0]).decided_by == replays.healer("3")

    def test_another_release_leaves_it_alone(self, settings: Any) -> None:
        self.kept("a")
        assert replays.heal() == 1
        settings.QAPROD = {**settings.QAPROD, "RELEASE": "1"}
        assert list(replays.queued()) == []
