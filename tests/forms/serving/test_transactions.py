"""A failed view leaves no trace, and whoever is told that something was received is told the truth."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.db import (
    Error,
    IntegrityError,
    InterfaceError,
    OperationalError,
    connection,
    connections,
    transaction,
)
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.transaction import Atomic
from django.http import Http404, HttpRequest, HttpResponse
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext
from django.views import View

from django_qaprod import ServeFormMixin, serve_form
from django_qaprod.forms import transactions
from django_qaprod.forms.rescue import Kept
from django_qaprod.forms.transactions import EveryAlias
from django_qaprod.models import RescuedSubmission
from django_qaprod.testing import Records
from tests.forms.serving import host
from tests.project.shop.models import Order

pytestmark = [
    pytest.mark.usefixtures("in_production"),
    pytest.mark.django_db(databases="__all__", transaction=True),
]

ON_POSTGRES = connection.vendor == "postgresql"


class ViewError(Exception):
    pass


@pytest.fixture(params=[False, True], ids=["autocommit", "ATOMIC_REQUESTS"])
def atomic_requests(request: pytest.FixtureRequest) -> Iterator[bool]:
    before = connections.settings["default"]["ATOMIC_REQUESTS"]
    connections.settings["default"]["ATOMIC_REQUESTS"] = request.param
    yield request.param
    connections.settings["default"]["ATOMIC_REQUESTS"] = before


def kept() -> RescuedSubmission:
    return RescuedSubmission.objects.get()


@pytest.mark.parametrize("view", ["plain", "by_form", "create", "excluded"])
def test_a_failed_post_leaves_no_trace(view: str, atomic_requests: bool, visitor: Client) -> None:
    host.faults["after"] = ViewError("after the write")
    response = visitor.post(f"/{view}/", {"number": "1", "state": "open"})
    assert response.status_code == 202
    assert not Order.objects.exists()
    assert (kept().in_doubt, kept().transactional) == ("", True)


def test_a_post_that_goes_well_is_committed(atomic_requests: bool, visitor: Client) -> None:
    response = visitor.post("/plain/", {"number": "1"})
    assert (response.status_code, response["Location"]) == (302, "/thanks/")
    assert Order.objects.count() == 1
    assert "made" in visitor.session


def test_django_opens_none_of_its_own(atomic_requests: bool, visitor: Client) -> None:
    levels: list[int] = []
    host.faults["before"] = lambda: levels.append(len(connection.savepoint_ids) + connection.in_atomic_block)
    visitor.get("/plain/")
    visitor.get("/excluded/")
    visitor.get("/excluded_below/")
    assert levels == [int(atomic_requests), 0, 0]


def test_a_post_is_one_transaction(atomic_requests: bool, visitor: Client) -> None:
    inside: list[bool] = []
    levels: list[int] = []
    host.faults["before"] = lambda: (
        inside.append(connection.in_atomic_block),
        levels.append(len(connection.savepoint_ids)),
    )
    visitor.post("/plain/", {"number": "1"})
    assert (inside, levels) == ([True], [0])


def test_a_view_that_wants_no_transaction_is_in_doubt_when_it_fails(visitor: Client) -> None:
    host.faults["after"] = ViewError("after the write")
    assert visitor.post("/loose/", {"number": "1"}).status_code == 202
    assert Order.objects.count() == 1
    assert (kept().in_doubt, kept().transactional) == ("untransacted", False)


def test_an_error_that_passes_leaves_what_it_would_leave_without_us(
    atomic_requests: bool, visitor: Client
) -> None:
    host.faults["after"] = PermissionDenied()
    assert visitor.post("/plain/", {"number": "1"}).status_code == 403
    assert Order.objects.exists() is not atomic_requests


def test_a_host_may_roll_back_without_failing(atomic_requests: bool, visitor: Client) -> None:
    response = visitor.post("/rolling_back/", {"number": "1"})
    assert response.content == b"rolled back"
    assert not Order.objects.exists()
    assert not RescuedSubmission.objects.exists()


def test_work_that_the_database_threw_away_is_not_confirmed(visitor: Client, records: Records) -> None:
    response = visitor.post("/swallowing/", {"number": "1"})
    if ON_POSTGRES:
        assert response.status_code == 202
        assert not Order.objects.exists()
        assert kept().in_doubt == ""
    else:
        assert response.content == b"all is well"
        assert Order.objects.exists()


def test_a_connection_closed_within_the_transaction_is_not_confirmed(
    visitor: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not ON_POSTGRES:
        # SQLite's databases in memory ignore it.
        pytest.skip("needs PostgreSQL")
    host.faults["after"] = connection.close
    assert visitor.post("/plain/", {"number": "1"}).status_code in {202, 503}
    assert not Order.objects.exists()
    assert RescuedSubmission.objects.exists()


def test_an_on_commit_callback_that_fails_does_not_undo_the_answer(visitor: Client, records: Records) -> None:
    host.faults["hook"] = ViewError("the mail server is away")
    response = visitor.post("/committing/", {"number": "1"})
    assert response.content == b"committed"
    assert Order.objects.count() == 1
    assert not RescuedSubmission.objects.exists()
    (failure,) = records.failures
    assert (failure.kind, failure.served) == ("degraded", True)
    assert failure.extra == {"rung": "on_commit", "served": "view"}
    assert visitor.post("/committing/", {"number": "1"}).status_code == 200, "the connection is well"


def test_a_callback_without_a_database_leaves_the_others_theirs(
    visitor: Client, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is recorded of it makes the databases refuse, as under a ladder: they answer again."""
    host.faults["hook"] = OperationalError("the reports' database is away")
    before = dict(vars(connections["default"]))
    assert visitor.post("/committing/", {"number": "1"}).status_code == 200
    assert vars(connections["default"]).keys() == before.keys()
    assert Order.objects.count() == 1


def test_a_callback_that_fails_behind_an_error_that_passes_is_recorded(
    visitor: Client, records: Records, caplog: pytest.LogCaptureFixture
) -> None:
    def forbid() -> None:
        transaction.on_commit(lambda: host.at("hook"))
        raise PermissionDenied

    host.faults["hook"] = ViewError("the mail server is away")
    host.faults["after"] = forbid
    with caplog.at_level(logging.ERROR, logger="qaprod.forms"):
        assert visitor.post("/plain/", {"number": "1"}).status_code == 403
    (failure,) = records.failures
    assert failure.extra == {"rung": "on_commit", "served": "passed"}
    assert not failure.served
    assert "the visitor got Django's answer to an error that was let pass." in caplog.text


def test_a_commit_that_is_refused_is_a_failure_like_others(
    visitor: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse_commit(monkeypatch, IntegrityError("deferred constraint"))
    assert visitor.post("/plain/", {"number": "1"}).status_code == 202
    assert not Order.objects.exists()
    assert kept().in_doubt == ""


@pytest.fixture
def doubts(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the submissions that are kept are said to be in doubt about."""
    found: list[str] = []

    def keep(*args: Any, in_doubt: str, **kwargs: Any) -> Kept:
        found.append(in_doubt)
        return Kept(id="0", key="0", reference="12345-67890", duplicate=False, where="spool")

    monkeypatch.setattr("django_qaprod.forms.rescue.keep", keep)
    return found


@pytest.mark.skipif(not ON_POSTGRES, reason="SQLite has no server to lose")
def test_a_commit_that_was_cut_off_is_in_doubt(
    visitor: Client, doubts: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = BaseDatabaseWrapper.commit

    def cut_off(wrapper: BaseDatabaseWrapper) -> None:
        if wrapper.alias == "default" and not doubts and wrapper.connection.info.transaction_status == 2:
            other = wrapper.copy()
            with other.cursor() as cursor:
                cursor.execute("SELECT pg_terminate_backend(%s, 1000)", [wrapper.connection.info.backend_pid])
            other.close()
        commit(wrapper)

    monkeypatch.setattr(BaseDatabaseWrapper, "commit", cut_off)
    assert visitor.post("/plain/", {"number": "1"}).status_code == 202
    assert doubts == ["commit"]


def test_a_commit_on_a_broken_connection_is_in_doubt(
    visitor: Client, doubts: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse_commit(monkeypatch, InterfaceError("connection already closed"))
    assert visitor.post("/plain/", {"number": "1"}).status_code == 202
    assert doubts == ["commit"]


def test_a_busy_commit_is_in_no_doubt(
    visitor: Client, doubts: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse_commit(monkeypatch, OperationalError("could not serialize access"))
    assert visitor.post("/plain/", {"number": "1"}).status_code == 202
    assert doubts == [""]
    assert not Order.objects.exists()


def refuse_commit(monkeypatch: pytest.MonkeyPatch, error: Error) -> None:
    """Have the next COMMIT of a view fail."""
    left = [error]
    commit = BaseDatabaseWrapper.commit

    def refuse(wrapper: BaseDatabaseWrapper) -> None:
        if left and wrapper.alias == "default":
            raise left.pop()
        commit(wrapper)

    monkeypatch.setattr(BaseDatabaseWrapper, "commit", refuse)


def pass_and_refuse(monkeypatch: pytest.MonkeyPatch, error: Error) -> None:
    """Have a view raise what passes, and the COMMIT of what it has done until then fail."""

    def fault() -> None:
        refuse_commit(monkeypatch, error)
        raise PermissionDenied

    host.faults["after"] = fault


def test_a_commit_that_is_refused_behind_an_error_that_passes_is_a_failure(
    visitor: Client, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    pass_and_refuse(monkeypatch, IntegrityError("a deferred constraint"))
    assert visitor.post("/order/", {"number": "1"}).status_code == 202
    assert not Order.objects.exists()
    assert kept().in_doubt == ""
    assert [one.error_type for one in records.failures] == ["django.db.utils.IntegrityError"]


def test_a_commit_that_was_cut_off_behind_an_error_that_passes_is_in_doubt(
    visitor: Client, doubts: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pass_and_refuse(monkeypatch, InterfaceError("connection already closed"))
    assert visitor.post("/order/", {"number": "1"}).status_code == 202
    assert doubts == ["commit"]


@pytest.mark.parametrize("options", [{"only": PermissionDenied}, {"reraise": True}])
def test_whoever_wants_to_see_it_gets_to_see_that_it_was_refused(
    options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    @serve_form(host.OrderForm, **options)
    def view(request: HttpRequest) -> HttpResponse:
        refuse_commit(monkeypatch, IntegrityError("a deferred constraint"))
        raise Http404

    with pytest.raises(IntegrityError):
        view(RequestFactory().post("/"))


@pytest.mark.parametrize(
    ("wanted", "ours"),
    [(["default"], ("facts", "default")), (["other", "facts"], ("default",)), ([], ("facts", "default"))],
)
def test_the_submissions_transaction_is_committed_last(
    wanted: list[str], ours: tuple[str, ...], settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = []

    class One:
        outermost = True

        def __init__(self, alias: str, *, wanted: bool) -> None:
            self.commit = lambda: ended.append(alias)

    monkeypatch.setattr(transactions, "_One", One)
    settings.QAPROD = {**settings.QAPROD, "EVENTS_DATABASE": "facts"}
    work = transactions.Transactions()
    work.open(wanted, ours)
    work.commit(strictly=False)
    assert ended[-1] == "facts"
    assert sorted(ended) == sorted({*wanted, *ours})


def test_submissions_elsewhere_open_no_transaction_that_nobody_wants(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = []
    monkeypatch.setattr(transactions, "_One", lambda alias, wanted: opened.append(alias))
    settings.QAPROD = {**settings.QAPROD, "EVENTS_DATABASE": "facts"}
    transactions.Transactions().open(["default"], ())
    assert opened == ["default"]


def test_a_late_page_that_fails_is_in_doubt(visitor: Client, settings: Any) -> None:
    host.faults["page"] = ViewError("only the page")
    assert visitor.post("/late/", {"number": "1"}).status_code == 202
    assert not Order.objects.exists(), "rendered within the transaction"
    assert kept().in_doubt == ""
    kept().delete()
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, f"{__name__}.LateMiddleware"]
    response = Client(raise_request_exception=False).post("/late/", {"number": "1"})
    assert response.status_code == 202
    assert Order.objects.count() == 1
    assert kept().in_doubt == "page"


class LateMiddleware:
    def __init__(self, get_response: Any) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_template_response(self, request: HttpRequest, response: Any) -> Any:
        response.context_data["late"] = True
        return response


def test_a_transaction_of_the_host_s_outlives_a_failed_view(visitor: Client) -> None:
    host.faults["after"] = ViewError("after the write")
    with transaction.atomic():
        Order.objects.create(number="middleware")
        assert visitor.post("/plain/", {"number": "1"}).status_code == 202
        assert not connection.needs_rollback
    assert Order.objects.get().number == "middleware"


def test_a_database_that_cannot_be_reached_at_the_start_is_served(
    visitor: Client, monkeypatch: pytest.MonkeyPatch, atomic_requests: bool
) -> None:
    enter = Atomic.__enter__

    def dead(atomic: Atomic) -> None:
        if not tried:
            tried.append(True)
            raise OperationalError("could not connect to server")
        enter(atomic)

    tried: list[bool] = []
    monkeypatch.setattr(Atomic, "__enter__", dead)
    assert visitor.post("/plain/", {"number": "1"}).status_code == 202
    assert tried
    assert not RescuedSubmission.objects.exists(), "it is in the spool"
    tried.clear()
    assert visitor.get("/plain/").status_code == 200
    assert bool(tried) is atomic_requests


def test_no_query_is_added_but_the_transaction(visitor: Client) -> None:
    with CaptureQueriesContext(connection) as queries:
        visitor.get("/plain/")
    assert [query["sql"] for query in queries if "SAVEPOINT" in query["sql"] or "BEGIN" in query["sql"]] == []


def test_what_the_host_excludes_is_remembered_above_and_below() -> None:
    @transaction.non_atomic_requests(using="other")
    @serve_form(host.OrderForm)
    @transaction.non_atomic_requests
    def view(request: HttpRequest) -> HttpResponse:
        return HttpResponse()

    excluded: Any = view._non_atomic_requests  # type: ignore[attr-defined]
    assert isinstance(excluded, EveryAlias)
    assert set(excluded) == {"default", "other"}
    assert "any" in excluded


def test_a_class_s_exclusions_are_remembered() -> None:
    class Page(ServeFormMixin, View):
        serve = {"form": host.OrderForm}

        @transaction.non_atomic_requests
        def dispatch(self, *args: Any, **kwargs: Any) -> Any:
            return super().dispatch(*args, **kwargs)

    view: Any = Page.as_view()
    assert set(view._non_atomic_requests) == {"default"}
    assert view._qaprod_serves.forms == {"form": host.OrderForm}
