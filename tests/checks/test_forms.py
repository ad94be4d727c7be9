"""What is wrong with views that are served whatever goes wrong is said before it goes wrong."""

from __future__ import annotations

import types
from collections.abc import Iterator
from pathlib import Path
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


class Salary(forms.Form):
    salary = forms.IntegerField(required=False)
    qaprod_private = ("salery",)


class Growing(forms.Form):
    qaprod_private = ("salary",)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["salary"] = forms.IntegerField(required=False)


class SalaryView(ServeFormMixin, FormView):  # type: ignore[type-arg]
    form_class = Salary


class ChoosingView(ServeFormMixin, FormView):  # type: ignore[type-arg]
    def get_form_class(self) -> type[forms.Form]:
        return Salary


class NamingView(ServeFormMixin, FormView):  # type: ignore[type-arg]
    serve = {"private": ["any"]}

    def get_served_forms(self) -> Any:
        return {"form": Salary}


@pytest.mark.parametrize(
    ("served", "told"),
    [
        (serve_form(Apply, private=["nam"])(view), ["E023"]),
        (serve_form({"a": Apply, "b": Work}, private=["authorised_to_work"])(view), ["W015"]),
        (serve_form({"a": Apply, "b": Work}, private=["work"])(view), ["E023"]),
        (serve_form(Salary)(view), ["E023"]),
        (serve_form(forms.formset_factory(Salary))(view), ["E023"]),
        (serve_form(Salary, rescue=False)(view), []),
        (serve_form(Growing)(view), ["W024"]),
        (serve_form(Growing, private=["salery"])(view), ["W024", "W024"]),
        (SalaryView.as_view(), ["E023"]),
        (FormView.as_view(form_class=Salary), []),
        (ChoosingView.as_view(), []),
        (NamingView.as_view(), []),
    ],
)
def test_private_names_of_no_field_are_told(ids: Any, served: Any, told: list[str]) -> None:
    assert ids(served) == told


def test_a_name_that_is_no_field_s_is_told_with_those_that_are(ids: Any) -> None:
    ids(serve_form(Salary)(view))
    (message,) = checks.check_always()
    assert "qaprod_private of Salary names 'salery'" in message.msg
    assert message.hint == "The fields are salary."


@pytest.mark.parametrize(
    ("thanks", "told"),
    [
        ("jobs:v1", []),
        ("jobs:v9", ["E024"]),
        ("thanks", ["E024"]),
        ("/thanks/", []),
        ("https://example.com/", []),
        (lambda request, kept: HttpResponse(), []),
    ],
)
def test_thanks_that_lead_nowhere_are_told(ids: Any, thanks: Any, told: list[str]) -> None:
    assert ids(serve_form(Apply, thanks=thanks)(view), view) == told


def test_a_template_that_is_missing_is_told(ids: Any) -> None:
    assert ids(serve_form(Apply, template="no/such.html")(view)) == ["W025"]
    assert ids(serve_form(Apply, template="admin/base_site.html")(view)) == []


@pytest.mark.parametrize(
    ("content", "told"),
    [("{% extends 'no/such.html' %}", []), ("{% nonsense %}", []), ("{% include 'no/such.html' %}", [])],
)
def test_what_else_is_wrong_with_a_template_is_not_ours_to_tell(
    ids: Any, settings: Settings, tmp_path: Path, content: str, told: list[str]
) -> None:
    (tmp_path / "apply.html").write_text(content)
    settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": [tmp_path]}]
    assert ids(serve_form(Apply, template="apply.html")(view)) == told


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
