"""Every request is counted once, with what it came to, and no response is changed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from io import BytesIO
from typing import Any

import pytest
from django.core.exceptions import SuspiciousOperation
from django.core.handlers.wsgi import WSGIHandler
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.test import AsyncClient, Client, override_settings
from django.urls import path

from django_qaprod import conf, context
from django_qaprod.pipeline import numbers, process
from django_qaprod.records import Cell, FailureRecord, Record

# Closing a response makes Django look after the host's connections.
pytestmark = pytest.mark.django_db

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


def ok(request: HttpRequest) -> HttpResponse:
    return HttpResponse("fine")


def boom(request: HttpRequest) -> HttpResponse:
    raise ValueError("the price of 42 apples")


def missing(request: HttpRequest) -> HttpResponse:
    raise Http404


def suspicious(request: HttpRequest) -> HttpResponse:
    raise SuspiciousOperation


def unavailable(request: HttpRequest) -> HttpResponse:
    return HttpResponse(status=503)


def degraded(request: HttpRequest) -> HttpResponse:
    current = context.current()
    assert current is not None
    current.degraded += 1
    return HttpResponse("without the extras")


def leaves(request: HttpRequest) -> HttpResponse:
    raise SystemExit


def chunks(fail: bool) -> Iterator[bytes]:
    yield b"one "
    current = context.current()
    # Without our middleware there is none, but with it the stream knows its request.
    assert current is None or current.route.startswith("stream")
    if fail:
        raise RuntimeError("broke in the middle")
    yield b"two"


async def async_chunks(fail: bool) -> AsyncIterator[bytes]:
    for chunk in chunks(fail):
        yield chunk


def stream(request: HttpRequest, fail: int = 0) -> StreamingHttpResponse:
    return StreamingHttpResponse(chunks(bool(fail)))


async def async_stream(request: HttpRequest, fail: int = 0) -> StreamingHttpResponse:
    return StreamingHttpResponse(async_chunks(bool(fail)))


def download(request: HttpRequest) -> FileResponse:
    return FileResponse(BytesIO(b"a file"))


async def aok(request: HttpRequest) -> HttpResponse:
    return HttpResponse("fine")


async def aboom(request: HttpRequest) -> HttpResponse:
    raise ValueError("the price of 42 apples")


async def aleaves(request: HttpRequest) -> HttpResponse:
    raise asyncio.CancelledError


urlpatterns = [
    path("ok/<int:pk>/", lambda request, pk: ok(request)),
    path("", ok),
    path("boom/", boom),
    path("missing/", missing),
    path("suspicious/", suspicious),
    path("unavailable/", unavailable),
    path("degraded/", degraded),
    path("leaves/", leaves),
    path("stream/<int:fail>/", stream),
    path("stream/async/<int:fail>/", async_stream),
    path("download/", download),
    path("aok/", aok),
    path("aboom/", aboom),
    path("aleaves/", aleaves),
]


@pytest.fixture(autouse=True)
def urls() -> Iterator[None]:
    with override_settings(ROOT_URLCONF=__name__, MIDDLEWARE=[conf.MIDDLEWARE], DEBUG=False):
        yield


@pytest.fixture
def records() -> Iterator[list[Record]]:
    found: list[Record] = []
    with process.tapped(found):
        yield found


def durations() -> list[Cell]:
    return [cell for cell in numbers.take() if cell.name == numbers.REQUEST_DURATION]


def counted() -> list[tuple[str, str, str, str]]:
    """Return (route, method, status, outcome) of what was counted."""
    return [
        (
            attributes["http.route"],
            attributes["http.request.method"],
            attributes["http.response.status_code"],
            attributes["qaprod.outcome"],
        )
        for attributes in (dict(cell.attributes) for cell in durations())
    ]


Get = Callable[..., HttpResponse]


def sync_get(url: str, **headers: str) -> Any:
    return Client(raise_request_exception=False).get(url, headers=headers)


def async_get(url: str, **headers: str) -> Any:
    async def get() -> Any:
        response = await AsyncClient(raise_request_exception=False).get(url, headers=headers)
        if response.streaming and response.is_async:
            response.body = b"".join([chunk async for chunk in response])
        return response

    return asyncio.run(get())


@pytest.mark.parametrize("get", [sync_get, async_get])
@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("/ok/7/", ("ok/<int:pk>/", "GET", "200", "ok")),
        ("/", ("/", "GET", "200", "ok")),
        ("/boom/", ("boom/", "GET", "500", "server_error")),
        ("/aok/", ("aok/", "GET", "200", "ok")),
        ("/aboom/", ("aboom/", "GET", "500", "server_error")),
        ("/unavailable/", ("unavailable/", "GET", "503", "server_error")),
        ("/missing/", ("missing/", "GET", "404", "client_error")),
        ("/suspicious/", ("suspicious/", "GET", "400", "client_error")),
        ("/nowhere/", (context.UNMATCHED, "GET", "404", "client_error")),
        ("/degraded/", ("degraded/", "GET", "200", "degraded")),
        ("/download/", ("download/", "GET", "200", "ok")),
    ],
)
@pytest.mark.usefixtures("records")
def test_a_request_is_counted_once_by_what_it_came_to(
    get: Get, url: str, expected: tuple[str, str, str, str]
) -> None:
    get(url)
    assert counted() == [expected]


@pytest.mark.usefixtures("records")
def test_scanners_make_one_route_and_made_up_methods_one_method() -> None:
    client = Client()
    for number in range(20):
        client.generic(f"BREW{number}", f"/wp-admin/{number}")
    assert counted() == [(context.UNMATCHED, "_OTHER", "404", "client_error")]


@pytest.mark.usefixtures("records")
def test_browsers_are_told_apart_and_bots_apart_from_them() -> None:
    sync_get("/ok/1/", **{"user-agent": FIREFOX})
    sync_get("/ok/1/", **{"user-agent": "Googlebot/2.1 (+http://www.google.com/bot.html)"})
    browsers = [
        dict(cell.attributes)["browser"] for cell in numbers.take() if cell.name == numbers.REQUEST_BROWSER
    ]
    assert sorted(browsers) == ["Bot", "Firefox"]


class TestUnhandled:
    @pytest.mark.parametrize(
        ("get", "url"), [(sync_get, "/boom/"), (async_get, "/boom/"), (async_get, "/aboom/")]
    )
    def test_a_500_is_one_failure_with_its_request(self, get: Get, url: str, records: list[Record]) -> None:
        get(url, **{"x-request-id": "abcdef-123456"})
        [failure] = records
        assert isinstance(failure, FailureRecord)
        assert (failure.kind, failure.error_type, failure.message) == (
            "unhandled",
            "ValueError",
            "the price of 42 apples",
        )
        assert failure.route == url.lstrip("/")
        assert failure.request_id == "abcdef-123456"

    def test_without_the_middleware_the_failure_is_still_recorded(self, records: list[Record]) -> None:
        with override_settings(MIDDLEWARE=[]):
            sync_get("/boom/", **{"x-request-id": "abcdef-123456"})
        [failure] = records
        assert isinstance(failure, FailureRecord)
        assert (failure.route, failure.request_id) == ("boom/", "abcdef-123456")


@pytest.mark.usefixtures("records")
class TestEnds:
    def test_an_exception_that_ends_the_process_passes_and_counts_as_aborted(self) -> None:
        with pytest.raises(SystemExit):
            Client().get("/leaves/")
        assert counted() == [("leaves/", "GET", "", "aborted")]

    def test_a_cancelled_request_passes_and_counts_as_aborted(self) -> None:
        with pytest.raises(asyncio.CancelledError):
            async_get("/aleaves/")
        assert counted() == [("aleaves/", "GET", "", "aborted")]

    def test_the_context_is_gone_when_the_request_is(self) -> None:
        sync_get("/boom/")
        assert context.current() is None


class TestStreams:
    @pytest.mark.parametrize(("get", "url"), [(sync_get, "/stream/0/"), (async_get, "/stream/async/0/")])
    def test_a_stream_is_counted_at_its_end(self, get: Get, url: str, records: list[Record]) -> None:
        response = get(url)
        content = getattr(response, "body", None) or b"".join(response.streaming_content)
        assert content == b"one two"
        [(_, _, status, outcome)] = counted()
        assert (status, outcome) == ("200", "ok")
        assert records == []

    def test_nothing_is_counted_before_the_end(self, records: list[Record]) -> None:
        response = sync_get("/stream/0/")
        next(iter(response))
        assert counted() == []
        response.close()
        assert [outcome for *_, outcome in counted()] == ["aborted"]

    @pytest.mark.parametrize(("get", "url"), [(sync_get, "/stream/1/"), (async_get, "/stream/async/1/")])
    def test_an_error_in_mid_stream_is_one_failure_and_goes_on(
        self, get: Get, url: str, records: list[Record]
    ) -> None:
        with pytest.raises(RuntimeError, match="broke in the middle"):
            list(get(url).streaming_content)
        [failure] = records
        assert isinstance(failure, FailureRecord)
        assert failure.kind == "unhandled"
        assert failure.route.startswith("stream/")
        assert [outcome for *_, outcome in counted()] == ["server_error"]

    def test_a_stream_that_nobody_closes_is_counted_when_it_is_dropped(self, records: list[Record]) -> None:
        async def drop() -> None:
            response = await AsyncClient().get("/stream/async/0/")
            async for _ in response:
                break

        asyncio.run(drop())
        assert [outcome for *_, outcome in counted()] == ["aborted"]

    def test_a_head_request_is_not_aborted_for_want_of_a_reader(self, records: list[Record]) -> None:
        Client().head("/stream/0/").close()
        assert [outcome for *_, outcome in counted()] == ["ok"]

    def test_a_file_stays_a_file_for_sendfile(self, records: list[Record]) -> None:
        wrapped: list[Any] = []

        def file_wrapper(file: Any, block_size: int) -> list[bytes]:
            wrapped.append(file)
            file.close()
            return []

        environ = Client()._base_environ(PATH_INFO="/download/", **{"wsgi.file_wrapper": file_wrapper})
        WSGIHandler()(environ, lambda status, headers: None)
        assert len(wrapped) == 1


class TestHost:
    """The host's response and test run are the same with and without us."""

    @pytest.mark.parametrize("url", ["/ok/1/", "/boom/", "/nowhere/", "/stream/0/", "/download/"])
    def test_responses_are_the_same_to_the_byte(self, url: str, records: list[Record]) -> None:
        def whole(response: Any) -> tuple[int, list[tuple[str, str]], bytes]:
            return response.status_code, sorted(response.items()), b"".join(response)

        with override_settings(MIDDLEWARE=[]):
            bare = whole(sync_get(url))
        assert whole(sync_get(url)) == bare

    def test_in_the_host_s_test_run_nothing_is_counted(self) -> None:
        sync_get("/ok/1/")
        assert numbers.take() == ()

    def test_a_failure_of_ours_leaves_the_request_alone(
        self, records: list[Record], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def explode(*args: object) -> None:
            raise RuntimeError("our own bug")

        monkeypatch.setattr(numbers, "request", explode)
        assert sync_get("/ok/1/").content == b"fine"
        assert list(sync_get("/stream/0/").streaming_content)
        assert async_get("/stream/async/0/").body
        monkeypatch.setattr("django_qaprod.capture.middleware.family", explode)
        assert async_get("/aok/").content == b"fine"
