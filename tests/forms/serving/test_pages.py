"""What the pages of ours are called, and where they lead."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import path, re_path
from django.utils.translation import gettext_lazy
from django.views.generic import FormView
from pytest_django.fixtures import Settings

from django_qaprod import ServeFormMixin, registry, serve_form
from django_qaprod.exceptions import DeclarationError
from django_qaprod.testing import Records
from tests.forms.serving import host

pytestmark = pytest.mark.django_db(databases="__all__")

JOURNEY = registry.JourneySpec(
    name="job_application",
    title="Job application",
    module=__name__,
    steps=(registry.StepSpec(name="started", title="Started"),),
)


class Failing(ServeFormMixin, FormView):  # type: ignore[type-arg]
    form_class = host.OrderForm
    serve = {"title": lambda request, pk: f"Order {pk}"}

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        raise ValueError("the view is on fire")


def served(**options: Any) -> Any:
    @serve_form(host.OrderForm, **options)
    def view(request: HttpRequest, **kwargs: Any) -> HttpResponse:
        raise ValueError("the view is on fire")

    return view


def unknown(request: HttpRequest, **kwargs: Any) -> str:
    raise LookupError("nobody knows what it is called")


# The journey is nobody's outside of these tests.
with registry.isolated():
    urlpatterns = [
        path("plain/", served()),
        path("text/", served(title="Order <b>")),
        path("lazy/", served(title=gettext_lazy("Received"))),
        path("function/<int:pk>/", served(title=lambda request, pk: f"Order {pk}")),
        path("mixin/<int:pk>/", Failing.as_view()),
        path("fails/", served(title=unknown)),
        path("journey/", served(journey="job_application")),
        path("both/", served(journey="job_application", title="Order")),
        re_path(r"^.*anywhere/$", served()),
    ]


@pytest.fixture(autouse=True)
def urls(in_production: None, settings: Settings) -> Iterator[None]:
    settings.ROOT_URLCONF = __name__
    with registry.isolated():
        registry.register(JOURNEY)
        yield


def text(response: Any) -> str:
    return str(response.content.decode())


@pytest.mark.parametrize(
    ("address", "title"),
    [
        ("/plain/", "Form"),
        ("/text/", "Order &lt;b&gt;"),
        ("/lazy/", "Received"),
        ("/function/7/", "Order 7"),
        ("/mixin/8/", "Order 8"),
        ("/fails/", "Form"),
        ("/journey/", "Job application"),
        ("/both/", "Order"),
    ],
)
def test_the_plain_page_is_called_what_the_form_is_called(address: str, title: str, visitor: Client) -> None:
    page = text(visitor.get(address))
    assert f"<title>{title}</title>" in page
    assert f"<h1>{title}</h1>" in page


def test_a_title_that_cannot_be_had_is_recorded(visitor: Client, records: Records) -> None:
    visitor.get("/fails/")
    assert [failure.extra["rung"] for failure in records.failures] == ["view", "title"]


def test_the_other_pages_say_of_which_form_they_speak(
    visitor: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "<title>Received: Order 7</title>" in text(visitor.post("/function/7/", {"number": "1"}))
    assert "<title>Received</title>" in text(visitor.post("/plain/", {"number": "1"}))
    monkeypatch.setattr("django_qaprod.forms.pages.plain", lambda *args: 1 / 0)
    assert "<title>Temporarily unavailable: Order 7</title>" in text(visitor.get("/function/7/"))


def test_a_title_is_text() -> None:
    with pytest.raises(DeclarationError, match="title is text"):
        serve_form(host.OrderForm, title=7)


@pytest.mark.parametrize(
    ("address", "referer", "link"),
    [
        ("/plain/", None, "/plain/"),
        ("/plain/", "http://testserver/review/7/?token=x#y", "/review/7/"),
        ("/plain/", "https://evil.example/review/", "/plain/"),
        ("/plain/", "javascript:alert(1)", "/plain/"),
        ("/plain/", "http://[", "/plain/"),
        ("/plain/", "http://testserver//evil.example/", "/%2Fevil.example/"),
        ("/plain/?secret=1", None, "/plain/"),
        ("/%2Fevil.example/anywhere/", None, "/%2Fevil.example/anywhere/"),
        ('/"><b>/anywhere/', None, "/%22%3E%3Cb%3E/anywhere/"),
    ],
)
def test_what_is_received_leads_back_to_where_the_form_stood(
    address: str, referer: str | None, link: str, visitor: Client
) -> None:
    headers = {} if referer is None else {"referer": referer}
    response = visitor.post(address, {"number": "1"}, headers=headers)
    assert response.status_code == 202
    assert re.findall(r'<a href="([^"]*)"', text(response)) == [link]


def test_a_host_that_is_not_allowed_costs_no_page(visitor: Client, settings: Settings) -> None:
    settings.ALLOWED_HOSTS, settings.MIDDLEWARE = ["other.example"], []
    response = visitor.post("/plain/", {"number": "1"}, headers={"referer": "http://testserver/x/"})
    assert 'href="/plain/"' in text(response)
