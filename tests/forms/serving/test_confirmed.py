"""The server's half of the guard: who is told that a submission was taken, and who is not."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest
from django.contrib.staticfiles import finders
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template import Context, Template
from django.test import Client, RequestFactory, override_settings

from django_qaprod.forms.confirmed import COOKIE, NONCE, confirm
from tests.forms.serving import host

OURS = "0123456789abcdef" * 2
OTHER = "fedcba9876543210" * 2
TOKEN = "t" * 32


def posted(read: bool = True, **sent: str) -> HttpRequest:
    request = RequestFactory().post("/apply/", sent)
    if read:
        assert request.POST is not None
    return request


def confirmed(request: HttpRequest, response: HttpResponse, **options: Any) -> str:
    confirm(request, response, **options)
    return response.cookies[COOKIE].value if COOKIE in response.cookies else ""


@pytest.mark.parametrize("status", [201, 202, 204, 301, 302, 303])
def test_what_says_success_confirms(status: int) -> None:
    response = HttpResponse(status=status, headers={"Location": "/thanks/"})
    assert confirmed(posted(**{NONCE: OURS}), response) == OURS


@pytest.mark.parametrize("status", [200, 307, 308, 400, 403, 500, 503])
def test_the_form_shown_again_and_errors_do_not_confirm(status: int) -> None:
    response = HttpResponse(status=status, headers={"Location": "/thanks/"})
    assert confirmed(posted(**{NONCE: OURS}), response) == ""


def test_whoever_knows_better_says_so() -> None:
    assert confirmed(posted(**{NONCE: OURS}), HttpResponse(), taken=True) == OURS
    assert confirmed(posted(**{NONCE: OURS}), HttpResponseRedirect("/"), taken=False) == ""


@pytest.mark.parametrize("login", ["/log/in/", "shop:ok"])
def test_who_is_sent_to_the_login_page_sends_the_form_again(login: str) -> None:
    address = "/ok/" if login == "shop:ok" else login
    with override_settings(LOGIN_URL=login):
        assert confirmed(posted(**{NONCE: OURS}), HttpResponseRedirect(f"{address}?next=/apply/")) == ""
    with override_settings(LOGIN_URL="no:such"):
        assert confirmed(posted(**{NONCE: OURS}), HttpResponseRedirect(address)) == OURS


@pytest.mark.parametrize(
    "hostile",
    ["", "short", OURS.upper(), OURS + "0", f"{OURS[:-1]}\n", "x;Domain=evil" + OURS[13:], "٣" * 32],
)
def test_only_a_nonce_as_ours_is_repeated(hostile: str) -> None:
    assert confirmed(posted(**{NONCE: hostile}), HttpResponseRedirect("/")) == ""


def test_a_body_that_the_view_has_not_read_is_left_alone() -> None:
    request = posted(read=False, **{NONCE: OURS})
    assert confirmed(request, HttpResponseRedirect("/")) == ""
    assert not hasattr(request, "_post")


def test_the_cookie_is_for_scripts_of_the_site_and_goes_by_itself() -> None:
    request = RequestFactory().post("/apply/", {NONCE: OURS}, secure=True)
    assert request.POST
    response = HttpResponseRedirect("/")
    confirm(request, response)
    cookie = response.cookies[COOKIE]
    assert cookie["samesite"] == "Lax"
    assert cookie["secure"]
    assert not cookie["httponly"]
    assert cookie["path"] == "/"
    assert 0 < cookie["max-age"] <= 7 * 24 * 3600


def test_two_tabs_answered_one_after_the_other_are_both_confirmed() -> None:
    request = posted(**{NONCE: OURS})
    request.COOKIES[COOKIE] = f"{OTHER}.rubbish;.{OURS}"
    assert confirmed(request, HttpResponseRedirect("/")) == f"{OTHER}.{OURS}"
    request.COOKIES[COOKIE] = ".".join(f"{number:032x}" for number in range(50))
    assert len(confirmed(request, HttpResponseRedirect("/")).split(".")) == 5


@pytest.mark.usefixtures("in_production")
@pytest.mark.django_db(databases="__all__", transaction=True)
@pytest.mark.parametrize("view", ["order", "aorder", "create"])
def test_what_a_view_takes_is_confirmed(view: str) -> None:
    # With the check of the token, which reads what was sent, whatever the view does.
    visitor = Client(enforce_csrf_checks=True)
    visitor.cookies["csrftoken"] = TOKEN
    taken = visitor.post(
        f"/{view}/", {"number": "1", "state": "open", NONCE: OURS, "csrfmiddlewaretoken": TOKEN}
    )
    assert taken.status_code == 302
    assert taken.cookies[COOKIE].value == OURS
    without = Client().post(f"/{view}/", {"number": "1", "state": "open"})
    assert COOKIE not in without.cookies


@pytest.mark.usefixtures("in_production")
@pytest.mark.django_db(databases="__all__", transaction=True)
@pytest.mark.parametrize("view", ["order", "create"])
def test_a_form_with_errors_is_not_confirmed(view: str, visitor: Client) -> None:
    refused = visitor.post(f"/{view}/", {"number": "", NONCE: OURS})
    assert refused.status_code == 200
    assert COOKIE not in refused.cookies


@pytest.mark.usefixtures("in_production")
@pytest.mark.django_db(databases="__all__", transaction=True)
@pytest.mark.parametrize(
    ("view", "status"), [("order", 202), ("aorder", 202), ("thanked", 302), ("thanked_by_function", 200)]
)
def test_what_is_kept_is_confirmed(view: str, status: int, visitor: Client) -> None:
    host.faults["after"] = RuntimeError("no")
    kept = visitor.post(f"/{view}/", {"number": "1", NONCE: OURS})
    assert kept.status_code == status
    assert kept.cookies[COOKIE].value == OURS


@pytest.mark.usefixtures("in_production")
@pytest.mark.django_db(databases="__all__", transaction=True)
def test_what_could_not_be_kept_is_not_confirmed_but_may_be_later(visitor: Client) -> None:
    host.faults["after"] = RuntimeError("no")
    lost = visitor.post("/unkept/", {"number": "1", NONCE: OURS})
    assert lost.status_code == 503
    assert COOKIE not in lost.cookies
    assert f'name="{NONCE}" value="{OURS}"' in lost.content.decode()


def rendered(arguments: str = "", **context: Any) -> str:
    return Template(f"{{% load qaprod_forms %}}{{% qaprod_form_guard {arguments} %}}").render(
        Context(context)
    )


def test_the_tag_is_one_script_without_code_in_the_page() -> None:
    tag = rendered("hours=2.5")
    assert tag.startswith('<script src="/static/qaprod/form-guard.js" defer data-hours="2.5" data-owner=""')
    assert tag.endswith('"></script>')
    assert 'data-hours="168"' in rendered("hours=1000")


def test_the_script_is_small() -> None:
    script = finders.find("qaprod/form-guard.js")
    assert isinstance(script, str)
    assert len(gzip.compress(Path(script).read_bytes())) < 6000


def test_an_owner_is_nobody_whom_the_page_names() -> None:
    one, other = rendered("owner=who", who=17), rendered("owner=who", who=18)
    assert one != other
    assert 'data-owner="17"' not in one
    assert 'data-owner=""' in rendered("owner=who", who=None)


def test_a_policy_with_nonces_gets_its_nonce() -> None:
    assert ' nonce="abc"' in rendered(csp_nonce="abc")


def test_a_storage_without_the_script_costs_the_guard_and_not_the_page(settings: Any) -> None:
    manifest = {"BACKEND": "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"}
    settings.STORAGES = {**settings.STORAGES, "staticfiles": manifest}
    assert rendered() == ""
