"""What a visitor is served when the view has failed, rung by rung."""

from __future__ import annotations

import logging
import pickle
import re
from typing import Any

import pytest
from django.core.exceptions import BadRequest, PermissionDenied, SuspiciousOperation
from django.db import OperationalError, connection
from django.http import Http404, HttpResponse
from django.http.response import HttpResponseBase
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext
from pytest_django.fixtures import Settings

from django_qaprod.models import RescuedSubmission
from django_qaprod.store import submissions
from django_qaprod.testing import Records
from tests.forms.serving import host
from tests.project.shop.models import Order

pytestmark = [pytest.mark.usefixtures("in_production"), pytest.mark.django_db(databases="__all__")]


class ViewError(Exception):
    pass


class PageError(Exception):
    pass


def text(response: HttpResponseBase) -> str:
    return response.content.decode()  # type: ignore[attr-defined]


def is_host_s(response: HttpResponseBase) -> bool:
    return "Apply as" in text(response)


def is_plain(response: HttpResponseBase) -> bool:
    return "qaprod-forms" in text(response) and "<form" in text(response)


# GET


def test_nothing_is_changed_when_nothing_fails(visitor: Client, records: Records) -> None:
    response = visitor.get("/order/")
    assert response.status_code == 200
    assert is_host_s(response)
    assert "qaprod" not in text(response)
    assert not records.failures


def test_a_get_is_served_the_host_s_template_with_a_notice(visitor: Client, records: Records) -> None:
    host.faults["before"] = ViewError("the view is on fire")
    response = visitor.get("/order/")
    assert response.status_code == 200
    assert "Apply as Caretaker" in text(response)
    assert 'value="N-1"' in text(response)
    assert re.search(
        r'<main id="content" data-x="a>b"><div class="qaprod-notice[^>]*role="status"', text(response)
    )
    (failure,) = records.failures
    assert (failure.kind, failure.served, failure.name) == ("degraded", True, f"{host.__name__}._order")
    assert failure.error_type == f"{__name__}.ViewError"
    assert failure.extra == {"rung": "view", "served": "template"}


def test_a_request_that_was_served_counts_as_degraded(
    visitor: Client, records: Records, caplog: pytest.LogCaptureFixture
) -> None:
    host.faults["before"] = ViewError("the view is on fire")
    with caplog.at_level(logging.ERROR):
        visitor.get("/order/")
    (line,) = (record for record in caplog.records if record.name == "qaprod.forms")
    assert line.levelno == logging.ERROR
    assert "the view is on fire" in caplog.text
    assert len(records.failures) == 1, "the log record is not another failure"
    assert [dict(cell.attributes)["qaprod.outcome"] for cell in records.requests] == ["degraded"]


def test_what_the_host_logs_while_the_form_is_made_is_the_host_s(visitor: Client, records: Records) -> None:
    host.faults["before"] = ViewError("the view is on fire")
    host.faults["context"] = lambda: logging.getLogger("jobs").error("the vacancy has no title")
    assert is_host_s(visitor.get("/order/"))
    assert {failure.kind for failure in records.failures} == {"logged", "degraded"}


def test_head_is_served_as_get_is(visitor: Client) -> None:
    host.faults["before"] = ViewError("the view is on fire")
    assert visitor.head("/order/").status_code == 200


@pytest.mark.parametrize("place", ["initial", "context"])
def test_what_cannot_be_had_is_left_out(place: str, visitor: Client, records: Records) -> None:
    host.faults["before"] = ViewError("the view is on fire")
    host.faults[place] = PageError("nor can this be had")
    response = visitor.get("/order/")
    assert is_host_s(response)
    assert [failure.extra["rung"] for failure in records.failures] == ["view", place]
    assert {failure.extra["served"] for failure in records.failures} == {"template"}


def test_the_plain_page_comes_when_the_template_fails(visitor: Client, records: Records) -> None:
    host.faults["before"] = host.faults["context"] = ViewError("the view is on fire")
    host.faults["choices"] = PageError("the choices, too")
    response = visitor.get("/order/")
    assert response.status_code == 200
    assert is_plain(response)
    assert 'value="N-1"' in text(response)
    assert re.search(r'<input type="text" name="region"[^>]*>', text(response))
    assert '<input type="hidden" name="qaprod_free_text" value="region">' in text(response)
    assert "template" in [failure.extra["rung"] for failure in records.failures]
    assert {failure.extra["served"] for failure in records.failures} == {"plain"}


def test_the_plain_page_needs_none_of_the_form_s_code(visitor: Client) -> None:
    host.faults["before"] = ViewError("the view is on fire")
    host.faults["form"] = PageError("the form needs arguments that nobody has")
    response = visitor.get("/order/")
    assert is_plain(response)
    assert 'name="number"' in text(response)
    assert " required" not in text(response), "what its own code makes of it is not known"


def test_the_plain_page_tells_what_it_is_without_scripts_or_styles_inside(visitor: Client) -> None:
    host.faults["before"] = ViewError("the view is on fire")
    response = visitor.get("/plain/")
    assert is_plain(response)
    assert '<link rel="stylesheet" href="/static/qaprod/forms.css">' in text(response)
    assert not re.search(r"<script|<style|\son\w+=|\sstyle=", text(response))
    assert '<label for="id_number">' in text(response)
    assert 'aria-describedby="id_number_helptext"' in text(response)
    assert 'id="id_number_helptext"' in text(response)
    assert 'autocomplete="email"' in text(response)
    assert "no-store" in response["Cache-Control"]


def test_a_broken_static_storage_costs_the_style_alone(visitor: Client, settings: Settings) -> None:
    settings.STORAGES = {**settings.STORAGES, "staticfiles": {"BACKEND": "no.such.Storage"}}
    host.faults["before"] = ViewError("the view is on fire")
    response = visitor.get("/plain/")
    assert is_plain(response)
    assert "stylesheet" not in text(response)


def test_where_there_is_no_form_an_honest_page_is_served(
    visitor: Client, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    host.faults["before"] = ViewError("the view is on fire")
    monkeypatch.setattr("django_qaprod.forms.pages.plain_form.part_of", lambda *args: 1 / 0)
    response = visitor.get("/plain/")
    assert response.status_code == 503
    assert int(response["Retry-After"]) > 0
    assert "temporarily unavailable" in text(response)
    assert [(failure.kind, failure.served) for failure in records.failures] == [("degraded", False)] * 2


@pytest.mark.parametrize("broken", ["forms.ladder.build", "forms.ladder.pages.unavailable"])
def test_even_an_error_of_ours_is_no_error_page(
    broken: str, visitor: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: Any, **kwargs: Any) -> None:
        raise ViewError("a bug of ours")

    monkeypatch.setattr("django_qaprod.forms.pages.plain_form.part_of", fail)
    monkeypatch.setattr(f"django_qaprod.{broken}", fail)
    host.faults["before"] = ViewError("the view is on fire")
    response = visitor.get("/plain/")
    assert response.status_code == 503
    assert "Temporarily unavailable" in text(response)


def test_the_notice_stands_where_the_template_wants_it(visitor: Client) -> None:
    host.faults["before"] = ViewError("the view is on fire")
    page = text(visitor.get("/formset/"))
    assert page.count('role="status"') == 1
    assert page.index("<h1>") < page.index('role="status"') < page.index("<form")


def test_a_late_template_that_fails_climbs_down_too(visitor: Client, records: Records) -> None:
    host.faults["page"] = PageError("only the page")
    response = visitor.get("/late/")
    assert response.status_code == 200
    assert is_host_s(response)
    assert "role=" in text(response)
    assert [failure.error_type for failure in records.failures] == [f"{__name__}.PageError"]


def test_other_methods_are_left_alone(visitor: Client, records: Records) -> None:
    host.faults["before"] = ViewError("the view is on fire")
    assert visitor.put("/order/").status_code == 500
    assert [failure.kind for failure in records.failures] == ["unhandled"]


# Exceptions


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (Http404(), 404),
        (PermissionDenied(), 403),
        (SuspiciousOperation(), 400),
        (BadRequest(), 400),
    ],
)
@pytest.mark.parametrize("view", ["plain", "aorder", "by_form"])
def test_an_exception_that_means_something_passes(
    error: Exception, status: int, view: str, visitor: Client, records: Records
) -> None:
    host.faults["before"] = error
    assert visitor.get(f"/{view}/").status_code == status
    assert not [failure for failure in records.failures if failure.kind == "degraded"]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit()])
def test_exits_pass(error: BaseException, visitor: Client) -> None:
    host.faults["after"] = error
    with pytest.raises(type(error)):
        visitor.post("/plain/", {"number": "1"})
    assert not Order.objects.exists()


def test_only_and_excluding_choose_what_is_swallowed(visitor: Client) -> None:
    host.faults["before"] = PermissionDenied()
    assert visitor.get("/only/").status_code == 200
    host.faults["before"] = ViewError()
    assert visitor.get("/only/").status_code == 500
    host.faults["before"] = KeyError()
    assert visitor.get("/excluding/").status_code == 500
    host.faults["before"] = ViewError()
    assert visitor.get("/excluding/").status_code == 200


def test_developers_get_to_see_the_error(client: Client, settings: Settings) -> None:
    settings.QAPROD = {}
    host.faults["before"] = ViewError("the view is on fire")
    with pytest.raises(ViewError) as caught:
        client.get("/order/")
    assert any("serve_form" in note and "RERAISE" in note for note in caught.value.__notes__)


@pytest.mark.parametrize("answer", [None, "my salary 85000", ("saved", 200), {"saved": True}, HttpResponse])
def test_a_view_that_returns_no_response_has_failed(answer: Any, visitor: Client, records: Records) -> None:
    host.faults["nothing"] = lambda: answer
    assert visitor.get("/nothing/").status_code == 200
    assert visitor.post("/nothing/", {"number": "1"}).status_code == 202
    assert not Order.objects.exists()
    error = records.failures[0]
    assert error.error_type == "TypeError"
    assert type(answer).__name__ in error.message
    assert "salary" not in error.message


def test_a_coroutine_that_nobody_awaits_is_no_response(visitor: Client, records: Records) -> None:
    async def answer() -> HttpResponse:
        return HttpResponse()

    host.faults["nothing"] = answer
    assert visitor.get("/nothing/").status_code == 200
    assert records.failures[0].error_type == "TypeError"


# POST


def test_a_database_that_dies_while_it_keeps_something_is_not_asked_for_the_page(
    visitor: Client, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    def dead(*args: Any, **kwargs: Any) -> str:
        raise OperationalError("server closed the connection unexpectedly")

    monkeypatch.setattr(submissions, "save", dead)
    settings.QAPROD = {**settings.QAPROD, "RESCUE_SPOOL_MAX_BYTES": 0}
    host.faults["before"] = ViewError("the view is on fire")
    with CaptureQueriesContext(connection) as queries:
        # The form has the orders to choose from.
        response = visitor.post("/order/", {"number": "1"})
    assert response.status_code == 503
    assert not is_host_s(response)
    assert not [one for one in queries if "shop_order" in one["sql"]]


def test_a_post_that_fails_is_kept_and_leaves_no_trace(visitor: Client, records: Records) -> None:
    host.faults["after"] = ViewError("after the write")
    response = visitor.post("/order/", {"number": "1"})
    assert response.status_code == 202
    assert not Order.objects.exists()
    kept = RescuedSubmission.objects.get()
    assert kept.in_doubt == ""
    assert kept.transactional
    (failure,) = records.failures
    assert (kept.failure, kept.occurrence) == (failure.fingerprint, failure.id)
    assert failure.extra == {"rung": "view", "served": "received"}
    assert re.search(r"<strong>[0-9A-F]{5}-[0-9A-F]{5}</strong>", text(response))


def test_what_is_invalid_comes_back_with_its_errors(visitor: Client) -> None:
    host.faults["before"] = ViewError("before all")
    response = visitor.post("/order/", {"number": "", "email": "nobody"})
    assert response.status_code == 200
    assert is_host_s(response)
    assert "This field is required" in text(response)
    assert 'value="nobody"' in text(response)
    assert not RescuedSubmission.objects.exists()


def test_what_is_invalid_comes_back_on_the_plain_page(visitor: Client) -> None:
    host.faults["before"] = ViewError("before all")
    response = visitor.post("/plain/", {"number": "", "email": "nobody"})
    assert response.status_code == 200
    assert is_plain(response)
    assert '<a href="#id_number">Number: This field is required.</a>' in text(response)
    assert 'aria-describedby="id_number_helptext id_number_error"' in text(response)
    assert 'aria-invalid="true"' in text(response)


def test_a_form_that_raises_is_cleaned_field_by_field(visitor: Client) -> None:
    host.faults["before"] = host.faults["clean"] = ViewError("the form's own bug")
    assert visitor.post("/plain/", {"number": "1"}).status_code == 202
    assert visitor.post("/plain/", {"number": "much too long a number"}).status_code == 200
    assert RescuedSubmission.objects.count() == 1


def test_a_bug_that_is_met_on_every_rung_is_one_failure(visitor: Client, records: Records) -> None:
    def bug() -> None:
        raise ViewError("the form's own")

    host.faults["clean"] = bug
    assert visitor.post("/order/", {"number": "1"}).status_code == 202
    assert [failure.extra["rung"] for failure in records.failures] == ["view"]


def test_two_bugs_of_one_type_are_two_failures(visitor: Client, records: Records) -> None:
    def bug() -> None:
        raise ViewError("somebody's")

    host.faults["before"] = host.faults["clean"] = bug
    assert visitor.post("/order/", {"number": "1"}).status_code == 202
    assert len(records.failures) == 2


def test_what_nobody_can_judge_is_kept(visitor: Client) -> None:
    host.faults["before"] = host.faults["choices"] = ViewError("choices from nowhere")
    assert visitor.post("/plain/", {"number": "1", "region": "anywhere"}).status_code == 202


def test_a_form_that_cannot_be_built_is_kept_all_the_same(visitor: Client) -> None:
    host.faults["before"] = host.faults["form"] = ViewError("the form's own bug")
    assert visitor.post("/plain/", {"number": "1"}).status_code == 202


def test_what_a_form_that_cannot_be_built_would_refuse_nobody_knows(visitor: Client) -> None:
    host.faults["before"] = host.faults["form"] = ViewError("the form's own bug")
    assert visitor.post("/plain/", {"number": "", "email": "a@example.com"}).status_code == 202


def test_what_fails_on_a_rung_leaves_no_trace(visitor: Client) -> None:
    def write() -> None:
        Order.objects.create(number="by the context")
        raise PageError("after the write")

    host.faults["before"] = ViewError("the view is on fire")
    host.faults["context"] = write
    assert visitor.get("/order/").status_code == 200
    assert not Order.objects.exists()


def test_a_page_can_be_cached_as_without_us(rf: RequestFactory) -> None:
    response: Any = host.late(rf.get("/late/"))
    response.context_data.pop("fault")
    assert response.render().status_code == 200
    assert b"Apply as" in pickle.loads(pickle.dumps(response)).content


def test_what_was_free_text_is_not_held_against_anybody(visitor: Client) -> None:
    host.faults["before"] = ViewError("before all")
    sent = {"number": "1", "region": "in my own words"}
    assert visitor.post("/plain/", sent).status_code == 200
    assert visitor.post("/plain/", {**sent, "qaprod_free_text": "region"}).status_code == 202


@pytest.mark.parametrize("view", ["order", "plain", "unkept"])
def test_what_cannot_be_kept_stays_in_the_page(
    view: str, visitor: Client, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: Any, **kwargs: Any) -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr("django_qaprod.forms.rescue.keep", fail)
    host.faults["before"] = ViewError("before all")
    response = visitor.post(f"/{view}/", {"number": "N&<1>", "email": "a@example.com"})
    assert response.status_code == 503
    assert int(response["Retry-After"]) > 0
    assert "has not been received" in text(response)
    assert 'value="N&amp;&lt;1&gt;"' in text(response)
    assert 'value="a@example.com"' in text(response)
    assert is_host_s(response) == (view == "order")
    assert not any(failure.served for failure in records.failures)
    assert {failure.kind for failure in records.failures} == {"degraded"}, "nor is the status another failure"


def test_without_keys_nobody_is_told_that_it_was_kept(visitor: Client, settings: Settings) -> None:
    settings.QAPROD = {**settings.QAPROD, "RESCUE_KEYS": []}
    host.faults["before"] = ViewError("before all")
    assert visitor.post("/plain/", {"number": "1"}).status_code == 503


@pytest.mark.parametrize(
    ("view", "told"),
    [
        ("order", "the visitor was shown the form again, what was sent is lost."),
        ("plain", "the visitor was shown the form again, on a plain page, what was sent is lost."),
    ],
)
def test_what_is_lost_is_critical_and_said_so(
    view: str,
    told: str,
    visitor: Client,
    settings: Settings,
    records: Records,
    caplog: pytest.LogCaptureFixture,
) -> None:
    settings.QAPROD = {**settings.QAPROD, "RESCUE_KEYS": []}
    host.faults["before"] = ViewError("before all")
    with caplog.at_level(logging.ERROR, logger="qaprod.forms"):
        visitor.post(f"/{view}/", {"number": "1", "email": "a@example.com"})
    assert {record.severity for record in records.failures} == {"critical"}
    assert all(record.extra["lost"] for record in records.failures)
    assert not any(record.served for record in records.failures)
    assert told in caplog.text
    assert "was served" not in caplog.text


def test_what_costs_nothing_is_no_more_severe(
    visitor: Client, records: Records, caplog: pytest.LogCaptureFixture
) -> None:
    host.faults["before"] = ViewError("before all")
    with caplog.at_level(logging.ERROR, logger="qaprod.forms"):
        visitor.get("/order/")
        visitor.post("/order/", {"number": "1"})
        visitor.post("/order/", {"number": ""})
    assert {record.severity for record in records.failures} == {"error"}
    assert not any("lost" in record.extra for record in records.failures)
    for told in ("was shown the form.", "was told that what was sent is kept."):
        assert f"the visitor {told}" in caplog.text


def test_a_private_field_that_is_required_cannot_be_kept(visitor: Client) -> None:
    host.faults["before"] = ViewError("before all")
    assert visitor.post("/private/", {"number": "1"}).status_code == 503


def test_a_body_that_the_view_has_read_cannot_be_kept(visitor: Client) -> None:
    response = visitor.post("/streamed/", {"number": "1"})
    assert response.status_code == 503
    assert "has not been received" in text(response)
    assert not RescuedSubmission.objects.exists()


def test_a_body_that_is_no_form_cannot_be_kept(visitor: Client) -> None:
    host.faults["before"] = ViewError("before all")
    response = visitor.post("/plain/", '{"number": 1}', content_type="application/json")
    assert response.status_code == 503


def test_the_host_thanks_in_its_own_way(visitor: Client) -> None:
    host.faults["before"] = ViewError("before all")
    response = visitor.post("/thanked/", {"number": "1"})
    assert (response.status_code, response["Location"]) == (302, "/thanks/")
    assert RescuedSubmission.objects.exists()


def test_thanks_that_fail_are_ours(visitor: Client, records: Records) -> None:
    host.faults["before"] = host.faults["thanks"] = ViewError("before all")
    assert visitor.post("/thanked_by_function/", {"number": "1"}).status_code == 202
    host.faults["thanks"] = None
    response = visitor.post("/thanked_by_function/", {"number": "2"})
    assert re.fullmatch(r"thanks [0-9A-F]{5}-[0-9A-F]{5}", text(response))


def test_an_upload_is_kept_and_asked_for_again(visitor: Client) -> None:
    from django.core.files.uploadedfile import SimpleUploadedFile

    host.faults["before"] = ViewError("before all")
    response = visitor.get("/upload/")
    assert 'enctype="multipart/form-data"' in text(response)
    assert visitor.post("/upload/", {"title": "cv"}).status_code == 200, "the letter is required"
    sent = {"title": "cv", "letter": SimpleUploadedFile("cv.txt", b"words")}
    assert visitor.post("/upload/", sent).status_code == 202


def test_a_dead_choice_of_a_required_kind_keeps_csrf(settings: Settings) -> None:
    host.faults["before"] = ViewError("before all")
    visitor = Client(enforce_csrf_checks=True, raise_request_exception=False)
    page = text(visitor.get("/plain/"))
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)
    assert token
    assert visitor.post("/plain/", {"number": "1"}).status_code == 403
    assert visitor.post("/plain/", {"number": "1", "csrfmiddlewaretoken": token[1]}).status_code == 202


def test_a_hostile_value_is_text(visitor: Client) -> None:
    host.faults["before"] = host.faults["choices"] = ViewError("before all")
    hostile = '"><script>alert(1)</script>'
    response = visitor.post("/plain/", {"number": "", "region": hostile, "qaprod_free_text": hostile})
    assert response.status_code == 200
    assert "<script" not in text(response)


# Outages


def test_nobody_waits_for_a_dead_database_twice(visitor: Client, records: Records) -> None:
    asked: list[str] = []

    def dead() -> None:
        asked.append("view")
        raise OperationalError("connection timed out")

    host.faults["before"] = dead
    host.faults["context"] = lambda: asked.append("template")
    response = visitor.get("/order/")
    assert response.status_code == 200
    assert is_plain(response)
    assert asked == ["view"]
    assert re.search(r'<input type="text" name="order"', text(response)), "its choices are in the database"
    assert '<select name="region"' in text(response)
    assert [failure.error_type for failure in records.failures] == ["django.db.utils.OperationalError"]
    assert Order.objects.count() == 0, "the database is asked again"


def test_an_outage_is_found_among_the_causes(visitor: Client) -> None:
    def dead() -> None:
        try:
            raise OperationalError("connection timed out")
        except OperationalError as error:
            raise ViewError("no vacancies today") from error

    host.faults["before"] = dead
    assert is_plain(visitor.get("/order/"))


def test_a_post_with_a_dead_database_is_kept_in_the_spool(visitor: Client) -> None:
    host.faults["before"] = OperationalError("connection timed out")
    response = visitor.post("/plain/", {"number": "1", "order": "7"})
    assert response.status_code == 202
    assert not RescuedSubmission.objects.exists()
