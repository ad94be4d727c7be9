"""One line a request, with all that is known about it, if that is asked for."""

from __future__ import annotations

import asyncio
import cProfile
import gc
import logging
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.handlers.wsgi import WSGIHandler
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.test import AsyncClient, Client, RequestFactory, override_settings
from django.urls import path
from pytest_django import Settings

from django_qaprod import capture, conf, context
from django_qaprod.logs import requests
from django_qaprod.pipeline import hooks, process
from django_qaprod.testing import Records

from .written import FORMATTERS, Keeping, kept

# Closing a response makes Django look after the host's connections.
pytestmark = pytest.mark.django_db

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


def ok(request: HttpRequest, pk: int = 0) -> HttpResponse:
    current = context.current()
    assert current is not None
    current.journey, current.subject = "job_application", "4711"
    request.user = User(pk=7)
    return HttpResponse("fine")


async def aok(request: HttpRequest) -> HttpResponse:
    return ok(request)


def boom(request: HttpRequest) -> HttpResponse:
    raise ValueError("no school")


async def aboom(request: HttpRequest) -> HttpResponse:
    return boom(request)


def missing(request: HttpRequest) -> HttpResponse:
    raise Http404


def degraded(request: HttpRequest) -> HttpResponse:
    current = context.current()
    assert current is not None
    current.degraded += 2
    return HttpResponse()


def leaves(request: HttpRequest) -> HttpResponse:
    raise SystemExit


async def aleaves(request: HttpRequest) -> HttpResponse:
    raise asyncio.CancelledError


def chunks(fail: int) -> Iterator[bytes]:
    yield b"one "
    if fail:
        raise RuntimeError("broke in the middle")
    yield b"two"


async def achunks(fail: int) -> AsyncIterator[bytes]:
    for chunk in chunks(fail):
        yield chunk


def stream(request: HttpRequest, fail: int) -> StreamingHttpResponse:
    return StreamingHttpResponse(chunks(fail))


async def astream(request: HttpRequest, fail: int) -> StreamingHttpResponse:
    return StreamingHttpResponse(achunks(fail))


urlpatterns = [
    path("ok/<int:pk>/", ok),
    path("aok/", aok),
    path("boom/", boom),
    path("aboom/", aboom),
    path("missing/", missing),
    path("degraded/", degraded),
    path("leaves/", leaves),
    path("aleaves/", aleaves),
    path("stream/<int:fail>/", stream),
    path("astream/<int:fail>/", astream),
]


@pytest.fixture(autouse=True)
def _host(settings: Settings, records: Records, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(hooks, "request_witnesses", [])
    monkeypatch.setattr(hooks, "before_flush", list(hooks.before_flush))
    settings.QAPROD = {"LOG_REQUESTS": True}
    with override_settings(ROOT_URLCONF=__name__, MIDDLEWARE=[conf.MIDDLEWARE], DEBUG=False):
        capture.install()
        yield


@pytest.fixture
def lines() -> Iterator[Keeping]:
    with kept("qaprod.request") as found:
        yield found


def get(url: str, **headers: str) -> None:
    response = Client(raise_request_exception=False).get(url, headers=headers)
    if response.streaming:
        try:
            b"".join(response)
        except RuntimeError:
            return


async def aget(url: str, **headers: str) -> None:
    response = await AsyncClient(raise_request_exception=False).get(url, headers=headers)
    if response.streaming:
        try:
            async for _ in response:
                pass
        except RuntimeError:
            return


def told(line: dict[str, Any]) -> tuple[str, str, int | None, str]:
    """Return (level, route, status, outcome) of a line."""
    return (
        line["log.level"],
        line["http.route"],
        line.get("http.response.status_code"),
        line["qaprod.outcome"],
    )


def test_all_that_is_known_is_in_it(lines: Keeping, settings: Settings) -> None:
    settings.QAPROD = {**settings.QAPROD, "RELEASE": "1.0"}
    trace, span = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
    get("/ok/12/", **{"user-agent": FIREFOX, "traceparent": f"00-{trace}-{span}-01"})
    (line,) = lines.objects
    duration = line.pop("event.duration")
    assert isinstance(duration, int)
    assert line["message"].startswith("GET ok/<int:pk>/ 200 ok in ")
    for name in ("@timestamp", "message", "process.pid", "ecs.version"):
        del line[name]
    assert line == {
        "log.level": "info",
        "log.logger": "qaprod.request",
        "http.request.id": trace,
        "trace.id": trace,
        "span.id": span,
        "http.route": "ok/<int:pk>/",
        "http.request.method": "GET",
        "http.response.status_code": 200,
        "qaprod.outcome": "ok",
        "user_agent.name": "Firefox",
        "user.id": "7",
        "qaprod.journey": "job_application",
        "qaprod.subject": "4711",
        "service.version": "1.0",
    }


SYNC = [
    ("/ok/1/", ("info", "ok/<int:pk>/", 200, "ok")),
    ("/missing/", ("info", "missing/", 404, "client_error")),
    ("/nowhere/", ("info", context.UNMATCHED, 404, "client_error")),
    ("/boom/", ("warning", "boom/", 500, "server_error")),
    ("/degraded/", ("warning", "degraded/", 200, "degraded")),
    ("/stream/0/", ("info", "stream/<int:fail>/", 200, "ok")),
    ("/stream/1/", ("warning", "stream/<int:fail>/", 200, "server_error")),
]
ASYNC = [
    ("/aok/", ("info", "aok/", 200, "ok")),
    ("/missing/", ("info", "missing/", 404, "client_error")),
    ("/aboom/", ("warning", "aboom/", 500, "server_error")),
    ("/degraded/", ("warning", "degraded/", 200, "degraded")),
    ("/astream/0/", ("info", "astream/<int:fail>/", 200, "ok")),
    ("/astream/1/", ("warning", "astream/<int:fail>/", 200, "server_error")),
]


@pytest.mark.parametrize(("url", "expected"), SYNC)
def test_it_says_what_the_request_came_to(
    lines: Keeping, url: str, expected: tuple[str, str, int, str]
) -> None:
    get(url)
    assert [told(line) for line in lines.objects] == [expected]


@pytest.mark.parametrize(("url", "expected"), ASYNC)
async def test_it_says_what_the_request_came_to_async(
    lines: Keeping, url: str, expected: tuple[str, str, int, str]
) -> None:
    await aget(url)
    assert [told(line) for line in lines.objects] == [expected]


def test_degradations_are_counted(lines: Keeping) -> None:
    get("/degraded/")
    assert lines.objects[0]["qaprod.degradations"] == 2


def test_one_that_ends_the_process_is_aborted(lines: Keeping) -> None:
    with pytest.raises(SystemExit):
        get("/leaves/")
    assert [told(line) for line in lines.objects] == [("info", "leaves/", None, "aborted")]
    assert lines.objects[0]["message"].startswith("GET leaves/ - aborted in ")


async def test_one_whose_visitor_has_gone_is_aborted(lines: Keeping) -> None:
    with pytest.raises(asyncio.CancelledError):
        await aget("/aleaves/")
    assert [told(line) for line in lines.objects] == [("info", "aleaves/", None, "aborted")]


def test_a_stream_is_logged_at_its_end(lines: Keeping) -> None:
    response: Any = Client().get("/stream/0/")
    next(iter(response))
    assert lines.lines == []
    response.close()
    assert [told(line)[2:] for line in lines.objects] == [(200, "aborted")]


def test_a_stream_that_is_let_go_of_is_logged_by_the_next_flush(lines: Keeping) -> None:
    """A destructor may run in the midst of anything, a handler that holds its lock for instance."""
    handler = WSGIHandler()
    response: Any = handler.get_response(
        RequestFactory().get("/stream/0/", headers={"x-request-id": "the-request"})
    )
    next(iter(response))
    del response
    gc.collect()
    assert lines.lines == []
    process.flush()
    (line,) = lines.objects
    assert told(line)[2:] == (200, "aborted")
    assert line["http.request.id"] == "the-request"
    process.flush()
    assert len(lines.lines) == 1


def test_those_that_wait_are_bounded_and_counted(lines: Keeping, monkeypatch: pytest.MonkeyPatch) -> None:
    from django_qaprod.pipeline import guard

    current = context.Context()
    current.dropped = True
    for number in range(requests.MAX_WAITING + 3):
        requests.log(current, (f"r{number}", "GET", 200, "aborted", "Bot"), 0.1)
    requests.log_waiting()
    assert len(lines.lines) == requests.MAX_WAITING
    assert lines.objects[-1]["http.route"] == f"r{requests.MAX_WAITING + 2}"
    tally = guard.take()
    assert tally is not None
    assert tally.dropped == {"logs.requests": 3}


def test_the_failure_and_all_lines_of_a_request_have_one_id(records: Records) -> None:
    with kept() as found:
        get("/boom/")
    (failed,) = records.failures
    by_logger = {line["log.logger"]: line for line in found.objects}
    assert set(by_logger) == {"django.request", "qaprod.request"}
    assert {line["http.request.id"] for line in found.objects} == {failed.request_id}
    assert by_logger["django.request"]["qaprod.fingerprint"] == failed.fingerprint
    assert by_logger["django.request"]["qaprod.occurrence.id"] == failed.id


def test_the_line_is_no_line_around_a_failure(records: Records) -> None:
    """Nor is it a failure, whatever its level."""
    with kept("qaprod.request"):
        get("/degraded/")
    assert records.failures == []


def test_a_level_that_nobody_listens_to_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    with kept("qaprod.request", level=logging.WARNING) as found:
        monkeypatch.setattr(requests, "Fields", None)
        get("/ok/1/")
        monkeypatch.undo()
    assert found.lines == []


@pytest.mark.parametrize("name", FORMATTERS)
def test_a_line_costs_few_calls(name: str) -> None:
    """Each request pays for them: nobody looks for who has called the logger, nor how a number is written."""
    with kept("qaprod.request", formatter=FORMATTERS[name]()):
        get("/ok/1/")
        profile = cProfile.Profile()
        current = context.Context(RequestFactory().get("/ok/1/"))
        current.journey, current.subject = "job_application", "4711"
        profile.runcall(requests.log, current, ("ok/<int:pk>/", "GET", 200, "ok", "Firefox"), 0.0312)
    calls = {str(getattr(entry.code, "co_name", entry.code)) for entry in profile.getstats()}
    assert not {"findCaller", "encode", "iterencode", "dumps"} & calls


def test_a_handler_that_fails_leaves_the_request_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    class Failing(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            raise OSError("the disk is full")

    handler = Failing()
    requests.logger.addHandler(handler)
    requests.logger.setLevel(logging.INFO)
    try:
        assert Client().get("/ok/1/").content == b"fine"
    finally:
        requests.logger.removeHandler(handler)
        requests.logger.setLevel(logging.NOTSET)
    from django_qaprod.pipeline import guard

    tally = guard.take()
    assert tally is not None
    assert tally.errors == {"witness": 1}
    assert context.current() is None


def test_it_is_off_unless_asked_for(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hooks, "request_witnesses", [])
    settings.QAPROD = {}
    capture.install()
    with kept("qaprod.request") as found:
        get("/ok/1/")
    assert found.lines == []


def test_it_is_installed_once() -> None:
    capture.install()
    assert hooks.request_witnesses == [requests.log]
    assert hooks.before_flush.count(requests.log_waiting) == 1
