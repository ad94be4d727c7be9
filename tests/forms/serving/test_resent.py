"""What was kept and is sent again: once the view has taken it, nobody replays the kept one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError, OperationalError, connection
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext

from django_qaprod.forms import waiting
from django_qaprod.forms.confirmed import KEPT, confirm, says_taken
from django_qaprod.models import RescuedSubmission, SubmissionAct
from django_qaprod.store import submissions
from tests.forms.serving import host
from tests.project.shop.models import Order

pytestmark = [
    pytest.mark.usefixtures("in_production"),
    pytest.mark.django_db(databases="__all__", transaction=True),
]

SENT = {"number": "1", "state": "open", "csrfmiddlewaretoken": "t" * 64}


def keep(visitor: Client, view: str = "order", error: Exception | None = None, **sent: str) -> Any:
    host.faults["before" if view in {"order", "aorder", "loose"} else "after"] = error or ValueError("a bug")
    response = visitor.post(f"/{view}/", {**SENT, **sent})
    host.faults.clear()
    return response


def states() -> list[str]:
    return list(RescuedSubmission.objects.order_by("pk").values_list("state", flat=True))


@pytest.mark.parametrize("view", ["order", "aorder", "loose", "create", "thanked"])
def test_what_is_taken_when_it_is_sent_again_is_given_up(view: str, visitor: Client) -> None:
    keep(visitor, view)
    RescuedSubmission.objects.update(state="queued")
    before = Order.objects.count()
    assert visitor.post(f"/{view}/", SENT).status_code == 302
    assert Order.objects.count() == before + 1
    assert states() == ["discarded"]
    act = SubmissionAct.objects.get()
    assert (act.who, act.act, act.why) == (
        "visitor",
        "discarded",
        "The visitor sent it again, and it was taken.",
    )


def test_a_third_click_that_fails_is_known_and_not_kept_anew(visitor: Client) -> None:
    keep(visitor)
    visitor.post("/order/", SENT)
    assert keep(visitor).status_code == 202
    assert states() == ["discarded"]


def test_what_still_lies_in_the_spool_is_given_up_before_it_is_brought_in(
    visitor: Client, tmp_path: Path
) -> None:
    assert keep(visitor, error=OperationalError("server closed the connection")).status_code == 202
    assert states() == []
    visitor.post("/order/", SENT)
    waiting.Collector(tmp_path).collect()
    assert waiting.status(tmp_path).waiting == 0
    keep(visitor)
    assert states() == ["discarded"]


@pytest.mark.parametrize("other", [{"number": "2"}, {"csrfmiddlewaretoken": "u" * 64}])
def test_other_words_or_another_page_give_up_nothing(other: dict[str, str], visitor: Client) -> None:
    keep(visitor)
    assert visitor.post("/order/", {**SENT, **other}).status_code == 302
    assert states() == ["waiting"]


def test_another_form_of_the_same_page_gives_up_nothing(visitor: Client) -> None:
    keep(visitor)
    assert visitor.post("/create/", SENT).status_code == 302
    assert states() == ["waiting"]


def test_a_form_that_is_shown_again_gives_up_nothing(visitor: Client) -> None:
    keep(visitor, "late", ValueError("a bug"), number="late")
    host.faults["page"] = ValueError("a bug")
    visitor.post("/late/", SENT)
    host.faults.clear()
    assert visitor.post("/late/", SENT).status_code == 200
    assert states() == ["waiting"]


@pytest.mark.parametrize("forged", ["", "rubbish", "W10:1abcde:x", None])
def test_a_forged_cookie_does_nothing(forged: str | None, visitor: Client) -> None:
    keep(visitor)
    visitor.cookies[KEPT] = f"{visitor.cookies[KEPT].value}x" if forged is None else forged
    assert visitor.post("/order/", SENT).status_code == 302
    assert states() == ["waiting"]


def test_it_is_given_up_only_with_the_work(visitor: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    keep(visitor)

    def refuse() -> None:
        monkeypatch.undo()
        raise IntegrityError("a deferred constraint")

    host.faults["after"] = lambda: monkeypatch.setattr(connection, "_commit", refuse)
    assert visitor.post("/order/", SENT).status_code == 202
    assert Order.objects.count() == 0
    assert states() == ["waiting"]


def test_without_the_cookie_nothing_is_asked(visitor: Client) -> None:
    keep(visitor)
    del visitor.cookies[KEPT]
    with CaptureQueriesContext(connection) as queries:
        visitor.post("/order/", SENT)
    assert not [one for one in queries if "rescuedsubmission" in one["sql"]]


def test_an_error_of_ours_costs_the_visitor_nothing(visitor: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    keep(visitor)

    def broken(*args: Any, **kwargs: Any) -> int:
        raise DatabaseError("no such column")

    monkeypatch.setattr(submissions, "_discard", broken)
    assert visitor.post("/order/", SENT).status_code == 302
    assert Order.objects.count() == 1
    assert states() == ["waiting"]


def test_the_cookie_is_not_for_scripts_and_holds_the_latest_five(visitor: Client) -> None:
    for number in range(7):
        response = keep(visitor, number=str(number))
    cookie = response.cookies[KEPT]
    assert cookie["httponly"]
    assert (cookie["samesite"], cookie["path"], cookie["secure"]) == ("Lax", "/", "")
    assert len(cookie.value) < 1500
    for number in range(7):
        visitor.post("/order/", {**SENT, "number": str(number)})
    assert states() == ["waiting"] * 2 + ["discarded"] * 5


def test_a_view_may_say_itself_what_was_taken() -> None:
    request: HttpRequest = RequestFactory().post("/", SENT)
    assert not says_taken(request, HttpResponse())
    confirm(request, HttpResponse(), taken=True)
    assert says_taken(request, HttpResponse())
