"""Hosts that log with structlog have the same context on their events, by either way."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest
import structlog
from django.http import HttpRequest, HttpResponse
from django.test import AsyncClient, Client, override_settings
from django.urls import path
from pytest_django import Settings

from django_qaprod import conf
from django_qaprod.context import Context
from django_qaprod.logs import JSONFormatter, structlog_processor
from django_qaprod.pipeline import guard
from django_qaprod.testing import Records

from .written import kept, raised

DJANGO_STRUCTLOG = "django_structlog.middlewares.RequestMiddleware"


def view(request: HttpRequest) -> HttpResponse:
    structlog.get_logger("jobs").info("applied", vacancy=3)
    return HttpResponse()


def boom(request: HttpRequest) -> HttpResponse:
    structlog.get_logger("jobs").info("about to fail")
    raise ValueError("no school")


async def aview(request: HttpRequest) -> HttpResponse:
    return view(request)


urlpatterns = [path("view/", view), path("aview/", aview), path("boom/", boom)]


@pytest.fixture
def output() -> Iterator[StringIO]:
    """structlog as its users set it up, with our processor before the renderer."""
    stream = StringIO()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog_processor,
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.PrintLoggerFactory(stream),
        cache_logger_on_first_use=False,
    )
    # What a request of another test has bound.
    structlog.contextvars.clear_contextvars()
    yield stream
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def events(output: StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.getvalue().splitlines()]


def test_events_have_the_context(output: StringIO, served: Context) -> None:
    served.journey, served.subject = "job_application", "4711"
    structlog.get_logger().info("applied", vacancy=3)
    assert events(output) == [
        {
            "event": "applied",
            "level": "info",
            "vacancy": 3,
            "request_id": served.request_id,
            "journey": "job_application",
            "subject": "4711",
        }
    ]


def test_outside_of_anything_they_have_none(output: StringIO) -> None:
    structlog.get_logger().info("applied")
    assert events(output) == [{"event": "applied", "level": "info"}]


def test_what_the_host_has_bound_stays_but_for_the_ids(output: StringIO, served: Context) -> None:
    served.journey = "job_application"
    structlog.get_logger().info("applied", journey="mine", request_id="theirs")
    (event,) = events(output)
    assert (event["journey"], event["request_id"]) == ("mine", served.request_id)


def test_a_number_that_no_store_can_hold_is_null(output: StringIO) -> None:
    structlog.get_logger().info("paid", amount=float("inf"), count=10**30, pages=3, limits=[float("nan"), 1])
    (event,) = events(output)
    assert event["limits"] == [None, 1]
    assert (event["amount"], event["count"], event["pages"]) == (None, None, 3)


@pytest.mark.parametrize("how", ["instance", "tuple", "true"])
def test_exceptions_are_told(output: StringIO, how: str) -> None:
    error = raised(ValueError("password=hunter2"))
    try:
        raise error
    except ValueError:
        given = {"instance": error, "tuple": (type(error), error, error.__traceback__), "true": True}[how]
        structlog.get_logger().error("failed", exc_info=given)
    (event,) = events(output)
    assert event["exception"].splitlines()[-1] == "ValueError: password=[scrubbed]"
    assert "exc_info" not in event


def test_what_is_for_structlog_itself_is_left_alone() -> None:
    event = {"event": "x", "_record": object(), "exc_info": None}
    record = event["_record"]
    assert structlog_processor(None, "info", event) == {"event": "x", "_record": record}


def test_a_failure_of_ours_loses_no_event(output: StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    def explode(*args: object) -> None:
        raise RuntimeError("our own bug")

    monkeypatch.setattr("django_qaprod.logs.structlog.surroundings.of_context", explode)
    structlog.get_logger().info("applied")
    assert events(output) == [{"event": "applied", "level": "info"}]
    guard.take()


@pytest.mark.django_db
class TestDjangoStructlog:
    @pytest.fixture(autouse=True)
    def _urls(self) -> Iterator[None]:
        with override_settings(
            ROOT_URLCONF=__name__, MIDDLEWARE=[conf.MIDDLEWARE, DJANGO_STRUCTLOG], DEBUG=False
        ):
            yield

    def test_its_events_have_the_id_of_ours(self, output: StringIO, records: Records) -> None:
        client = Client(raise_request_exception=False)
        client.get("/boom/")
        (failure,) = records.failures
        found = events(output)
        assert [event["event"] for event in found] == ["request_started", "about to fail", "request_failed"]
        assert {event["request_id"] for event in found} == {failure.request_id}
        assert found[1]["route"] == "boom/"

    @pytest.mark.parametrize("url", ["/view/", "/aview/"])
    async def test_under_asgi_too(self, output: StringIO, records: Records, url: str) -> None:
        await AsyncClient().get(url, headers={"x-request-id": "the-request-of-both"})
        found = events(output)
        assert [event["event"] for event in found] == ["request_started", "applied", "request_finished"]
        assert {event["request_id"] for event in found} == {"the-request-of-both"}


def test_by_the_standard_library_our_formatters_write_them(settings: Settings, served: Context) -> None:
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, structlog.stdlib.render_to_log_kwargs],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    try:
        with kept("jobs", formatter=JSONFormatter(fields="ecs"), level=logging.INFO) as lines:
            structlog.get_logger("jobs").info("applied", vacancy=3, password="hunter2")
            structlog.get_logger("jobs").error("failed", exc_info=raised(ValueError("no")))
    finally:
        structlog.reset_defaults()
    applied, failed = lines.objects
    assert (applied["message"], applied["extra.vacancy"]) == ("applied", 3)
    assert applied["extra.password"] == "[scrubbed]"
    assert applied["http.request.id"] == served.request_id
    assert failed["error.type"] == "ValueError"
