"""The second catch: middleware of the host's that fails before the view, for the routes that are listed."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from django.core.exceptions import PermissionDenied
from django.db import OperationalError
from django.http import HttpRequest, HttpResponse
from django.test import AsyncClient, Client
from pytest_django.fixtures import Settings

from django_qaprod.apps import EARLY_MIDDLEWARE
from django_qaprod.conf import MIDDLEWARE
from django_qaprod.forms import waiting
from django_qaprod.models import RescuedSubmission
from django_qaprod.pipeline import spool
from django_qaprod.testing import Records
from tests.forms.serving import host

pytestmark = [
    pytest.mark.usefixtures("in_production", "listed"),
    pytest.mark.django_db(databases="__all__", transaction=True),
]


class TenantError(Exception):
    pass


class Tenant:
    """Middleware of the host's."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        host.at("tenant")
        response = self.get_response(request)
        host.at("leaving")
        return response


@pytest.fixture
def listed(settings: Settings, in_production: None) -> None:
    early = ["order", "plain", "by_form", "aorder", "excluding"]
    settings.QAPROD = {**settings.QAPROD, "SERVE_EARLY": early}
    settings.MIDDLEWARE = [MIDDLEWARE, EARLY_MIDDLEWARE, f"{__name__}.Tenant", *settings.MIDDLEWARE]


@pytest.mark.parametrize("view", ["order", "plain", "by_form", "aorder"])
def test_a_get_is_served_the_plain_form_and_nobody_s_data(
    view: str, visitor: Client, records: Records
) -> None:
    host.faults["tenant"] = TenantError("no tenant")
    response = visitor.get(f"/{view}/")
    page = response.content.decode()
    assert response.status_code == 200
    assert "qaprod-forms" in page
    assert "N-1" not in page
    assert "N-2" not in page
    assert "csrftoken" in response.cookies
    assert response["X-Frame-Options"] == "DENY"
    assert [failure.kind for failure in records.failures] == ["unhandled"]


async def test_a_get_is_served_the_plain_form_async() -> None:
    host.faults["tenant"] = TenantError("no tenant")
    response = await AsyncClient(raise_request_exception=False).get("/aorder/")
    assert response.status_code == 200
    assert "qaprod-forms" in response.content.decode()


def test_a_post_is_kept_if_its_token_is_right() -> None:
    host.faults["tenant"] = TenantError("no tenant")
    visitor = Client(enforce_csrf_checks=True, raise_request_exception=False)
    page = visitor.get("/plain/").content.decode()
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)
    assert token
    assert visitor.post("/plain/", {"number": "1"}).status_code == 500
    assert not RescuedSubmission.objects.exists()
    assert visitor.post("/plain/", {"number": "1", "csrfmiddlewaretoken": token[1]}).status_code == 202
    assert RescuedSubmission.objects.get().in_doubt == ""


def test_a_post_is_kept_with_a_dead_database(visitor: Client) -> None:
    host.faults["tenant"] = OperationalError("timed out")
    assert visitor.post("/plain/", {"number": "1"}).status_code == 202


def test_what_fails_behind_the_view_is_in_doubt(visitor: Client) -> None:
    host.faults["leaving"] = TenantError("on the way out")
    assert visitor.post("/plain/", {"number": "1"}).status_code == 202
    assert RescuedSubmission.objects.get().in_doubt == "page"


def test_what_is_not_listed_is_left_alone(visitor: Client) -> None:
    host.faults["tenant"] = TenantError("no tenant")
    assert visitor.get("/late/").status_code == 500
    assert visitor.get("/thanks/").status_code == 500
    assert visitor.get("/nowhere/").status_code == 500
    assert visitor.put("/plain/").status_code == 500


def test_what_means_something_is_left_alone(visitor: Client) -> None:
    host.faults["tenant"] = PermissionDenied()
    assert visitor.get("/plain/").status_code == 403
    host.faults["tenant"] = None
    host.faults["before"] = KeyError("excluded")
    assert visitor.get("/excluding/").status_code == 500


def test_nothing_is_changed_when_nothing_fails(visitor: Client) -> None:
    assert visitor.get("/order/").status_code == 200
    assert "csrftoken" in visitor.cookies
    assert "qaprod" not in visitor.get("/order/").content.decode()


def test_a_token_in_a_session_that_is_not_there_helps_nobody(visitor: Client, settings: Settings) -> None:
    settings.CSRF_USE_SESSIONS = True
    host.faults["leaving"] = TenantError("on the way out")
    assert visitor.get("/plain/").status_code == 500


@pytest.mark.parametrize("fault", [TenantError("no tenant"), OperationalError("timed out")])
def test_who_has_a_session_is_not_taken_for_nobody(visitor: Client, fault: Exception) -> None:
    visitor.cookies["sessionid"] = "x" * 32
    host.faults["tenant"] = fault
    assert visitor.post("/plain/", {"number": "1"}).status_code == 202
    path = spool.directory()
    assert path is not None
    waiting.collect(path)
    assert RescuedSubmission.objects.get().in_doubt == "visitor"
