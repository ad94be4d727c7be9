"""What is wrong with views that are served whatever goes wrong is said before it goes wrong."""

from __future__ import annotations

import types
from collections.abc import Iterator
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django import forms
from django.conf import settings as django_settings
from django.contrib.admin.views.decorators import staff_member_required
from django.contrib.auth.decorators import login_required, permission_required
from django.http import HttpRequest, HttpResponse
from django.urls import clear_url_caches, include, path
from django.views.generic import FormView
from pytest_django import Settings

from django_qaprod import ServeFormMixin, serve_form
from django_qaprod.forms import checks

KEY = Fernet.generate_key().decode()


class Apply(forms.Form):
    name = forms.CharField()


class SignIn(forms.Form):
    name = forms.CharField()
    password = forms.CharField(widget=forms.PasswordInput)


class Work(forms.Form):
    authorised_to_work = forms.BooleanField()
    qaprod_kept = ("authorised_to_work",)


def view(request: HttpRequest) -> HttpResponse:
    return HttpResponse()


async def async_view(request: HttpRequest) -> HttpResponse:
    return HttpResponse()


class ApplyView(ServeFormMixin, FormView):  # type: ignore[type-arg]
    form_class = Apply
    template_name = "apply.html"


@pytest.fixture
def ids(settings: Settings) -> Iterator[Any]:
    settings.QAPROD = {"RESCUE_KEYS": [KEY]}

    def of(*views: Any, deploy: bool = True) -> list[str]:
        urls: Any = types.ModuleType("urls_of_a_test")
        inner = [path(f"{number}/", one, name=f"v{number}") for number, one in enumerate(views)]
        urls.urlpatterns = [path("jobs/", include((inner, "jobs")))]
        settings.ROOT_URLCONF = urls
        clear_url_caches()
        found = [*checks.check_always(), *(checks.check_deployment() if deploy else ())]
        return [str(message.id).removeprefix("qaprod.") for message in found]

    yield of
    clear_url_caches()


def test_views_that_are_well_are_met_with_silence(ids: Any) -> None:
    served = login_required(serve_form(Apply)(view))
    assert ids(view, served, serve_form(Apply)(async_view), ApplyView.as_view(), serve_form(Work)(view)) == []


@pytest.mark.parametrize(
    "access",
    [
        login_required,
        permission_required("x.y"),
        permission_required("x.y", raise_exception=True),
        staff_member_required,
    ],
)
@pytest.mark.parametrize("inner", [view, async_view])
def test_access_that_stands_below_is_told(ids: Any, access: Any, inner: Any) -> None:
    assert ids(serve_form(Apply)(access(inner))) == ["W012"]
    assert ids(access(serve_form(Apply)(inner))) == []
    assert ids(login_required(serve_form(Apply)(access(inner)))) == ["W012"]


def test_keys_that_are_none_are_told(ids: Any, settings: Settings) -> None:
    settings.QAPROD = {"RESCUE_KEYS": [KEY, "short"]}
    assert ids(view) == ["E013"]


@pytest.mark.parametrize("served", [serve_form(Apply)(view), ApplyView.as_view()])
def test_missing_keys_are_told_where_something_could_be_rescued(
    ids: Any, settings: Settings, served: Any
) -> None:
    settings.QAPROD = {}
    assert ids(served) == ["W011"]
    assert ids(served, deploy=False) == []
    assert ids(view, serve_form(SignIn, rescue=False)(view)) == []


def test_fields_that_can_never_be_kept_are_told(ids: Any) -> None:
    assert ids(serve_form(SignIn)(view)) == ["W015"]
    assert ids(serve_form(Apply, private=["name"])(view)) == ["W015"]
    assert ids(serve_form(forms.formset_factory(SignIn))(view)) == ["W015"]


def test_tokens_in_the_session_are_told(ids: Any, settings: Settings) -> None:
    settings.CSRF_USE_SESSIONS = True
    assert ids(serve_form(Apply)(view)) == ["W013"]
    assert ids(view) == []
    settings.QAPROD = {"RESCUE_KEYS": [KEY], "SERVE_EARLY": ["jobs:v0"]}
    assert ids(serve_form(Apply)(view)) == ["W014", "W013"]


def test_routes_that_cannot_be_served_early_are_told(ids: Any, settings: Settings) -> None:
    settings.QAPROD = {"RESCUE_KEYS": [KEY], "SERVE_EARLY": ["jobs:v0", "jobs:v1", "v0", "jobs:v2"]}
    assert ids(serve_form(Apply)(view), view, ApplyView.as_view()) == ["E012", "E012"]


def test_a_urlconf_that_cannot_be_imported_is_django_s_to_tell(settings: Settings) -> None:
    settings.ROOT_URLCONF = "no.such.urls"
    clear_url_caches()
    assert list(checks.check_always()) == []
    clear_url_caches()


def test_a_project_without_a_urlconf_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(django_settings, "ROOT_URLCONF", None)
    assert list(checks.check_always()) == []
