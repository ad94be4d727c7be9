from __future__ import annotations

import pytest
from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.auth.models import AnonymousUser, User
from django.contrib.sessions.backends.signed_cookies import SessionStore
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory
from django.utils.functional import SimpleLazyObject
from pytest_django.fixtures import Settings

from django_qaprod.pipeline.identity import known, user_of


def test_nobody_is_known_without_a_request_or_a_user() -> None:
    assert user_of(None) == ""
    assert user_of(RequestFactory().get("/")) == ""


def test_a_user_that_nobody_asked_for_is_not_asked_for() -> None:
    asked = []
    request = RequestFactory().get("/")
    request.user = SimpleLazyObject(lambda: asked.append(1))  # type: ignore[assignment]
    assert user_of(request) == ""
    assert not asked


def test_a_user_that_the_host_has_found_is_known() -> None:
    request = RequestFactory().get("/")
    request.user = SimpleLazyObject(lambda: User(pk=7))  # type: ignore[assignment]
    assert request.user.pk == 7
    assert user_of(request) == "7"
    cached = RequestFactory().get("/")
    cached._cached_user = User(pk=8)  # type: ignore[attr-defined]
    assert user_of(cached) == "8"
    acached = RequestFactory().get("/")
    acached._acached_user = User(pk=9)  # type: ignore[attr-defined]
    assert user_of(acached) == "9"
    plain = RequestFactory().get("/")
    plain.user = User(pk=10)
    assert user_of(plain) == "10"


def impersonated(*, looked_at: bool) -> HttpRequest:
    """An administrator, as Django remembers, for whom a middleware has put somebody else."""
    request = RequestFactory().get("/")
    request._cached_user = User(pk=1, is_superuser=True)  # type: ignore[attr-defined]
    request.user = SimpleLazyObject(lambda: User(pk=7))  # type: ignore[assignment]
    assert not looked_at or request.user.pk == 7
    return request


def test_whom_a_middleware_has_put_in_the_place_of_the_user_is_who_it_is() -> None:
    assert user_of(impersonated(looked_at=True)) == "7"
    plain = impersonated(looked_at=False)
    plain.user = User(pk=8)
    assert user_of(plain) == "8"
    plain.user = AnonymousUser()
    assert user_of(plain) == ""


def test_whom_a_middleware_would_find_is_not_who_django_remembers() -> None:
    request = impersonated(looked_at=False)
    assert user_of(request) == ""
    assert known(vars(request)) is None


def test_what_django_remembers_counts_for_django_s_own_user() -> None:
    request = RequestFactory().get("/")
    request.session = SessionStore()
    AuthenticationMiddleware(lambda request: HttpResponse()).process_request(request)
    assert known(vars(request)) is None
    request._cached_user = User(pk=8)  # type: ignore[attr-defined]
    assert user_of(request) == "8"


def test_an_anonymous_user_is_nobody() -> None:
    request = RequestFactory().get("/")
    request.user = AnonymousUser()
    assert user_of(request) == ""


@pytest.mark.parametrize(("how", "length"), [("hash", 32), ("off", 0), ("plain", 1)])
def test_ids_are_hashed_or_withheld_as_asked(settings: Settings, how: str, length: int) -> None:
    settings.QAPROD = {"USER_IDS": how}
    request = RequestFactory().get("/")
    request.user = User(pk=7)
    assert len(user_of(request)) == length
    assert user_of(request) == user_of(request)
