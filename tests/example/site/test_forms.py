"""What a visitor of the forms gets under each fault, and that what they send is kept."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from django_qaprod.forms.waiting import collect
from django_qaprod.models import RescuedSubmission
from django_qaprod.pipeline import spool
from django_qaprod.store import submissions
from django_qaprod.testing import Records
from example_project.chaos.switches import Switches
from example_project.jobs.models import Application, Vacancy
from example_project.traffic.pages import Page

from .applying import ANSWERS, fill_in, form_url, save, start, submit

PLAIN = "qaprod-forms"
STYLE = "/static/qaprod/forms.css"
TYPED = ANSWERS["about"]


@pytest.fixture
def draft(visitor: Client, teaching: Vacancy) -> Application:
    """An application of the visitor's, with nothing in it yet."""
    return start(visitor, teaching)


def text_of(response: HttpResponse) -> str:
    """Return the page."""
    return response.content.decode()


def kept() -> list[dict[str, Any]]:
    """Return what was kept, decrypted."""
    path = spool.directory()
    if path is not None:
        collect(path)
    rows = RescuedSubmission.objects.order_by("at")
    return [dict(submissions.opened(row, who="a test", act="viewed").fields) for row in rows]


@pytest.mark.parametrize(
    ("fault", "plain"),
    [
        ("broken-view", False),
        ("secret-form", False),
        ("unbuildable-form", True),
        ("broken-page", True),
        ("broken-context", True),
        ("dead-sessions", True),
        ("dead-database", True),
    ],
)
def test_the_form_is_served(
    visitor: Client, draft: Application, switches: Switches, qaprod_records: Records, fault: str, plain: bool
) -> None:
    """In the site's own page if that works, else in a plain one; and it is known that it was degraded."""
    switches.turn(fault, on=True)
    response = visitor.get(form_url(draft, "about"))
    page = text_of(response)
    assert response.status_code == 200
    assert (PLAIN in page) == plain
    assert 'role="status"' in page
    assert 'name="full_name"' in page
    assert {failure.kind for failure in qaprod_records.failures} == {"degraded"}
    assert all(failure.served for failure in qaprod_records.failures)
    extra = qaprod_records.failures[0].extra
    assert extra["served"] == ("plain" if plain else "template")


def test_without_a_database_a_choice_is_free_text(
    visitor: Client, draft: Application, switches: Switches
) -> None:
    """Nobody can list the schools, so the visitor writes the name of theirs, and that is kept."""
    switches.turn("dead-database", on=True)
    page = text_of(visitor.get(form_url(draft, "about")))
    assert 'name="qaprod_free_text" value="current_school"' in page
    sent = {**TYPED, "current_school": "The one on the hill", "qaprod_free_text": "current_school"}
    assert visitor.post(form_url(draft, "about"), sent).status_code == 202
    switches.clear()
    assert kept() == [{**TYPED, "current_school": "The one on the hill"}]


@pytest.mark.parametrize(
    "fault",
    [
        "broken-form",
        "broken-view",
        "broken-audit",
        "unbuildable-form",
        "dead-sessions",
        "dead-database",
    ],
)
def test_what_is_sent_is_kept(visitor: Client, draft: Application, switches: Switches, fault: str) -> None:
    """The visitor is told so, with a reference; nothing of what the view did remains."""
    switches.turn(fault, on=True)
    response = save(visitor, draft, "about")
    assert response.status_code == 202
    switches.clear()
    draft.refresh_from_db()
    assert draft.full_name == ""
    assert kept() == [TYPED]


@pytest.mark.parametrize("fault", ["broken-form", "broken-view", "broken-audit", "dead-sessions"])
def test_whose_page_is_kept_goes_on(
    visitor: Client, draft: Application, switches: Switches, qaprod_records: Records, fault: str
) -> None:
    """The page that says so leads to the next one, whatever is broken, and from the last to the review."""
    switches.turn(fault, on=True)
    page = Page(text_of(save(visitor, draft, "about")))
    assert page.reference
    assert page.onward == form_url(draft, "teaching")
    page = Page(text_of(save(visitor, draft, "statement")))
    assert page.onward == reverse("jobs:review", args=(draft.token,))
    assert "thanks" not in {failure.extra["rung"] for failure in qaprod_records.failures}


def test_where_nobody_knows_which_page_is_next_the_plain_one_leads_back(
    visitor: Client, draft: Application, switches: Switches
) -> None:
    """Both types of form begin alike, and the database is dead."""
    switches.turn("dead-database", on=True)
    page = Page(text_of(save(visitor, draft, "about")))
    assert page.reference
    assert page.links == [STYLE, form_url(draft, "about")]
    assert Page(text_of(save(visitor, draft, "teaching"))).onward == form_url(draft, "statement")
    switches.clear()
    assert kept() == [TYPED, ANSWERS["teaching"]]


def test_what_cannot_be_read_is_no_failure_of_its_own(
    visitor: Client, draft: Application, switches: Switches, qaprod_records: Records
) -> None:
    """The application is not there, and the site's own code can do without."""
    switches.turn("dead-sessions", on=True)
    page = text_of(visitor.get(form_url(draft, "about")))
    assert "<h1>About you</h1>" in page
    assert {failure.error_type for failure in qaprod_records.failures} == {
        "example_project.chaos.breaks.SessionStoreError"
    }


def test_a_submission_that_fails_after_the_write_is_kept_and_leaves_no_trace(
    visitor: Client,
    draft: Application,
    switches: Switches,
    mailoutbox: list[Any],
) -> None:
    """No e-mail, no status; and it is known whose it is."""
    fill_in(visitor, draft)
    switches.turn("broken-audit", on=True)
    assert submit(visitor, draft).status_code == 202
    draft.refresh_from_db()
    assert not draft.is_submitted
    assert mailoutbox == []
    (row,) = RescuedSubmission.objects.all()
    assert (row.journey, row.subject, row.in_doubt) == ("job_application", str(draft.pk), "")
    assert submissions.opened(row, who="a test", act="viewed").session == {"applications": [str(draft.token)]}


@pytest.mark.parametrize("fault", ["broken-view", "broken-form", "broken-page"])
def test_what_is_wrong_is_asked_for_all_the_same(
    visitor: Client, draft: Application, switches: Switches, fault: str
) -> None:
    """A mistake that can be seen comes back with what was typed, and is not kept."""
    switches.turn(fault, on=True)
    response = visitor.post(form_url(draft, "about"), {**TYPED, "email": "nonsense"})
    assert response.status_code == 200
    assert 'value="nonsense"' in text_of(response)
    assert kept() == []


def test_what_is_missing_is_not_kept_as_a_submission(
    visitor: Client, draft: Application, switches: Switches
) -> None:
    """An unfinished application cannot be submitted, with or without a fault."""
    switches.turn("broken-view", on=True)
    response = submit(visitor, draft)
    assert response.status_code == 200
    assert "Something is missing on “About you”." in text_of(response)
    assert kept() == []


@pytest.mark.parametrize("cause", ["secret-form", "no keys", "too large"])
def test_what_cannot_be_kept_is_not_said_to_be(
    visitor: Client, draft: Application, switches: Switches, settings: Any, cause: str
) -> None:
    """503, and everything typed is still in the page."""
    switches.turn("secret-form" if cause == "secret-form" else "broken-view", on=True)
    if cause == "no keys":
        settings.QAPROD = {**settings.QAPROD, "RESCUE_KEYS": []}
    if cause == "too large":
        settings.QAPROD = {**settings.QAPROD, "RESCUE_MAX_BYTES": 20}
    response = save(visitor, draft, "about")
    assert response.status_code == 503
    assert response["Retry-After"]
    page = text_of(response)
    assert "has not been received" in page
    for typed in TYPED.values():
        assert f'value="{typed}"' in page
    assert kept() == []


def test_an_application_is_not_begun_later(visitor: Client, teaching: Vacancy, switches: Switches) -> None:
    """A start is not kept: the page says so, and has the button once more."""
    address = reverse("jobs:start", args=(teaching.pk,))
    switches.turn("dead-database", on=True)
    response = visitor.post(address)
    assert response.status_code == 503
    assert "<button" in text_of(response)
    switches.clear()
    assert kept() == []
    assert visitor.post(address).status_code == 302


def test_an_account_is_not_opened_later(visitor: Client, switches: Switches) -> None:
    """A password is never kept: what else was typed is still there."""
    switches.turn("dead-database", on=True)
    account = {"username": "ada", "password1": "analytical", "password2": "analytical"}
    response = visitor.post(reverse("jobs:sign-up"), account)
    assert response.status_code == 503
    assert 'value="ada"' in text_of(response)
    assert "analytical" not in text_of(response)
    switches.clear()
    assert not User.objects.filter(username="ada").exists()


def test_a_stranger_gets_no_form_under_a_fault(
    visitor: Client, draft: Application, switches: Switches
) -> None:
    """Whose application it is, is asked before anything is served; where nobody knows, nothing is shown."""
    stranger = Client(raise_request_exception=False)
    switches.turn("broken-view", on=True)
    assert stranger.get(form_url(draft, "about")).status_code == 404
    switches.clear()
    save(visitor, draft, "about")
    switches.turn("dead-database", on=True)
    assert "Ada Byron" not in text_of(stranger.get(form_url(draft, "about")))
