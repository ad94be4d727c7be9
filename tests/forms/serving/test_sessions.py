"""What the failed view did to the session is dropped, and a dead session costs nobody the form."""

from __future__ import annotations

import re

import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.db import OperationalError
from django.test import Client, RequestFactory
from pytest_django.fixtures import Settings

from django_qaprod.forms.quiet import hush
from tests.forms.serving import host

pytestmark = [pytest.mark.usefixtures("in_production"), pytest.mark.django_db(databases="__all__")]


class ViewError(Exception):
    pass


@pytest.fixture
def returning(visitor: Client) -> Client:
    """A visitor with a session."""
    session = visitor.session
    session["cart"] = 7
    session.save()
    return visitor


@pytest.mark.parametrize("every_request", [False, True])
def test_what_a_failed_view_put_into_the_session_is_dropped(
    every_request: bool, returning: Client, settings: Settings
) -> None:
    settings.SESSION_SAVE_EVERY_REQUEST = every_request
    host.faults["after"] = ViewError("after the write")
    key = returning.cookies["sessionid"].value
    assert returning.post("/plain/", {"number": "1"}).status_code == 202
    assert returning.cookies["sessionid"].value == key
    assert dict(SessionStore(key)) == {"cart": 7}


@pytest.mark.parametrize("every_request", [False, True])
def test_a_visitor_without_a_session_gets_none(
    every_request: bool, visitor: Client, settings: Settings
) -> None:
    settings.SESSION_SAVE_EVERY_REQUEST = every_request
    host.faults["after"] = ViewError("after the write")
    assert "sessionid" not in visitor.post("/plain/", {"number": "1"}).cookies
    assert not Session.objects.exists()


def test_a_message_of_the_failed_view_is_not_told(visitor: Client) -> None:
    host.faults["after"] = ViewError("after the write")
    assert visitor.post("/order_unkept/", {"number": "1"}).status_code == 503
    host.faults.clear()
    assert "Saved!" not in visitor.get("/order/").content.decode()


def test_a_page_that_reads_the_session_gets_what_is_stored(
    returning: Client, django_user_model: type[User]
) -> None:
    returning.force_login(django_user_model.objects.create(username="jan"))
    host.faults["before"] = ViewError("the view is on fire")
    response = returning.get("/order/")
    assert "<header>jan</header>" in response.content.decode()
    assert "Cookie" in response["Vary"]


def test_a_failed_login_is_no_login(returning: Client, django_user_model: type[User]) -> None:
    host.faults["user"] = django_user_model.objects.create(username="jan")
    assert returning.post("/signing_in/", {"number": "1"}).status_code == 202
    assert "<header>AnonymousUser</header>" in returning.get("/order/").content.decode()


@pytest.mark.parametrize("every_request", [False, True])
def test_a_dead_session_store_is_not_asked_behind_us(
    every_request: bool, returning: Client, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.SESSION_SAVE_EVERY_REQUEST = every_request

    def dead(*args: object, **kwargs: object) -> None:
        raise OperationalError("the server is away")

    monkeypatch.setattr(SessionStore, "load", dead)
    monkeypatch.setattr(SessionStore, "save", dead)
    host.faults["before"] = ViewError("the view is on fire")
    assert returning.get("/plain/").status_code == 200
    assert "qaprod-forms" in returning.get("/order/").content.decode()
    assert returning.post("/plain/", {"number": "1"}).status_code == 202
    assert returning.cookies["sessionid"].value


def test_what_the_view_has_read_is_known_without_the_store(
    returning: Client, rf: RequestFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dead(*args: object) -> None:
        raise OperationalError("the server is away")

    rf.cookies["sessionid"] = returning.cookies["sessionid"].value
    for changed in (False, True):
        request = rf.post("/")
        request.session = SessionStore(returning.cookies["sessionid"].value)
        assert request.session["cart"] == 7
        if changed:
            request.session["made"] = 1
        hush(request, {})
        with monkeypatch.context() as patch:
            patch.setattr(SessionStore, "load", dead)
            if changed:
                with pytest.raises(OperationalError):
                    request.session.items()
            else:
                assert dict(request.session.items()) == {"cart": 7}


def test_the_csrf_token_works_where_it_is_in_the_session(settings: Settings) -> None:
    settings.CSRF_USE_SESSIONS = True
    host.faults["before"] = ViewError("the view is on fire")
    visitor = Client(enforce_csrf_checks=True, raise_request_exception=False)
    for _ in range(2):
        page = visitor.get("/plain/").content.decode()
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)
        assert token
        assert visitor.post("/plain/", {"number": "1"}).status_code == 403
        sent = {"number": "1", "csrfmiddlewaretoken": token[1]}
        assert visitor.post("/plain/", sent).status_code == 202


def test_messages_that_waited_are_still_told(visitor: Client) -> None:
    visitor.post("/order/", {"number": "1"})
    host.faults["before"] = ViewError("the view is on fire")
    assert "Saved!" in visitor.get("/order/").content.decode()
