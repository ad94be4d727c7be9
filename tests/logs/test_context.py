"""What is known about the request, command or task is on each record that is made meanwhile."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from logging.handlers import QueueHandler, QueueListener
from queue import SimpleQueue
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import AnonymousUser, User
from django.http import HttpRequest, HttpResponse
from django.test import AsyncClient, Client, RequestFactory, override_settings
from django.urls import path
from django.utils.functional import SimpleLazyObject
from pytest_django import Settings

from django_qaprod import conf, context
from django_qaprod.capture import tasks
from django_qaprod.capture.commands import named
from django_qaprod.context import Context
from django_qaprod.logs import ContextFilter, JSONFormatter
from django_qaprod.pipeline import guard
from django_qaprod.testing import Records

from .written import Keeping, ecs, kept, record

log = logging.getLogger("jobs.views")
TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
TRACEPARENT = f"00-{TRACE}-{SPAN}-01"
KNOWN = {
    "http.request.id": TRACE,
    "trace.id": TRACE,
    "span.id": SPAN,
    "http.route": "apply/<int:pk>/",
    "user.id": "7",
    "qaprod.journey": "log_application",
    "qaprod.subject": "4711",
}


def meet(request: HttpRequest) -> None:
    request.user = User(pk=7)
    current = context.current()
    assert current is not None
    current.journey, current.subject = "log_application", "4711"


def view(request: HttpRequest, pk: int) -> HttpResponse:
    meet(request)
    log.info("here")
    return HttpResponse()


async def aview(request: HttpRequest, pk: int) -> HttpResponse:
    meet(request)
    log.info("in the loop")
    await sync_to_async(log.info)("in Django's thread")
    await asyncio.to_thread(log.info, "in a thread")
    await asyncio.gather(*(later(number) for number in range(2)))
    return HttpResponse()


async def later(number: int) -> None:
    await asyncio.sleep(0)
    log.info("in a task")


def threaded(request: HttpRequest, pk: int) -> HttpResponse:
    meet(request)
    with ThreadPoolExecutor(1) as pool:
        pool.submit(copy_context().run, log.info, "in a copy of the context").result()
        pool.submit(log.info, "on its own").result()
    return HttpResponse()


def unavailable(request: HttpRequest) -> HttpResponse:
    log.info("first")
    return HttpResponse(status=503)


async def aunavailable(request: HttpRequest) -> HttpResponse:
    return unavailable(request)


def chunks() -> Iterator[bytes]:
    log.info("in the stream")
    yield b"x"


urlpatterns = [
    path("apply/<int:pk>/", view),
    path("async/<int:pk>/", aview),
    path("threaded/<int:pk>/", threaded),
    path("unavailable/", unavailable),
    path("aunavailable/", aunavailable),
]


@pytest.fixture(autouse=True)
def _urls() -> Iterator[None]:
    with override_settings(ROOT_URLCONF=__name__, MIDDLEWARE=[conf.MIDDLEWARE], DEBUG=False):
        yield


def known(line: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in line.items() if key in KNOWN}


class TestRequests:
    def test_a_record_knows_its_request(self) -> None:
        with kept("jobs") as lines:
            Client().get("/apply/1/", headers={"traceparent": TRACEPARENT})
        (line,) = lines.objects
        assert known(line) == KNOWN

    async def test_async_and_in_threads_too(self) -> None:
        with kept("jobs") as lines:
            await AsyncClient().get("/async/1/", headers={"traceparent": TRACEPARENT})
        assert [line["message"] for line in lines.objects] == [
            "in the loop",
            "in Django's thread",
            "in a thread",
            "in a task",
            "in a task",
        ]
        for line in lines.objects:
            assert known(line) == {**KNOWN, "http.route": "async/<int:pk>/"}

    def test_a_thread_knows_it_by_a_copy_of_the_context(self) -> None:
        with kept("jobs") as lines:
            Client().get("/threaded/1/", headers={"traceparent": TRACEPARENT})
        copy, alone = lines.objects
        assert known(copy) == {**KNOWN, "http.route": "threaded/<int:pk>/"}
        assert known(alone) == {}

    def test_requests_side_by_side_keep_apart(self) -> None:
        async def get(number: int) -> None:
            await AsyncClient().get("/async/1/", headers={"x-request-id": f"request-{number}"})

        async def both() -> None:
            await asyncio.gather(get(1), get(2))

        with kept("jobs") as lines:
            asyncio.run(both())
        ids = [line["http.request.id"] for line in lines.objects]
        assert sorted(ids) == ["request-1"] * 5 + ["request-2"] * 5

    def test_without_headers_it_has_an_id_all_the_same(self) -> None:
        with kept("jobs") as lines:
            Client().get("/apply/1/")
            Client().get("/apply/1/")
        first, second = lines.objects
        assert len(first["http.request.id"]) == 32
        assert first["http.request.id"] != second["http.request.id"]
        assert "trace.id" not in first

    @pytest.mark.parametrize("url", ["/unavailable/", "/aunavailable/"])
    async def test_what_django_logs_when_the_middleware_is_done_has_the_same_id(
        self, url: str, records: Records
    ) -> None:
        client = AsyncClient(raise_request_exception=False)
        with kept("jobs") as ours, kept("django.request") as django_s:
            await client.get(url)
        (first,), (last,) = ours.objects, django_s.objects
        assert last["message"] == f"Service Unavailable: {url[1:]}"
        assert last["http.request.id"] == first["http.request.id"] == records.failures[-1].request_id
        assert last["http.route"] == url[1:]

    def test_before_the_url_is_resolved_there_is_no_route(self) -> None:
        token = context.enter(Context(RequestFactory().get("/apply/1/")))
        line = ecs(record("early"))
        context.leave(token)
        assert "http.route" not in line
        assert line["http.request.id"]

    def test_ids_of_the_official_instrumentation_count(self, served: Context) -> None:
        extra = {
            "otelTraceID": "a" * 32,
            "otelSpanID": "b" * 16,
            "otelServiceName": "x",
            "otelTraceSampled": True,
        }
        line = ecs(record("x", extra=extra))
        assert (line["trace.id"], line["span.id"]) == ("a" * 32, "b" * 16)
        assert not [key for key in line if key.startswith("extra")]
        assert "trace.id" not in ecs(record("x", extra={"otelTraceID": "0", "otelSpanID": "0"}))

    def test_ids_of_a_tracer_that_is_on_count(self, served: Context, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(context, "span_ids", lambda current: ("c" * 32, "d" * 16))
        line = ecs(record("x"))
        assert (line["trace.id"], line["span.id"]) == ("c" * 32, "d" * 16)


class TestUsers:
    def line(self, user: Any) -> dict[str, Any]:
        request = RequestFactory().get("/")
        request.user = user
        token = context.enter(Context(request))
        try:
            return ecs(record("x"))
        finally:
            context.leave(token)

    def test_one_that_nobody_asked_for_is_not_asked_for(self) -> None:
        asked: list[int] = []
        assert "user.id" not in self.line(SimpleLazyObject(lambda: asked.append(1)))
        assert not asked

    def test_one_that_the_host_has_asked_for_is_known(self) -> None:
        user = SimpleLazyObject(lambda: User(pk=7))
        assert user.pk == 7
        assert self.line(user)["user.id"] == "7"

    def test_nobody_is_nobody(self) -> None:
        assert "user.id" not in self.line(AnonymousUser())

    def test_ids_are_hashed_or_left_out_as_everywhere(self, settings: Settings) -> None:
        settings.QAPROD = {"USER_IDS": "hash"}
        assert len(self.line(User(pk=7))["user.id"]) == 32
        settings.QAPROD = {"USER_IDS": "off"}
        assert "user.id" not in self.line(User(pk=7))


class TestElsewhere:
    def test_outside_of_anything_nothing_is_known(self) -> None:
        assert not known(ecs(record("x")))

    def test_a_command_has_its_name_and_one_id(self) -> None:
        token = context.enter(named("command", "import_vacancies"))
        first, second = ecs(record("x")), ecs(record("y"))
        context.leave(token)
        assert first["qaprod.command"] == "import_vacancies"
        assert first["http.request.id"] == second["http.request.id"]
        assert "http.route" not in first

    def test_a_task_has_its_name_and_the_id_of_the_request_it_runs_in(self, served: Context) -> None:
        token = tasks.enter("jobs.tasks.send")
        line = ecs(record("x"))
        tasks.leave(token)
        assert line["qaprod.task"] == "jobs.tasks.send"
        assert line["http.request.id"] == served.request_id


class TestFilter:
    def format(self, template: str, made: logging.LogRecord) -> str:
        assert ContextFilter().filter(made)
        return logging.Formatter(template).format(made)

    def test_any_formatter_can_have_it(self, served: Context) -> None:
        served.journey, served.subject = "log_application", "4711"
        template = (
            "%(request_id)s %(journey)s %(subject)s [%(route)s%(trace_id)s%(span_id)s%(user_id)s] %(message)s"
        )
        assert self.format(template, record("x")) == f"{served.request_id} log_application 4711 [] x"

    def test_outside_of_anything_it_is_empty(self) -> None:
        template = "[%(request_id)s%(route)s%(command)s%(task)s%(gauge)s] %(message)s"
        assert self.format(template, record("x")) == "[] x"

    def test_what_the_record_has_already_stays(self, served: Context) -> None:
        made = record("x", extra={"request_id": "mine", "user_id": 5})
        assert self.format("%(request_id)s %(user_id)s", made) == "mine 5"
        # Our own formatters have both.
        line = ecs(made)
        assert line["http.request.id"] == served.request_id
        assert (line["extra.request_id"], line["extra.user_id"]) == ("mine", 5)

    def test_ours_write_nothing_twice(self, served: Context) -> None:
        made = record("x", extra={"vacancy": 3})
        bare = ecs(made)
        ContextFilter().filter(made)
        ContextFilter().filter(made)
        assert ecs(made) == bare

    def test_it_carries_what_is_known_through_a_queue(self) -> None:
        request = RequestFactory().get("/reset/MQ/c5xk3y/")
        queue: SimpleQueue[Any] = SimpleQueue()
        handler, behind = QueueHandler(queue), Keeping(JSONFormatter(fields="ecs"))
        handler.addFilter(ContextFilter())
        listener = QueueListener(queue, behind)
        listener.start()
        current = Context(request)
        token = context.enter(current)
        try:
            handler.handle(record("Not Found: %s", request.path))
        finally:
            context.leave(token)
            listener.stop()
        (line,) = behind.objects
        assert line["http.request.id"] == current.request_id
        assert line["message"] == f"Not Found: {context.UNMATCHED}"

    def test_a_failure_of_ours_loses_no_record(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def explode(*args: object) -> None:
            raise RuntimeError("our own bug")

        monkeypatch.setattr("django_qaprod.logs.surroundings.of", explode)
        assert self.format("[%(request_id)s] %(message)s", record("x")) == "[] x"
        tally = guard.take()
        assert tally is not None
        assert tally.errors["logs"]


def test_a_handler_behind_a_lock_and_many_threads_get_along(served: Context) -> None:
    """Each thread has its own context, and nothing of another's is on its lines."""
    go = threading.Barrier(8)

    def work(number: int) -> None:
        token = context.enter(named("command", f"c{number}"))
        go.wait()
        for _ in range(50):
            log.info("%d", number)
        context.leave(token)

    with kept("jobs") as lines:
        threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(lines.lines) == 400
    assert all(line["qaprod.command"] == f"c{line['message']}" for line in lines.objects)


def test_the_factory_is_not_needed(monkeypatch: pytest.MonkeyPatch, served: Context) -> None:
    """A host may make its records by a factory of its own."""
    make: Callable[..., logging.LogRecord] = logging.LogRecord
    before = logging.getLogRecordFactory()
    logging.setLogRecordFactory(make)
    try:
        assert ecs(record("x"))["http.request.id"] == served.request_id
    finally:
        logging.setLogRecordFactory(before)
