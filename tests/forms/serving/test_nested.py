"""A served view that calls another: the outermost is served, and its work is undone with all of it."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest
from django.test import Client
from pytest_django.fixtures import Settings

from django_qaprod import vault
from django_qaprod.forms.replaying import replay
from django_qaprod.models import RescuedSubmission, SubmissionVersion
from django_qaprod.sent import unpack
from django_qaprod.store import replays
from tests.forms.serving import host
from tests.project.shop.models import Order

pytestmark = [
    pytest.mark.usefixtures("in_production"),
    pytest.mark.django_db(databases="__all__", transaction=True),
]

SENT = {"number": "1", "csrfmiddlewaretoken": "t" * 64}
URL = "application/x-www-form-urlencoded"
SYNC = ["leading", "disguised", "self_get"]
ASYNC = ["aleading", "async_self_get"]


def fail(visitor: Client, view: str) -> RescuedSubmission:
    host.faults["following"] = ValueError("a bug in the page that follows")
    assert visitor.post(f"/{view}/", urlencode(SENT), content_type=URL).status_code == 202
    host.faults.clear()
    return RescuedSubmission.objects.get()


def run(rescued: RescuedSubmission) -> str:
    assert replays.ask([rescued.pk], who="staff", doubtful=True) == 1
    outcome = replay(rescued.pk)
    assert outcome is not None
    return outcome.outcome


@pytest.mark.parametrize("view", SYNC)
def test_the_work_is_undone_with_the_page_that_follows(view: str, visitor: Client) -> None:
    rescued = fail(visitor, view)
    assert not Order.objects.exists()
    assert not rescued.in_doubt
    assert run(rescued) == "succeeded"
    assert list(Order.objects.values_list("number", flat=True)) == ["1"]


@pytest.mark.parametrize("view", ASYNC)
def test_what_nothing_undoes_is_in_doubt(view: str, visitor: Client) -> None:
    rescued = fail(visitor, view)
    assert rescued.in_doubt == "untransacted"
    assert run(rescued) == "succeeded"


@pytest.mark.parametrize("view", SYNC + ASYNC)
def test_a_second_click_that_fails_gives_up_nothing(view: str, visitor: Client) -> None:
    fail(visitor, view)
    assert fail(visitor, view).state == "waiting"


@pytest.mark.parametrize("view", SYNC)
def test_what_cannot_be_kept_has_not_been_done(view: str, visitor: Client, settings: Settings) -> None:
    settings.QAPROD = {**settings.QAPROD, "RESCUE_KEYS": []}
    host.faults["following"] = ValueError("a bug in the page that follows")
    assert visitor.post(f"/{view}/", SENT).status_code == 503
    assert not Order.objects.exists()


@pytest.mark.parametrize("view", [*SYNC, *ASYNC])
def test_all_is_well_when_nothing_fails(view: str, visitor: Client) -> None:
    assert visitor.post(f"/{view}/", SENT).content == b"the page that follows"
    assert Order.objects.count() == 1


def test_a_page_that_follows_a_get_is_served_once(visitor: Client) -> None:
    host.faults["following"] = ValueError("a bug in the page that follows")
    assert visitor.get("/leading/").status_code == 200


@pytest.mark.parametrize("read", [True, False])
def test_what_was_sent_is_kept_as_it_came(read: bool, visitor: Client) -> None:
    # The check of the token reads what was sent before the view does.
    visitor.handler.enforce_csrf_checks = read
    visitor.cookies["csrftoken"] = "t" * 64
    fail(visitor, "disguised")
    submission = unpack(vault.decrypt(bytes(SubmissionVersion.objects.get().content)))
    assert dict(submission.fields) == {"number": "1"}


def test_what_another_view_was_served_instead_gives_up_nothing(visitor: Client) -> None:
    rescued = fail(visitor, "elsewhere")
    assert fail(visitor, "elsewhere").state == "waiting"
    host.faults["following"] = ValueError("a bug in the page that follows")
    assert run(rescued) == "failed"
