from __future__ import annotations

from datetime import timedelta

import pytest
from pytest_django import DjangoAssertNumQueries, Settings

from django_qaprod import clock
from django_qaprod.conf import telemetry_alias
from django_qaprod.models import RescuedSubmission
from django_qaprod.queries import submissions
from django_qaprod.queries.submissions import Kept
from django_qaprod.store.submissions import expiring_soon
from tests.admin import rows
from tests.forms import kept

pytestmark = pytest.mark.django_db(databases="__all__")


@pytest.fixture(autouse=True)
def key(settings: Settings) -> None:
    settings.QAPROD = {**getattr(settings, "QAPROD", {}), "RESCUE_KEYS": [kept.KEY]}


def test_what_is_kept_of_a_failure(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    for number, state in enumerate(["waiting", "waiting", "queued", "replaying", "replayed", "discarded"]):
        rows.submission(str(number), failure="v1:a", state=state)
    rows.submission("doubt", failure="v1:a", in_doubt="commit")
    # Settled: nobody doubts it any more.
    rows.submission("settled", failure="v1:a", in_doubt="commit", state="replayed")
    rows.submission("other", failure="v1:b")
    with django_assert_num_queries(1):
        found = submissions.of_failure("v1:a")
    assert found == Kept(waiting=2, in_doubt=1, under_way=2, replayed=2, discarded=1)
    assert found.total == 8
    assert submissions.of_failure("v1:none").total == 0


def test_failures_for_which_somebody_waits_those_with_the_most_first() -> None:
    for number, failure in enumerate(["v1:a", "v1:b", "v1:b", "v1:c", ""]):
        rows.submission(str(number), failure=failure)
    RescuedSubmission.objects.filter(failure="v1:c").update(state="replayed")
    latest = RescuedSubmission.objects.filter(failure="v1:b").latest("at").at
    assert list(submissions.waiting_for(most=5)) == ["v1:b", "v1:a"]
    assert submissions.waiting_for(most=1) == {"v1:b": latest}


def test_failures_are_found_by_their_fingerprints_in_one_query(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    made = rows.failure()
    with django_assert_num_queries(1, using=telemetry_alias()):
        assert submissions.failures([made.fingerprint, "v1:gone", ""]) == {made.fingerprint: made}
    with django_assert_num_queries(0, using=telemetry_alias()):
        assert submissions.failures(["", ""]) == {}


def test_what_expires_soon_is_what_is_warned_of() -> None:
    old = rows.submission("old", days=85)
    rows.submission("young", days=80)
    rows.submission("settled", days=85, state="replayed")
    found = RescuedSubmission.objects.filter(submissions.expiring())
    assert list(found) == [old]
    assert expiring_soon() == len(found)


def test_a_history_holds_no_content() -> None:
    made = rows.submission()
    latest = rows.act(made, at=clock.now() - timedelta(hours=1))
    (version,) = submissions.history(made).versions
    assert "content" in version.get_deferred_fields()
    assert submissions.history(made).acts == (latest,)


def test_progress_is_of_what_one_person_has_asked_for_since() -> None:
    before, mine, other = (rows.submission(name) for name in ("before", "mine", "other"))
    rows.act(before, "queued")
    after = submissions.latest_act()
    rows.act(other, "queued", who="ada")
    rows.act(mine, "queued")
    rows.act(other, outcome="failed")
    RescuedSubmission.objects.filter(pk=mine.pk).update(state="queued")
    found = submissions.progress(after=after, by="boss")
    assert (found.kept, found.only, found.done, found.unsuccessful) == (Kept(under_way=1), mine.pk, False, ())
    for outcome in ("failed", "refused", "interrupted", "succeeded", "running"):
        rows.act(mine, outcome=outcome)
    RescuedSubmission.objects.filter(pk=mine.pk).update(state="waiting")
    found = submissions.progress(after=after, by="boss")
    assert [act.outcome for act in found.unsuccessful] == ["interrupted", "refused", "failed"]
    assert (found.kept, found.done) == (Kept(waiting=1), True)
    assert submissions.progress(after=submissions.latest_act(), by="boss").kept.total == 0
