"""What was kept and is sent again: once the view has taken it, nobody replays the kept one."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core import signing
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import DatabaseError, IntegrityError, OperationalError, connection, transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext

from django_qaprod import Journey, Step, registry, vault
from django_qaprod.forms import waiting
from django_qaprod.forms.confirmed import KEPT, confirm, says_taken
from django_qaprod.models import RescuedSubmission, SubmissionAct, SubmissionVersion
from django_qaprod.pipeline import process
from django_qaprod.sent import Submission, unpack
from django_qaprod.store import replays, submissions
from tests.forms.serving import host
from tests.project.shop.models import Order

pytestmark = [
    pytest.mark.usefixtures("in_production"),
    pytest.mark.django_db(databases="__all__", transaction=True),
]

SENT = {"number": "1", "state": "open", "csrfmiddlewaretoken": "t" * 64}


@pytest.fixture
def visitor() -> Client:
    """Whose token is checked, so that what is sent has been read before the view."""
    client = Client(raise_request_exception=False, enforce_csrf_checks=True)
    client.cookies["csrftoken"] = "t" * 64
    return client


def keep(visitor: Client, view: str = "order", error: Exception | None = None, **sent: Any) -> Any:
    host.faults["before" if view != "create" else "after"] = error or ValueError("a bug")
    response = visitor.post(f"/{view}/", {**SENT, **sent})
    host.faults.clear()
    return response


def send(visitor: Client, view: str = "order", *, taken: bool | None = True, **sent: Any) -> Any:
    """Send it again; the view says whether it has taken it, or leaves it to its answer (``None``)."""
    if taken is not None:
        host.faults["taken"] = taken
    response = visitor.post(f"/{view}/", {**SENT, **sent})
    host.faults.pop("taken", None)
    return response


def states() -> list[str]:
    return list(RescuedSubmission.objects.order_by("pk").values_list("state", flat=True))


def doubts() -> list[tuple[str, str]]:
    return list(RescuedSubmission.objects.order_by("pk").values_list("state", "in_doubt"))


def content() -> Submission:
    return unpack(vault.decrypt(bytes(SubmissionVersion.objects.get().content)))


def ada_and_bob(visitor: Client) -> tuple[User, User]:
    ada, bob = User.objects.create_user("ada"), User.objects.create_user("bob")
    visitor.force_login(ada)
    return ada, bob


def become(visitor: Client, user: User | None) -> None:
    """Sign in as somebody else in the same browser: it keeps its other cookies."""
    del visitor.cookies["sessionid"]
    if user is not None:
        visitor.force_login(user)


# What is taken


@pytest.mark.parametrize("view", ["order", "aorder", "loose", "create", "thanked"])
def test_what_is_taken_when_it_is_sent_again_is_given_up(view: str, visitor: Client) -> None:
    keep(visitor, view)
    RescuedSubmission.objects.update(state="queued")
    before = Order.objects.count()
    assert send(visitor, view).status_code == 302
    assert Order.objects.count() == before + 1
    assert states() == ["discarded"]
    act = SubmissionAct.objects.get()
    assert (act.who, act.act, act.why) == (
        "visitor",
        "discarded",
        "The visitor sent it again, and it was taken.",
    )


@pytest.fixture
def ordering() -> Iterator[Any]:
    with registry.isolated():

        class Ordering(Journey):
            name = "ordering"
            placed = Step()

        yield Ordering


@pytest.fixture
def storing() -> Iterator[None]:
    """Events are stored, as in production."""
    with process.in_memory():
        yield


@pytest.mark.parametrize("stored", [True, False])
def test_a_step_of_a_journey_says_that_it_was_taken(
    stored: bool, visitor: Client, ordering: Any, request: pytest.FixtureRequest
) -> None:
    if stored:
        # Else it is a test of the host's, where nothing is stored.
        request.getfixturevalue("storing")
    keep(visitor)
    host.faults["after"] = lambda: ordering.placed.record("s")
    send(visitor, taken=None)
    assert states() == ["discarded"]


def test_a_step_that_was_rolled_back_with_its_work_says_nothing(
    visitor: Client, ordering: Any, storing: None
) -> None:
    def refused() -> None:
        with contextlib.suppress(ZeroDivisionError), transaction.atomic():
            ordering.placed.record("s")
            raise ZeroDivisionError

    keep(visitor)
    host.faults["after"] = refused
    send(visitor, taken=None)
    assert doubts() == [("waiting", "resent")]


# What only looks like it


@pytest.mark.parametrize("view", ["order", "aorder", "loose", "create"])
@pytest.mark.parametrize("state", ["waiting", "queued"])
def test_what_only_looks_taken_waits_in_doubt(view: str, state: str, visitor: Client) -> None:
    keep(visitor, view)
    RescuedSubmission.objects.update(state=state, in_doubt="")
    assert send(visitor, view, taken=None).status_code == 302
    assert doubts() == [("waiting", "resent")]
    assert replays.ask(RescuedSubmission.objects.values_list("pk", flat=True), who="ann") == 0


@pytest.mark.parametrize("target", ["/order/", "", ".", "?again=1", "https://testserver/order/"])
def test_who_is_led_back_to_the_form_may_have_been_refused(target: str, visitor: Client) -> None:
    keep(visitor)
    host.faults["answer"] = lambda: HttpResponse(status=302, headers={"Location": target})
    send(visitor, taken=None)
    host.faults.clear()
    assert keep(visitor).status_code == 202
    assert doubts() == [("waiting", "resent")]


@pytest.mark.parametrize(
    "target", ["/accounts/login/", "/members/?next=/order/", "/members/?next", "/signin/", "/by_class/"]
)
def test_who_is_led_to_sign_in_has_sent_nothing(target: str, visitor: Client) -> None:
    keep(visitor)
    host.faults["answer"] = lambda: HttpResponseRedirect(target)
    send(visitor, taken=None)
    assert doubts() == [("waiting", "")]


def test_a_view_that_says_it_was_not_taken_is_believed(visitor: Client) -> None:
    keep(visitor)
    send(visitor, taken=False)
    assert doubts() == [("waiting", "")]


def test_a_form_that_is_shown_again_gives_up_nothing(visitor: Client) -> None:
    host.faults["page"] = ValueError("a bug")
    visitor.post("/late/", SENT)
    host.faults.clear()
    assert visitor.post("/late/", SENT).status_code == 200
    assert doubts() == [("waiting", "")]


def test_what_a_host_rolls_back_by_itself_is_not_taken(visitor: Client) -> None:
    keep(visitor)
    host.faults["after"] = lambda: transaction.set_rollback(True)
    send(visitor)
    assert doubts() == [("waiting", "")]


# A third click


@pytest.mark.parametrize("view", ["order", "loose"])
def test_a_third_click_that_fails_waits_for_a_person(view: str, visitor: Client) -> None:
    keep(visitor, view)
    send(visitor, view)
    assert keep(visitor, view).status_code == 202
    assert doubts() == [("waiting", "resent")]
    assert dict(content().fields)["number"] == "1"


def test_a_third_click_brings_its_words_along_if_the_first_one_s_are_elsewhere(
    visitor: Client, tmp_path: Path
) -> None:
    keep(visitor, error=OperationalError("server closed the connection"))
    send(visitor)
    assert keep(visitor).status_code == 202
    assert doubts() == [("waiting", "resent")]
    assert dict(content().fields)["number"] == "1"
    waiting.Collector(tmp_path).collect()
    assert doubts() == [("waiting", "resent")]


# In the spool


def test_what_still_lies_in_the_spool_is_given_up_before_it_is_brought_in(
    visitor: Client, tmp_path: Path
) -> None:
    assert keep(visitor, error=OperationalError("server closed the connection")).status_code == 202
    assert states() == []
    send(visitor)
    waiting.Collector(tmp_path).collect()
    assert waiting.status(tmp_path).waiting == 0
    assert states() == ["discarded"]


def test_what_still_lies_in_the_spool_is_in_doubt_when_it_is_brought_in(
    visitor: Client, tmp_path: Path
) -> None:
    ada, _ = ada_and_bob(visitor)
    keep(visitor, error=OperationalError("server closed the connection"))
    send(visitor, taken=None)
    waiting.Collector(tmp_path).collect()
    rescued = RescuedSubmission.objects.get()
    assert (rescued.state, rescued.in_doubt, rescued.version) == ("waiting", "resent", 1)
    assert (rescued.route, rescued.name) == ("order/", "tests.forms.serving.host._order")
    assert rescued.at < rescued.state_since
    assert content().user == str(ada.pk)


def test_clicks_that_were_kept_in_the_spool_and_in_the_database_are_one(
    visitor: Client, tmp_path: Path
) -> None:
    keep(visitor, error=OperationalError("server closed the connection"))
    cookie = visitor.cookies[KEPT].value
    assert keep(visitor).status_code == 202
    # The answer to that one never came.
    visitor.cookies[KEPT] = cookie
    send(visitor)
    waiting.Collector(tmp_path).collect()
    assert states() == ["discarded"]


# The same


@pytest.mark.parametrize("other", [{"number": "2"}, {"csrfmiddlewaretoken": "u" * 64}])
def test_other_words_or_another_page_give_up_nothing(other: dict[str, str], visitor: Client) -> None:
    visitor.handler.enforce_csrf_checks = False
    keep(visitor)
    assert send(visitor, **other).status_code == 302
    assert doubts() == [("waiting", "")]


def test_another_form_of_the_same_page_gives_up_nothing(visitor: Client) -> None:
    keep(visitor)
    assert send(visitor, "create").status_code == 302
    assert doubts() == [("waiting", "")]


@pytest.mark.parametrize(("other", "expected"), [(b"BBBB", "waiting"), (b"AAAA", "discarded")])
def test_files_are_the_same_if_their_contents_are(other: bytes, expected: str, visitor: Client) -> None:
    keep(visitor, "upload", title="scan", letter=SimpleUploadedFile("scan.txt", b"AAAA"))
    send(visitor, "upload", title="scan", letter=SimpleUploadedFile("scan.txt", other))
    assert states() == [expected]


def test_what_is_none_of_the_form_s_may_differ(visitor: Client) -> None:
    keep(visitor, **{"g-recaptcha-response": "aaa"})
    send(visitor, **{"g-recaptcha-response": "bbb"})
    assert states() == ["discarded"]


def test_no_cookie_is_too_long_for_what_is_none_of_the_form_s(visitor: Client) -> None:
    many = {f"stranger-{number}": "1" for number in range(200)}
    assert len(keep(visitor, **many).cookies[KEPT].value) < 1500
    send(visitor, **many)
    assert states() == ["discarded"]


@pytest.mark.parametrize("enforced", [True, False])
def test_a_view_may_change_what_was_sent(enforced: bool, visitor: Client) -> None:
    visitor.handler.enforce_csrf_checks = enforced
    assert keep(visitor, "tidying", number=" 1 ").status_code == 202
    send(visitor, "tidying", number=" 1 ")
    # Where nobody has read it before the view, it is too late behind it.
    assert states() == (["discarded"] if enforced else ["waiting"])


def test_a_body_that_is_read_while_it_is_answered_is_left_alone(visitor: Client) -> None:
    visitor.handler.enforce_csrf_checks = False
    whole = b"".join(visitor.post("/streaming/", SENT).streaming_content)
    keep(visitor, "streaming")
    assert b"".join(visitor.post("/streaming/", SENT).streaming_content) == whole


# Who


def test_somebody_else_at_the_same_browser_gives_up_nothing(visitor: Client) -> None:
    _, bob = ada_and_bob(visitor)
    keep(visitor)
    become(visitor, bob)
    host.faults["asks"] = None
    send(visitor)
    assert host.faults["asks"] == bob.pk
    assert doubts() == [("waiting", "")]


def test_what_somebody_else_at_the_same_browser_sends_is_kept_for_itself(visitor: Client) -> None:
    ada, bob = ada_and_bob(visitor)
    first = keep(visitor)
    become(visitor, bob)
    assert keep(visitor).content != first.content
    assert set(RescuedSubmission.objects.values_list("user", flat=True)) == {str(ada.pk), str(bob.pk)}


def test_who_has_signed_in_again_is_the_same(visitor: Client) -> None:
    ada, _ = ada_and_bob(visitor)
    first = keep(visitor)
    become(visitor, ada)
    assert keep(visitor).content == first.content
    become(visitor, ada)
    host.faults["asks"] = None
    send(visitor)
    assert states() == ["discarded"]


def test_where_nobody_asks_who_it_is_another_session_is_in_doubt(visitor: Client) -> None:
    _, bob = ada_and_bob(visitor)
    keep(visitor, "tidying")
    become(visitor, bob)
    send(visitor, "tidying")
    assert doubts() == [("waiting", "resent")]


def test_who_is_signed_in_by_the_view_is_who_it_was_before(visitor: Client) -> None:
    keep(visitor)
    host.faults["signs_in"] = User.objects.create_user("ada")
    send(visitor)
    assert states() == ["discarded"]


# What is asked, and what it costs


@pytest.mark.parametrize("forged", ["", "rubbish", "W10:1abcde:x", None])
def test_a_forged_cookie_does_nothing(forged: str | None, visitor: Client) -> None:
    keep(visitor)
    visitor.cookies[KEPT] = f"{visitor.cookies[KEPT].value}x" if forged is None else forged
    assert send(visitor).status_code == 302
    assert doubts() == [("waiting", "")]


def test_a_cookie_of_another_version_does_nothing(visitor: Client) -> None:
    keep(visitor)
    visitor.cookies[KEPT] = signing.dumps([("digest", "pk", "key")], salt="django_qaprod.resent")
    assert send(visitor).status_code == 302
    assert doubts() == [("waiting", "")]


def test_it_is_given_up_only_with_the_work(visitor: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    keep(visitor)

    def refuse() -> None:
        monkeypatch.undo()
        raise IntegrityError("a deferred constraint")

    host.faults["after"] = lambda: monkeypatch.setattr(connection, "_commit", refuse)
    assert send(visitor).status_code == 202
    assert Order.objects.count() == 0
    assert doubts() == [("waiting", "")]


def test_without_the_cookie_nothing_is_asked(visitor: Client) -> None:
    keep(visitor)
    del visitor.cookies[KEPT]
    with CaptureQueriesContext(connection) as queries:
        send(visitor)
    assert not [one for one in queries if "rescuedsubmission" in one["sql"]]


def test_an_error_of_ours_costs_the_visitor_nothing(visitor: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    keep(visitor)

    def broken(*args: Any, **kwargs: Any) -> int:
        raise DatabaseError("no such column")

    monkeypatch.setattr(submissions, "_discard", broken)
    assert send(visitor).status_code == 302
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
        send(visitor, number=str(number))
    assert states() == ["waiting"] * 2 + ["discarded"] * 5


def test_a_view_may_say_itself_what_was_taken() -> None:
    request: HttpRequest = RequestFactory().post("/", SENT)
    assert not says_taken(request, HttpResponse())
    confirm(request, HttpResponse(), taken=True)
    assert says_taken(request, HttpResponse())
