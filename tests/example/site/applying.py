"""How a visitor applies, with Django's test client."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from example_project.jobs.models import Application, Vacancy

ANSWERS: dict[str, dict[str, Any]] = {
    "about": {"full_name": "Ada Byron", "email": "ada@mail.example", "phone": "01632 960001", "town": "York"},
    "teaching": {"qualification": "PGCE", "subjects": "Mathematics", "years": "4"},
    "statement": {"statement": "I like engines.", "available_from": "2027-01-04"},
    "experience": {"experience": "Ten years in a library.", "first_aid": "on"},
    "availability": {"days": "Monday", "statement": "I like books.", "available_from": "2027-01-04"},
}
PAGES = {"teacher": ("about", "teaching", "statement"), "support": ("about", "experience", "availability")}


def start(client: Client, vacancy: Vacancy) -> Application:
    """Begin an application."""
    response = client.post(reverse("jobs:start", args=(vacancy.pk,)))
    assert response.status_code == 302
    return Application.objects.latest("pk")


def form_url(application: Application, page: str) -> str:
    """Return the address of a page of the form."""
    return reverse("jobs:form", args=(application.token, page))


def save(client: Client, application: Application, page: str) -> HttpResponse:
    """Fill in a page and save it."""
    return client.post(form_url(application, page), ANSWERS[page])


def fill_in(client: Client, application: Application) -> None:
    """Fill in and save all pages."""
    for page in PAGES[application.form_type]:
        assert save(client, application, page).status_code == 302


def submit(client: Client, application: Application) -> HttpResponse:
    """Press the button."""
    return client.post(reverse("jobs:submit", args=(application.token,)), {"declaration": "on"})
