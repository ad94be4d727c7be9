"""What visitors send who mean no good, and hosts that fail where nobody looks."""

from __future__ import annotations

import logging
from contextlib import ExitStack
from typing import Any

import pytest
from django import forms
from django.contrib.auth.models import User
from django.db import OperationalError, connection
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.test import Client, RequestFactory

from django_qaprod import serve_form, vault
from django_qaprod.forms import waiting
from django_qaprod.forms.signals import submission_rescued
from django_qaprod.models import RescuedSubmission, SubmissionVersion
from django_qaprod.sent import Submission, unpack
from django_qaprod.testing import Records
from tests.forms import kept
from tests.forms.serving import host
from tests.project.shop.models import Order

pytestmark = [
    pytest.mark.usefixtures("in_production"),
    pytest.mark.django_db(databases="__all__", transaction=True),
]
PASSWORD = "Xk9canaryQ7vZ2mLw8"


class ViewError(Exception):
    pass


def sent() -> Submission:
    return unpack(vault.decrypt(bytes(SubmissionVersion.objects.get().content)))


def test_who_was_signed_in_by_a_failed_view_has_not_sent_it(
    visitor: Client, django_user_model: type[User]
) -> None:
    host.faults["user"] = django_user_model.objects.create(username="jan")
    assert visitor.post("/signing_in/", {"number": "1"}).status_code == 202
    assert sent().user == ""
    assert RescuedSubmission.objects.get().user == ""


def test_all_fields_that_were_free_text_are_named(visitor: Client) -> None:
    host.faults["before"] = host.faults["choices"] = ViewError("no choices")
    typed = {"number": "1", "qaprod_free_text": "region,order,stranger", "region": "here", "order": "mine"}
    assert visitor.post("/plain/", typed).status_code == 202
    assert sent().free_text == ("region", "order")


def test_a_second_click_that_may_have_taken_effect_puts_the_first_in_doubt(visitor: Client) -> None:
    typed = {"number": "1", "csrfmiddlewaretoken": "x" * 64}
    host.faults["before"] = ViewError("before the write")
    assert visitor.post("/loose/", typed).status_code == 202
    RescuedSubmission.objects.update(in_doubt="", state="queued")
    host.faults["before"], host.faults["after"] = None, ViewError("after the write")
    assert visitor.post("/loose/", typed).status_code == 202
    assert Order.objects.count() == 1
    rescued = RescuedSubmission.objects.get()
    assert (rescued.in_doubt, rescued.state) == ("untransacted", "waiting")


def test_so_it_does_in_the_spool(tmp_path: Any) -> None:
    first = kept.new("k")
    assert waiting.write(tmp_path, first) == first.id
    assert waiting.write(tmp_path, kept.new("k", in_doubt="commit")) == first.id
    (file,) = (tmp_path / waiting.FOLDER).iterdir()
    assert waiting.decode(file.read_bytes()).in_doubt == "commit"


def test_what_is_to_be_done_with_the_page_may_fail(rf: RequestFactory) -> None:
    def fail(response: HttpResponse) -> None:
        raise ViewError("the cache is away")

    @serve_form(host.OrderForm)
    def view(request: HttpRequest) -> HttpResponse:
        response = TemplateResponse(request, "tests_forms/formset.html", {"formset": ""})
        response.add_post_render_callback(fail)
        return response

    response: Any = view(rf.get("/"))
    assert response.render().status_code == 200


def test_what_is_to_be_done_with_the_page_logs_as_the_host_s(rf: RequestFactory, records: Records) -> None:
    @serve_form(host.OrderForm)
    def view(request: HttpRequest) -> HttpResponse:
        response = TemplateResponse(request, "nowhere.html", {})
        response.add_post_render_callback(lambda page: logging.getLogger("jobs").error("no room"))
        return response

    response: Any = view(rf.get("/"))
    assert response.render().status_code == 200
    assert [failure.kind for failure in records.failures].count("logged") == 1


def test_a_strange_address_is_no_failure(rf: RequestFactory) -> None:
    @serve_form(host.OrderForm)
    def view(request: HttpRequest) -> HttpResponse:
        assert request.POST
        return HttpResponse(status=302, headers={"Location": "http://[strange"})

    assert view(rf.post("/", {"qaprod_form": "a" * 32})).status_code == 302


@pytest.mark.parametrize(
    "body",
    [b"number=%ED%A0%80&email=a%00b&%00=1&region=%FF%FE&number=\x00", b"number=1&" + b"number=2&" * 500],
)
def test_strange_bytes_are_answered(body: bytes, visitor: Client) -> None:
    host.faults["before"] = ViewError("the view is on fire")
    form = "application/x-www-form-urlencoded"
    assert visitor.generic("POST", "/plain/", body, content_type=form).status_code in {200, 202}


@pytest.mark.parametrize(
    "content_type",
    [
        "application/x-www-form-urlencoded; charset=nonsense",
        "application/x-www-form-urlencoded; charset=utf-16",
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "text/plain",
        "",
    ],
)
def test_strange_types_are_answered(content_type: str, visitor: Client) -> None:
    host.faults["before"] = ViewError("the view is on fire")
    answer = visitor.generic("POST", "/plain/", b"number=1", content_type=content_type)
    assert answer.status_code in {202, 400, 503}


@pytest.mark.parametrize(
    "typed",
    [
        {"form-TOTAL_FORMS": "999999999", "form-INITIAL_FORMS": "0"},
        {"form-TOTAL_FORMS": "-1", "form-INITIAL_FORMS": "999999"},
        {"qaprod_free_text": "form-0-number," * 100_000},
        {f"form-{number}-number": "x" for number in range(900)},
    ],
)
def test_huge_forms_are_answered(typed: dict[str, str], visitor: Client) -> None:
    host.faults["before"] = ViewError("the view is on fire")
    assert visitor.post("/formset/", typed).status_code in {200, 202}


class Half(forms.MultiWidget):
    def __init__(self) -> None:
        super().__init__([forms.TextInput(), forms.PasswordInput()])

    def decompress(self, value: Any) -> list[str]:
        return ["", ""]

    def render(self, *args: Any, **kwargs: Any) -> Any:
        raise ViewError("cannot be shown")


class Secretive(forms.Form):
    number = forms.CharField(max_length=3)
    account = forms.MultipleChoiceField(choices=host.choices, required=False)
    account_password = forms.CharField(required=False, widget=forms.PasswordInput)
    both = forms.MultiValueField(fields=[forms.CharField(), forms.CharField()], required=False, widget=Half())


def test_no_field_shows_the_password_of_another(rf: RequestFactory) -> None:
    @serve_form(Secretive)
    def view(request: HttpRequest) -> HttpResponse:
        raise ViewError("the view is on fire")

    host.faults["choices"] = ViewError("no choices")
    typed = {"number": "too long", "account_password": PASSWORD, "both_0": "ada", "both_1": PASSWORD}
    page = view(rf.post("/", typed)).content.decode()
    assert "too long" in page
    assert PASSWORD not in page


def test_what_the_view_has_stored_is_no_reason_to_refuse_it(rf: RequestFactory) -> None:
    made = forms.modelform_factory(User, fields=("username",))

    @serve_form(made, atomic=False)
    def view(request: HttpRequest) -> HttpResponse:
        made(request.POST).save()
        raise ViewError("after the write")

    assert view(rf.post("/", {"username": "jan"})).status_code == 202
    assert RescuedSubmission.objects.get().in_doubt == "untransacted"
    # Nobody can tell that from a name that was taken before.
    assert view(rf.post("/", {"username": "jan", "qaprod_form": "0" * 32})).status_code == 202


def test_who_listens_waits_for_no_dead_database(rf: RequestFactory) -> None:
    asked = []

    def dead(run: Any, sql: str, *args: Any) -> None:
        asked.append(sql)
        raise OperationalError("timed out")

    def listen(**kwargs: Any) -> None:
        Order.objects.count()

    @serve_form(host.OrderForm)
    def view(request: HttpRequest) -> HttpResponse:
        return HttpResponse(Order.objects.count())

    submission_rescued.connect(listen)
    try:
        with connection.execute_wrapper(dead):
            assert view(rf.post("/", {"number": "1"})).status_code == 202
    finally:
        submission_rescued.disconnect(listen)
    # The first of them on PostgreSQL is the view's, on SQLite it is BEGIN.
    assert len(asked) == 1


def test_a_database_that_is_found_dead_while_keeping_is_asked_once(visitor: Client) -> None:
    session = visitor.session
    session["cart"] = 7
    session.save()
    asked = []

    def dead(run: Any, sql: str, *args: Any) -> None:
        asked.append(sql)
        raise OperationalError("timed out")

    def die() -> None:
        stack.enter_context(connection.execute_wrapper(dead))
        raise ViewError("the view is on fire")

    host.faults["before"] = die
    with ExitStack() as stack:
        assert visitor.post("/loose/", {"number": "1"}).status_code == 202
    assert len(asked) == 1
