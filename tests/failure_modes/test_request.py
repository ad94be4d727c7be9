"""The request.

| what goes wrong | test |
|---|---|
| a receiver that raises escapes the whole application | capture/test_middleware.py::test_a_failure_of_ours_leaves_the_request_alone |
| the failure's row is rolled back with the request | test_a_failure_survives_the_rollback_of_its_request |
| 30 concurrent async 500s leave connections open | test_async_errors_open_no_connection |
| an exception in the middle of a stream | capture/test_middleware.py::test_an_error_in_mid_stream_is_one_failure_and_goes_on |
| a visitor who goes away counts as an error | capture/test_middleware.py::test_a_cancelled_request_passes_and_counts_as_aborted |
| one error is reported two or three times | capture/test_logging.py::test_a_500_is_one_failure_although_django_logs_it_too |
| the same in Sentry, whoever hears of it first | contrib/sentry/test_unhandled.py::test_an_error_is_one_event_and_its_id_stands_with_the_failure |
| the same of tasks that are tried again | capture/test_celery.py::test_a_task_that_is_tried_again_has_not_failed |
| reading the body first breaks the view; a session is touched | test_nothing_is_read_before_the_view_reads_it |
| touching ``request.user`` adds Vary | pipeline/test_failures.py::test_a_lazy_user_is_not_resolved_for_a_failure |
| the same for an event of the site's own Sentry client | contrib/sentry/test_handled.py::test_nothing_is_asked_for_that_the_view_has_not_asked_for |
| a response differs | capture/test_middleware.py::test_responses_are_the_same_to_the_byte |
| a message runs SQL | pipeline/test_messages.py::test_no_message_runs_a_query |
| a message raises, or is a gigabyte | pipeline/test_messages.py::test_a_huge_message_is_cut |
| the ``__str__`` of what is logged or raised with never ends | test_an_object_is_named_without_being_asked |
| a lazy queryset in a frame | pipeline/test_frames.py::test_no_locals_are_kept |
| bots: made-up paths | capture/test_middleware.py::test_scanners_make_one_route_and_made_up_methods_one_method |
| bots: memory grows with what strangers make up | test_what_strangers_make_up_takes_no_memory |
| too many routes, and more than fit into one record | pipeline/test_process.py::test_more_series_than_fit_into_one_record_are_all_there |
| exits and interrupts are swallowed | capture/test_middleware.py::test_an_exception_that_ends_the_process_passes_and_counts_as_aborted |

Without a test: an exception whose own ``__str__`` never ends. It is asked, since what it says is what a person
wants to read, and nothing in Python can stop it in its thread. Whatever else prints it hangs there, too.
"""  # noqa: E501

from __future__ import annotations

import asyncio
import logging
import tracemalloc
from typing import Any

import pytest
from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.http import HttpResponse
from django.test import AsyncClient, Client, RequestFactory

from django_qaprod.capture.middleware import capture_requests
from django_qaprod.models import Failure
from django_qaprod.pipeline import guard, messages, process
from django_qaprod.testing import Records, store_records
from tests.recorded import records as records


@pytest.mark.django_db(databases="__all__", transaction=True)
def test_a_failure_survives_the_rollback_of_its_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", True)
    with store_records() as store:
        assert Client(raise_request_exception=False).get("/raising/").status_code == 500
        store.drain()
    assert Failure.objects.get().count == 1


async def test_async_errors_open_no_connection(records: Records, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr(BaseDatabaseWrapper, "connect", lambda self: opened.append(self.alias))
    client = AsyncClient(raise_request_exception=False)
    answers = await asyncio.gather(*(client.get("/araising/") for _ in range(30)))
    assert {answer.status_code for answer in answers} == {500}
    assert len(records.failures) == 30
    assert opened == []


def test_nothing_is_read_before_the_view_reads_it(records: Records) -> None:
    seen: list[bytes] = []

    def view(request: Any) -> HttpResponse:
        request.session = Untouchable()
        seen.append(request.read())
        return HttpResponse(status=500)

    class Untouchable:
        def __getattr__(self, name: str) -> object:
            raise AssertionError(f"session.{name} is read")

    request = RequestFactory().post("/", {"a": "b"})
    response = capture_requests(view)(request)  # type: ignore[operator]
    assert b"name=" in seen[0]
    assert "Vary" not in response.headers
    assert not hasattr(request, "_post")


def test_what_strangers_make_up_takes_no_memory(records: Records) -> None:
    answer = HttpResponse(status=404)
    serve: Any = capture_requests(lambda request: answer)

    def flood(first: int, count: int) -> None:
        for number in range(first, first + count):
            serve(
                RequestFactory().generic(
                    f"M{number}", f"/{number}/", HTTP_USER_AGENT=f"stranger {number} Firefox/{number}"
                )
            )
        process.flush()
        records.clear()

    flood(0, 2_000)
    tracemalloc.start()
    flood(2_000, 5_000)
    grown, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert grown < 500_000


class Endless:
    def __str__(self) -> str:
        raise AssertionError("it would never end")

    __repr__ = __str__


def test_an_object_is_named_without_being_asked() -> None:
    guard.take()
    endless = Endless()
    record = logging.LogRecord(
        "jobs", logging.ERROR, "f.py", 1, "cannot save %s of %r", (endless, [endless]), None
    )
    assert messages.of_log(record).startswith("cannot save <Endless> of ")
    assert "<Endless>" in messages.of_exception(LookupError(endless, {"school": endless}))
    assert guard.take() is None, "what is asked raises, and that is counted"
