"""Rescued submissions: kept once, read only behind an audit row, edited beside the original."""

from __future__ import annotations

import threading
import time
from datetime import timedelta
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.db import connection, connections, transaction
from django.utils import timezone
from pytest_django import Settings

from django_qaprod.exceptions import NoKeyError, UnreadableError
from django_qaprod.models import RescuedSubmission, SubmissionAct, SubmissionVersion
from django_qaprod.store import retention, submissions
from tests.forms.kept import CANARY, KEY, new, sent, stored

pytestmark = pytest.mark.django_db(databases="__all__")


@pytest.fixture(autouse=True)
def keys(settings: Settings) -> None:
    settings.QAPROD = {"RESCUE_KEYS": [KEY]}


def days_ago(days: float) -> float:
    return time.time() - days * 86400


def test_it_is_kept_with_its_columns_and_unreadable_to_who_reads_the_table() -> None:
    pk = stored(name="x" * 300, journey="J", subject="s\x00", user="17", in_doubt="commit", failure="f")
    [row] = RescuedSubmission.objects.values()
    assert (row["id"], row["state"], row["version"], row["subject"]) == (pk, "waiting", 1, "s�")
    assert len(row["name"]) == 200
    for model in (RescuedSubmission, SubmissionVersion, SubmissionAct):
        assert CANARY not in str(
            [{k: bytes(v) if k == "content" else v for k, v in one.items()} for one in model.objects.values()]
        )


def test_the_same_key_is_kept_once_under_the_first_id() -> None:
    first = stored("a")
    assert stored("a") == first
    assert stored("b") != first
    assert RescuedSubmission.objects.count() == SubmissionVersion.objects.count() == 2


def test_the_same_submission_twice_is_one() -> None:
    one = new()
    assert submissions.save(one) == submissions.save(one) == one.id
    assert SubmissionVersion.objects.count() == 1


@pytest.mark.parametrize(
    ("state", "then"),
    [
        ("waiting", ("waiting", "page")),
        ("queued", ("waiting", "page")),
        ("replaying", ("replaying", "page")),
        ("replayed", ("replayed", "")),
    ],
)
def test_a_second_click_that_may_have_taken_effect_is_not_forgotten(
    state: str, then: tuple[str, str]
) -> None:
    stored("a")
    RescuedSubmission.objects.update(state=state)
    stored("a", in_doubt="page")
    assert RescuedSubmission.objects.values_list("state", "in_doubt").get() == then


@pytest.mark.parametrize(
    ("first", "second", "then"),
    [("", "visitor", ""), ("visitor", "page", "page"), ("commit", "page", "commit"), ("page", "", "page")],
)
def test_of_two_clicks_the_doubt_about_the_effect_remains(first: str, second: str, then: str) -> None:
    """Who sent the first one is known by it, whatever is known of the second."""
    stored("a", in_doubt=first)
    stored("a", in_doubt=second)
    assert RescuedSubmission.objects.get().in_doubt == then


def test_a_refused_one_leaves_the_transaction_alone() -> None:
    broken = new(in_doubt="far too long for its column")
    if connection.vendor == "sqlite":
        pytest.skip("SQLite takes any length")
    with pytest.raises(Exception, match="too long"):
        submissions.save(broken)
    assert stored("a")


@pytest.mark.django_db(transaction=True, databases="__all__")
def test_twenty_clicks_at_once_are_one_row() -> None:
    if connection.vendor == "sqlite":
        pytest.skip("SQLite in memory has one writer")
    many, kept = [new("same") for _ in range(20)], []

    def click(one: Any) -> None:
        kept.append(submissions.save(one))
        connections.close_all()

    threads = [threading.Thread(target=click, args=(one,)) for one in many]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(kept) == 20
    assert len(set(kept)) == RescuedSubmission.objects.count() == SubmissionVersion.objects.count() == 1


def test_who_opens_it_is_stored_before_anything_is_shown() -> None:
    rescued = RescuedSubmission.objects.get(pk=stored())
    assert submissions.opened(rescued, who="ada", why="she called") == sent()
    act = SubmissionAct.objects.get()
    assert (act.who, act.act, act.version, act.why) == ("ada", "viewed", 1, "she called")


def test_nothing_is_shown_when_that_cannot_be_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    rescued = RescuedSubmission.objects.get(pk=stored())
    order: list[str] = []
    save, decrypt = SubmissionAct.save, submissions.vault.decrypt
    monkeypatch.setattr(SubmissionAct, "save", lambda *a, **k: (order.append("act"), save(*a, **k)))
    monkeypatch.setattr(submissions.vault, "decrypt", lambda c: (order.append("read"), decrypt(c))[1])
    submissions.opened(rescued, who="ada")
    assert order == ["act", "read"]

    def refuse(*args: Any, **kwargs: Any) -> None:
        raise OSError("full")

    monkeypatch.setattr(SubmissionAct, "save", refuse)
    with pytest.raises(OSError, match="full"):
        submissions.opened(rescued, who="ada")
    assert order == ["act", "read"]


def test_a_lost_key_says_unreadable_and_breaks_no_list(settings: Settings) -> None:
    rescued = RescuedSubmission.objects.get(pk=stored())
    settings.QAPROD = {"RESCUE_KEYS": [Fernet.generate_key().decode()]}
    with pytest.raises(UnreadableError):
        submissions.opened(rescued, who="ada")
    settings.QAPROD = {}
    with pytest.raises(NoKeyError):
        submissions.opened(rescued, who="ada")
    assert not SubmissionAct.objects.exists()
    assert submissions.counts()["waiting"] == 1
    assert [str(one) for one in RescuedSubmission.objects.all()] == [rescued.pk]
    assert submissions.discard([rescued.pk], who="ada", reason="unreadable") == 1


def test_content_is_read_for_a_stored_act_alone() -> None:
    pk = stored()
    act = SubmissionAct(submission_id=pk, at=timezone.now(), who="w", act="replayed", version=1)
    with pytest.raises(ValueError, match="audit"):
        submissions.read(act)
    act.save()
    assert submissions.read(act) == sent()
    act.version = 2
    with pytest.raises(UnreadableError, match="gone"):
        submissions.read(act)


def test_an_edit_stands_beside_the_original() -> None:
    rescued = RescuedSubmission.objects.get(pk=stored())
    edited = sent(fields=(("name", "Ada Lovelace"),))
    assert submissions.add_version(rescued, edited, by="bob")
    now = RescuedSubmission.objects.get()
    assert submissions.opened(now, who="ada") == edited
    assert submissions.opened(now, who="ada", version=1) == sent()
    assert list(SubmissionAct.objects.order_by("pk").values_list("act", "who", "version")) == [
        ("edited", "bob", 2), ("viewed", "ada", 2), ("viewed", "ada", 1),
    ]  # fmt: skip


def test_of_two_who_edit_the_same_the_second_is_told() -> None:
    rescued = RescuedSubmission.objects.get(pk=stored())
    assert submissions.add_version(rescued, sent(), by="bob")
    assert not submissions.add_version(rescued, sent(), by="eve")
    assert SubmissionVersion.objects.count() == 2


@pytest.mark.parametrize("state", ["queued", "replaying", "replayed", "discarded"])
def test_what_does_not_wait_is_not_edited(state: str) -> None:
    rescued = RescuedSubmission.objects.get(pk=stored())
    RescuedSubmission.objects.update(state=state)
    assert not submissions.add_version(rescued, sent(), by="bob")


def test_discarding_says_who_and_why_and_is_done_once() -> None:
    ids = [stored(key) for key in "abc"]
    RescuedSubmission.objects.filter(pk=ids[1]).update(state="queued")
    RescuedSubmission.objects.filter(pk=ids[2]).update(state="replaying")
    assert submissions.discard(ids, who="ada", reason="spam " * 200) == 2
    assert submissions.discard(ids, who="eve", reason="again") == 0
    assert submissions.counts() == {"waiting": 0, "queued": 0, "replaying": 1, "replayed": 0, "discarded": 2}
    assert set(RescuedSubmission.objects.filter(state="discarded").values_list("decided_by", flat=True)) == {
        "ada"
    }
    assert SubmissionAct.objects.filter(act="discarded", who="ada").count() == 2


def test_who_sends_the_same_after_it_was_discarded_has_it_kept_anew() -> None:
    first = stored("a")
    submissions.discard([first], who="ada", reason="test")
    assert stored("a") != first
    assert submissions.counts()["waiting"] == 1


def test_age_is_seen_before_it_bites(settings: Settings) -> None:
    for key, days in (("a", 84), ("b", 82), ("c", 1)):
        stored(key, at=days_ago(days))
    RescuedSubmission.objects.create(
        id=submissions.first_id(days_ago(85)),
        key="z",
        at=timezone.now(),
        state_since=timezone.now(),
        state="replayed",
    )
    assert submissions.expiring_soon() == 1
    oldest = submissions.oldest_waiting()
    assert oldest is not None
    assert timezone.now() - oldest > timedelta(days=83)
    rescued = RescuedSubmission.objects.get(key="a")
    assert submissions.expires_at(rescued) - rescued.at == timedelta(days=90)
    settings.QAPROD = {"RETENTION_DAYS": {"submissions": 30}}
    assert submissions.expiring_soon() == 2


def test_nobody_waits() -> None:
    assert submissions.oldest_waiting() is None
    assert set(submissions.counts().values()) == {0}


def test_what_is_too_old_goes_with_all_that_hangs_on_it() -> None:
    old, replaying, young = (
        stored(key, at=days_ago(days)) for key, days in (("a", 91), ("b", 92), ("c", 89))
    )
    RescuedSubmission.objects.filter(pk=replaying).update(state="replaying")
    submissions.opened(RescuedSubmission.objects.get(pk=old), who="ada")
    assert retention.prune_submissions() == 3
    assert set(RescuedSubmission.objects.values_list("pk", flat=True)) == {replaying, young}
    assert SubmissionVersion.objects.count() == 2
    assert not SubmissionAct.objects.exists()
    assert retention.prune_submissions(seconds=0) == 0


def test_rotation_goes_on_where_it_was_stopped_and_names_what_it_cannot_read(settings: Settings) -> None:
    lost, fresh = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    ids = [stored(key) for key in "abc"]
    settings.QAPROD = {"RESCUE_KEYS": [lost]}
    ids.append(stored("d"))
    settings.QAPROD = {"RESCUE_KEYS": [fresh, KEY]}
    first = submissions.rotate(after=0, most=2, who="command")
    assert (first.rotated, first.current, first.unreadable) == (2, 0, ())
    assert first.last is not None
    second = submissions.rotate(after=first.last, most=3, who="command")
    assert (second.rotated, second.unreadable, second.last) == (1, (ids[3],), None)
    again = submissions.rotate(after=0, most=10, who="command")
    assert (again.rotated, again.current, again.unreadable) == (0, 3, (ids[3],))
    assert set(SubmissionAct.objects.values_list("act", "submission_id")) == {
        ("rotated", pk) for pk in ids[:3]
    }
    settings.QAPROD = {"RESCUE_KEYS": [fresh]}
    with transaction.atomic():
        assert submissions.opened(RescuedSubmission.objects.get(pk=ids[0]), who="ada") == sent()
