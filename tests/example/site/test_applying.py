from __future__ import annotations

from typing import Any

import pytest
from django.core import mail
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from django_qaprod.testing import Records
from example_project.jobs.models import Application, Vacancy

from .applying import PAGES, fill_in, form_url, start, submit


@pytest.mark.parametrize("form_type", ["teacher", "support"])
def test_an_application_reaches_its_school(visitor: Client, form_type: str, qaprod_records: Records) -> None:
    """Both types of form go from the first click to the school's mailbox, and the journey has every step."""
    vacancy = Vacancy.objects.filter(form_type=form_type)[0]
    application = start(visitor, vacancy)
    fill_in(visitor, application)
    review = visitor.get(reverse("jobs:review", args=(application.token,)))
    assert b"Send to the school" in review.content
    thanks = visitor.get(submit(visitor, application)["Location"])
    assert b"on its way" in thanks.content

    application.refresh_from_db()
    assert application.status == "submitted"
    assert application.emailed_at is not None
    (message,) = mail.outbox
    assert message.to == [vacancy.school.email]
    assert "Ada Byron" in message.body
    steps = [(event.step, event.subject, event.variant) for event in qaprod_records.events]
    names = ["started", "updated", "updated", "updated", "submitted"]
    taken = [(name, str(application.pk), form_type) for name in names]
    assert steps == [*taken, ("sent", str(application.pk), "")]
    assert qaprod_records.failures == []


def test_pressing_twice_submits_once(visitor: Client, teaching: Vacancy, qaprod_records: Records) -> None:
    """The second press leads to the same page of thanks; nothing happens twice."""
    application = start(visitor, teaching)
    fill_in(visitor, application)
    first, second = submit(visitor, application), submit(visitor, application)
    assert first["Location"] == second["Location"]
    assert len(mail.outbox) == 1
    assert [event.step for event in qaprod_records.events].count("submitted") == 1


def test_what_is_missing_is_asked_for(visitor: Client, teaching: Vacancy, qaprod_records: Records) -> None:
    """A page with a gap comes back, and an unfinished application cannot be submitted."""
    application = start(visitor, teaching)
    response = visitor.post(form_url(application, "about"), {"full_name": "Ada", "email": "nonsense"})
    assert response.status_code == 200
    assert b"errorlist" in response.content
    response = submit(visitor, application)
    assert response.status_code == 200
    assert "Something is missing on “About you”." in response.content.decode()
    assert [event.step for event in qaprod_records.events] == ["started"]


def test_an_application_belongs_to_who_began_it(visitor: Client, teacher: Client, teaching: Vacancy) -> None:
    """Somebody else finds nothing; the teacher finds theirs on another machine, too."""
    application = start(teacher, teaching)
    address = form_url(application, "about")
    assert visitor.get(address).status_code == 404
    elsewhere = Client()
    assert application.teacher is not None
    elsewhere.force_login(application.teacher)
    assert elsewhere.get(address).status_code == 200


def test_a_profile_fills_the_form_in(teacher: Client, teaching: Vacancy) -> None:
    """Who is logged in finds in the form what the profile service knows, and only there until it is saved."""
    application = start(teacher, teaching)
    response = teacher.get(form_url(application, "about"))
    assert b"teacher3@teachers.example" in response.content
    application.refresh_from_db()
    assert application.email == ""


def test_a_closed_vacancy_takes_no_application(visitor: Client, teaching: Vacancy) -> None:
    """The page says so and nothing is begun."""
    Vacancy.objects.filter(pk=teaching.pk).update(closes_on="2020-01-01")
    response = visitor.post(reverse("jobs:start", args=(teaching.pk,)), follow=True)
    assert b"has closed" in response.content
    assert not Application.objects.exists()


def test_an_application_can_be_downloaded_and_printed(visitor: Client, support: Vacancy) -> None:
    """Both are streamed whole; what looks like a formula is none."""
    application = start(visitor, support)
    fill_in(visitor, application)
    Application.objects.update(full_name="=1+1")
    table = visitor.get(reverse("jobs:csv", args=(application.token,)))
    assert table.streaming
    assert "'=1+1" in table.getvalue().decode()
    page = visitor.get(reverse("jobs:print", args=(application.token,)))
    assert b'data-page="end"' in page.getvalue()


def test_signing_up_and_looking_at_ones_applications(visitor: Client, teaching: Vacancy) -> None:
    """An account is opened, used at once, and lists what was begun with it."""
    account = {"username": "ada", "password1": "analytical", "password2": "analytical"}
    assert visitor.post(reverse("jobs:sign-up"), account).status_code == 302
    start(visitor, teaching)
    assert teaching.title in visitor.get(reverse("jobs:mine")).content.decode()


def test_every_page_keeps_script_and_style_in_files(
    teacher: Client, teaching: Vacancy, settings: Any
) -> None:
    """The pages work under ``default-src 'self'``."""
    settings.CHAOS_OPEN = True
    application = start(teacher, teaching)
    pages = [
        *("/", "/vacancies/", "/schools/", "/chaos/", "/nothing", "/applications/", "/accounts/sign-up/"),
        *(teaching.get_absolute_url(), teaching.school.get_absolute_url()),
        *(form_url(application, page) for page in PAGES["teacher"]),
    ]
    for path in pages:
        text = teacher.get(path, follow=True).content.decode()
        assert text.count("<script") == text.count('<script src="/static/'), path
        assert "<style" not in text, path
        assert " style=" not in text, path
        assert " onclick=" not in text, path


def test_the_models_have_their_migrations(transactional_db: None) -> None:
    """Nothing was changed without one."""
    call_command("makemigrations", "--check", "--dry-run", verbosity=0)
