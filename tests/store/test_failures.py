from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

import pytest
from django.db.models import Sum
from django.utils import timezone

from django_qaprod.models import Affected, Bucket, Deploy, Failure, Occurrence, Stack
from django_qaprod.records import ChainLink, LogLine, Record
from django_qaprod.sinks.database import DatabaseSink
from django_qaprod.store import failures, occurrences, states

from .make import batch, failure, minute, numbers

pytestmark = pytest.mark.django_db(databases="__all__")


class Store:
    """The public door: a sink that gets batch after batch of one segment."""

    def __init__(self) -> None:
        self.sink = DatabaseSink()
        self.position = 0

    def __call__(self, *records: Record) -> None:
        self.sink.write(batch(*records, after=self.position))
        self.position += len(records)


@pytest.fixture
def store() -> Store:
    return Store()


def only() -> Failure:
    return Failure.objects.get()


def test_alike_errors_are_one_failure(store: Store) -> None:
    now = time.time()
    store(failure(at=now - 5, message="first"), failure("v1:b"), failure(at=now, message="last"))
    store(failure(at=now - 60, message="late"))

    found = Failure.objects.get(fingerprint="v1:a")
    assert Failure.objects.count() == 2
    assert found.count == 3
    assert found.message == "last"
    assert found.first_seen.timestamp() == pytest.approx(now - 60, abs=0.01)
    assert found.last_seen.timestamp() == pytest.approx(now, abs=0.01)


def test_a_failure_knows_by_which_method_it_was_met_first(store: Store) -> None:
    store(failure(), failure(method="POST"), failure("v1:b", method="GET"), failure("v1:b", method="POST"))
    found = Failure.objects.values_list("fingerprint", "method").order_by("fingerprint")
    assert list(found) == [("v1:a", "POST"), ("v1:b", "GET")]


def test_a_failure_that_is_deleted_while_it_is_counted_is_made_anew(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(failure(), failure("v1:b"))
    count = failures._count
    deleted: list[object] = []

    def deleting(*args: Any, **kwargs: Any) -> None:
        if not deleted:
            deleted.append(Failure.objects.filter(fingerprint="v1:a").delete())
        count(*args, **kwargs)

    monkeypatch.setattr(failures, "_count", deleting)
    store(failure(), failure("v1:b"), failure())
    assert dict(Failure.objects.values_list("fingerprint", "count")) == {"v1:a": 2, "v1:b": 2}
    assert Occurrence.objects.filter(failure__fingerprint="v1:a").count() == 2


def test_a_failure_keeps_what_its_record_says(store: Store) -> None:
    store(
        failure(
            kind="degraded",
            error_type="TimeoutError",
            culprit="jobs.views.prefill",
            name="prefill",
            journey="JobApplication",
            route="apply/<int:pk>/",
            critical=True,
            release="r1",
            served=True,
        )
    )
    found = only()
    assert (found.kind, found.error_type, found.culprit, found.name) == (
        "degraded", "TimeoutError", "jobs.views.prefill", "prefill",
    )  # fmt: skip
    assert (found.journey, found.route, found.critical) == ("JobApplication", "apply/<int:pk>/", True)
    assert (found.first_release, found.last_release, found.served) == ("r1", "r1", 1)


def test_the_severity_is_the_worst_seen(store: Store) -> None:
    store(failure(severity="warning"))
    store(failure(severity="critical"), failure(severity="info"))
    store(failure(severity="error"))
    assert only().severity == "critical"


def test_a_journey_seen_later_is_filled_in_and_stays(store: Store) -> None:
    store(failure())
    store(failure(journey="JobApplication", route="apply/", critical=True))
    store(failure(journey="Other", route="other/"))
    assert (only().journey, only().route, only().critical) == ("JobApplication", "apply/", True)


def test_a_new_failure_has_a_priority_at_once(store: Store) -> None:
    store(failure(journey="JobApplication", severity="critical"))
    found = only()
    assert found.priority == sum(found.priority_parts.values()) > 0


def test_an_occurrence_keeps_chain_and_lines(store: Store) -> None:
    chain = (
        ChainLink(error_type="KeyError", message="'a'"),
        ChainLink(error_type="ValueError", message="b", relation="cause"),
    )
    lines = (LogLine(at=1.0, level="INFO", logger="jobs", message="saving"),)
    store(failure(chain=chain, lines=lines, extra={"task": "send"}, request_id="abc", user="7"))
    kept = Occurrence.objects.get()
    assert [link["error_type"] for link in kept.chain] == ["KeyError", "ValueError"]
    assert kept.chain[1]["relation"] == "cause"
    assert kept.lines == [{"at": 1.0, "level": "INFO", "logger": "jobs", "message": "saving"}]
    assert (kept.extra, kept.request_id, kept.user) == ({"task": "send"}, "abc", "7")


def test_a_stack_is_kept_once(store: Store) -> None:
    store(failure(stack="d1", frames="[[1]]"), failure("v1:b", stack="d1", frames="[[1]]"))
    Store()(failure(stack="d1", frames="[[1]]"))
    assert Stack.objects.get().frames == "[[1]]"


def test_texts_longer_than_their_columns_are_cut(store: Store) -> None:
    long = "x" * 2000
    store(
        failure(
            error_type=long,
            culprit=long,
            name=long,
            route=long,
            journey=long,
            message=long,
            user=long,
            release=long,
        )
    )
    assert len(only().error_type) == 200
    assert len(Occurrence.objects.get().user) == 100


class TestOccurrencesKept:
    def test_counts_stay_exact_while_occurrences_are_capped(self, store: Store) -> None:
        begin = time.time() - 1000
        for part in range(5):
            store(*(failure(at=begin + part * 100 + at / 10) for at in range(100)))
        occurrences.thin_out(since=timezone.now() - timedelta(hours=1))
        assert only().count == 500
        assert Occurrence.objects.count() == 50

    def test_the_first_and_the_last_stay(self, store: Store) -> None:
        begin = time.time() - 1000
        records = [failure(at=begin + at) for at in range(300)]
        for part in range(0, 300, 60):
            store(*records[part : part + 60])
        occurrences.thin_out(since=timezone.now() - timedelta(hours=1))
        kept = set(Occurrence.objects.values_list("pk", flat=True))
        ids = [record.id for record in records]
        assert kept > {*ids[:5], *ids[-10:]}

    def test_those_around_a_change_of_state_stay(self, store: Store) -> None:
        now = time.time()
        before = [failure(at=now - 300 + at) for at in range(100)]
        store(*before)
        states.resolve([only().pk], who="ada")
        after = [failure(at=now + 1 + at) for at in range(100)]
        store(*after)
        occurrences.thin_out(since=timezone.now() - timedelta(hours=1))
        kept = set(Occurrence.objects.values_list("pk", flat=True))
        assert kept >= {*(record.id for record in before[-3:]), *(record.id for record in after[:3])}

    def test_the_rest_is_a_fair_sample(self) -> None:
        at = timezone.now()
        rows = [(str(i), at + timedelta(seconds=i), occurrences.rank_of(str(i))) for i in range(4000)]
        kept = sorted(map(int, occurrences.kept(rows, [], cap=415)))
        thirds = [sum(low <= i < low + 1333 for i in kept) for low in (0, 1333, 2666)]
        assert len(kept) == 415
        assert all(100 <= third <= 180 for third in thirds), thirds

    def test_many_changes_do_not_exceed_the_cap(self) -> None:
        at = timezone.now()
        rows = [(str(i), at + timedelta(seconds=i), i) for i in range(1000)]
        assert len(occurrences.kept(rows, [at + timedelta(seconds=i * 40) for i in range(20)], cap=50)) == 50

    def test_failures_that_were_not_seen_are_not_looked_at(self, store: Store) -> None:
        store(*(failure(at=time.time() - 9000) for _ in range(80)))
        assert occurrences.thin_out(since=timezone.now() - timedelta(hours=1)) == 0


class TestAffected:
    def test_people_and_subjects_count_once_each(self, store: Store) -> None:
        store(failure(user="1"), failure(user="2", journey="J", subject="7"), failure(user="1"))
        store(failure(user="1", journey="J", subject="7"), failure(user="3"))
        Store().sink.write(batch(failure(user="2"), segment="another machine's"))
        assert (only().people, only().subjects) == (3, 1)
        assert Affected.objects.count() == 4

    def test_they_are_counted_up_to_the_cap(self, store: Store, settings: object) -> None:
        settings.QAPROD = {"AFFECTED_PER_FAILURE": 5}  # type: ignore[attr-defined]
        store(*(failure(user=str(user)) for user in range(9)))
        store(failure(user="99"))
        assert only().people == Affected.objects.count() == 5

    def test_served_means_every_time(self, store: Store) -> None:
        store(failure(user="1", served=True), failure(user="2", served=True))
        store(failure(user="2", served=False))
        store(failure(user="2", served=True))
        assert dict(Affected.objects.values_list("key", "served")) == {"1": True, "2": False}


class TestComingBack:
    def test_an_error_after_resolving_reopens_as_a_regression(self, store: Store) -> None:
        store(failure())
        states.resolve([only().pk], who="ada")
        store(failure())
        found = only()
        assert (found.state, found.regression) == ("open", True)
        assert list(found.transitions.values_list("who", "before", "after")) == [
            ("qaprod", "resolved", "open"),
            ("ada", "open", "resolved"),
        ]

    def test_an_error_from_before_resolving_that_arrives_late_does_not(self, store: Store) -> None:
        late = failure()
        store(failure())
        states.resolve([only().pk], who="ada")
        store(late)
        assert (only().state, only().count) == ("resolved", 2)

    def test_code_that_was_old_already_does_not(self, store: Store) -> None:
        now = time.time()
        store(failure(at=now - 100, release="r1"))
        store(numbers(release="r2", at=now - 50))
        states.resolve([only().pk], who="ada")
        store(failure(release="r1"))
        assert only().state == "resolved"
        store(failure(release="r2"))
        assert only().state == "open"

    def test_a_later_release_does(self, store: Store) -> None:
        store(failure(at=time.time() - 100, release="r1"))
        states.resolve([only().pk], who="ada")
        store(failure(release="r2"))
        assert (only().state, only().regression) == ("open", True)
        assert "r2" in only().transitions.latest("at").why

    def test_resolved_in_the_next_release_bears_errors_until_then(self, store: Store) -> None:
        store(failure(at=time.time() - 100, release="r1"))
        states.resolve([only().pk], who="ada", in_next=True)
        store(failure(release="r1"), failure(release=""))
        assert only().state == "resolved"
        store(failure(release="r2"))
        assert (only().state, only().regression, only().resolve_in_next) == ("open", True, False)

    def test_without_releases_there_is_no_next_one(self, store: Store) -> None:
        store(failure())
        states.resolve([only().pk], who="ada", in_next=True)
        store(failure())
        assert only().state == "open"


def test_releases_are_deploys_as_of_their_first_record(store: Store) -> None:
    now = time.time()
    store(
        failure(release="r1", at=now - 10),
        numbers(release="r2", at=now - 5),
        failure(release="r1", at=now - 20),
    )
    store(failure(release="r2", at=now))
    assert {row.release: round(now - row.at.timestamp()) for row in Deploy.objects.all()} == {
        "r1": 20,
        "r2": 5,
    }


def test_occurrences_are_numbers_too(store: Store) -> None:
    start = minute(5)
    at = start + 1.0
    store(*(failure(at=at, route="apply/", release="r1") for _ in range(3)), failure(at=at, served=True))
    rows = Bucket.objects.filter(series__name="qaprod.failures", series__label=str(only().pk))
    assert rows.aggregate(Sum("count"))["count__sum"] == 4
    served = rows.get(series__attributes__served="true")
    assert served.series.attributes == {
        "failure": str(only().pk),
        "release": "",
        "route": "",
        "served": "true",
    }
    assert served.start.timestamp() == start
