from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.core.exceptions import BadRequest, PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.test import AsyncClient, Client, RequestFactory
from django.urls import ResolverMatch, include, path
from pytest_django.fixtures import Settings

from django_qaprod import context
from django_qaprod.capture import logging as capture
from django_qaprod.context import Context
from django_qaprod.pipeline import guard
from django_qaprod.testing import Records

log = logging.getLogger("jobs.views")


def logging_and_raising(request: HttpRequest) -> HttpResponse:
    try:
        raise ValueError("the shop is on fire")
    except ValueError:
        log.exception("while serving")
        raise


async def alogging_and_raising(request: HttpRequest) -> HttpResponse:
    return logging_and_raising(request)


def unavailable(request: HttpRequest, number: int) -> HttpResponse:
    return HttpResponse(status=503)


def forbidden(request: HttpRequest) -> HttpResponse:
    raise PermissionDenied


def bad(request: HttpRequest) -> HttpResponse:
    raise BadRequest


def failing_page(request: HttpRequest, exception: Exception) -> HttpResponse:
    raise KeyError("menu")


handler400 = handler403 = handler404 = failing_page
urlpatterns = [
    path("forbidden/", forbidden),
    path("bad/", bad),
    path("logging-and-raising/", logging_and_raising),
    path("alogging-and-raising/", alogging_and_raising),
    path("unavailable/<int:number>/", unavailable),
    path("", include("tests.project.shop.urls")),
]
pytestmark = pytest.mark.urls(__name__)


@pytest.fixture
def factory() -> Iterator[Any]:
    before = logging.getLogRecordFactory()
    yield before
    logging.setLogRecordFactory(before)


def test_an_error_that_is_logged_is_a_failure(records: Records, served: Context) -> None:
    log.error("no vacancy %d", 3)
    (failure,) = records.failures
    assert (failure.kind, failure.severity) == ("logged", "error")
    assert (failure.error_type, failure.message) == ("jobs.views", "no vacancy 3")
    assert failure.culprit == f"{__name__}.test_an_error_that_is_logged_is_a_failure"
    assert '"code":"    log.error' in failure.frames


def test_what_is_logged_below_error_is_a_line_and_no_failure(records: Records, served: Context) -> None:
    log.warning("careful")
    assert not records.failures
    assert served.lines is not None
    assert [line[1:] for line in served.lines] == [("WARNING", "jobs.views", "careful")]


def test_what_the_levels_of_the_host_hold_back_is_not_seen(records: Records, served: Context) -> None:
    log.debug("too much")
    assert not served.lines


def test_an_exception_that_is_logged_is_recorded_as_itself(records: Records, served: Context) -> None:
    try:
        raise KeyError("school")
    except KeyError:
        log.exception("could not apply")
    (failure,) = records.failures
    assert (failure.kind, failure.error_type) == ("logged", "KeyError")


def test_critical_is_critical(records: Records, served: Context) -> None:
    log.critical("out of order")
    log.critical("out of order", exc_info=ValueError())
    assert [failure.severity for failure in records.failures] == ["critical", "critical"]


def test_exc_info_without_an_exception_is_a_plain_error(records: Records, served: Context) -> None:
    log.error("nothing is wrong", exc_info=True)  # noqa: LOG014
    assert records.failures[0].error_type == "jobs.views"


def test_records_of_one_place_are_alike_whatever_their_arguments(records: Records, served: Context) -> None:
    for number in range(2):
        log.error("no vacancy %d for %s", number, f"user {number}")
    log.error("no school")
    first, second, third = (failure.fingerprint for failure in records.failures)
    assert first == second != third


def test_an_error_logged_outside_of_anything_is_recorded(records: Records) -> None:
    log.error("at night")
    (failure,) = records.failures
    assert failure.request_id == ""


def test_what_is_raised_again_after_it_was_logged_is_one_failure(records: Records, client: Client) -> None:
    client.raise_request_exception = False
    assert client.get("/logging-and-raising/").status_code == 500
    assert [failure.kind for failure in records.failures] == ["logged"]


async def test_what_is_raised_again_after_it_was_logged_is_one_failure_async(
    records: Records, async_client: AsyncClient
) -> None:
    async_client.raise_request_exception = False
    assert (await async_client.get("/alogging-and-raising/")).status_code == 500
    assert [failure.kind for failure in records.failures] == ["logged"]


def test_a_500_is_one_failure_although_django_logs_it_too(records: Records, client: Client) -> None:
    client.raise_request_exception = False
    client.get("/raising/")
    assert [failure.kind for failure in records.failures] == ["unhandled"]


@pytest.mark.parametrize("address", ["/nowhere/", "/forbidden/", "/bad/"])
def test_a_page_of_an_error_that_fails_is_one_failure(address: str, records: Records, client: Client) -> None:
    client.raise_request_exception = False
    assert client.get(address).status_code == 500
    assert [(failure.kind, failure.error_type) for failure in records.failures] == [("unhandled", "KeyError")]


async def test_a_page_of_an_error_that_fails_is_one_failure_async(
    records: Records, async_client: AsyncClient
) -> None:
    async_client.raise_request_exception = False
    assert (await async_client.get("/nowhere/")).status_code == 500
    assert [(failure.kind, failure.error_type) for failure in records.failures] == [("unhandled", "KeyError")]


def test_what_the_host_logs_of_a_request_that_failed_is_a_failure(records: Records, client: Client) -> None:
    """It may go by the name of Django's logger, too."""
    client.raise_request_exception = False
    client.get("/nowhere/")
    logging.getLogger("django.request").error("the queue is full")
    assert [failure.kind for failure in records.failures] == ["unhandled", "logged"]


async def test_a_500_is_one_failure_although_django_logs_it_too_async(
    records: Records, async_client: AsyncClient
) -> None:
    async_client.raise_request_exception = False
    await async_client.get("/araising/")
    assert [failure.kind for failure in records.failures] == ["unhandled"]


def test_a_response_of_503_is_a_failure_of_its_route(records: Records, client: Client) -> None:
    for number in (1, 2):
        client.get(f"/unavailable/{number}/")
    first, second = records.failures
    assert first.kind == "logged"
    assert first.message == "Service Unavailable: unavailable/<int:number>/"
    assert first.fingerprint == second.fingerprint


def test_unavailable_routes_are_told_apart(records: Records) -> None:
    for route in ("one/", "two/"):
        request = RequestFactory().get(f"/{route}")
        request.resolver_match = ResolverMatch(lambda: None, (), {}, route=route)
        token = context.enter(Context(request))
        logging.getLogger("django.request").error("%s: %s", "Service Unavailable", request.path)
        context.leave(token)
    first, second = records.failures
    assert first.fingerprint != second.fingerprint


@pytest.mark.parametrize(
    "name", ["django_qaprod", "django.security.DisallowedHost", "django.server", "quiet.one"]
)
def test_some_loggers_are_ignored(records: Records, served: Context, settings: Settings, name: str) -> None:
    settings.QAPROD = {"IGNORE_LOGGERS": ["django_qaprod", "django.security", "django.server", "quiet"]}
    logging.getLogger(name).error("not for us")
    assert not records.failures
    assert not served.lines


def test_a_prefix_is_a_whole_name(records: Records, settings: Settings) -> None:
    settings.QAPROD = {"IGNORE_LOGGERS": ["quiet"]}
    logging.getLogger("quieter").error("for us")
    assert records.failures


def test_statements_are_no_lines(records: Records, served: Context) -> None:
    logging.getLogger("django.db.backends").warning("SELECT 'secret'")
    assert not served.lines


def test_a_line_says_what_was_true_when_it_was_logged(records: Records, served: Context) -> None:
    changing = ["one"]
    log.warning("now %s", changing)
    changing.append("two")
    assert served.lines is not None
    assert served.lines[0][3] == "now ['one']"


def test_what_our_own_code_logs_is_not_captured(records: Records, served: Context) -> None:
    with guard.guard("test"):
        log.error("from within")
    assert not records.failures
    assert not served.lines


def test_a_handler_that_logs_does_not_recurse_or_hang(records: Records, served: Context) -> None:
    class Chatty(logging.Handler):
        depth = 0

        def emit(self, record: logging.LogRecord) -> None:
            if self.depth < 3:
                self.depth += 1
                log.error("while handling %s", record.getMessage())

    handler = Chatty()
    log.addHandler(handler)
    thread = threading.Thread(target=log.error, args=("first",), daemon=True)
    try:
        thread.start()
        thread.join(60)
    finally:
        log.removeHandler(handler)
    assert not thread.is_alive()
    assert len(records.failures) == 4


def test_nothing_is_captured_in_a_test_run_that_does_not_ask(served: Context) -> None:
    log.error("unheard")
    assert not served.lines


def test_the_ring_can_be_turned_off(records: Records, served: Context, settings: Settings) -> None:
    settings.QAPROD = {"LINES_PER_REQUEST": 0}
    log.warning("unheard")
    assert not served.lines


def test_the_factory_of_the_host_still_makes_the_records(factory: Any, records: Records) -> None:
    class Own(logging.LogRecord):
        pass

    logging.setLogRecordFactory(Own)
    assert not capture.logging_installed()
    capture.install()
    assert capture.logging_installed()
    capture.install()
    made = logging.getLogger("jobs").makeRecord("jobs", logging.ERROR, "f.py", 1, "boo", (), None)
    assert type(made) is Own
    assert len(records.failures) == 1


def test_a_factory_of_the_host_around_ours_is_no_obstacle(factory: Any) -> None:
    capture.install()
    ours = logging.getLogRecordFactory()
    logging.setLogRecordFactory(lambda *args, **kwargs: ours(*args, **kwargs))
    assert capture.logging_installed()


def test_an_empty_record_is_left_alone(records: Records) -> None:
    logging.makeLogRecord({"msg": "from elsewhere", "levelno": logging.ERROR, "name": "x"})
    assert not records.failures


def test_logging_without_handlers_and_basic_config_work_as_before() -> None:
    """A handler of ours on the root logger would silence ``lastResort`` and disarm ``basicConfig()``."""
    import subprocess
    import sys

    code = (
        "import logging, django; from django.conf import settings;"
        "settings.configure(INSTALLED_APPS=['django.contrib.contenttypes','django.contrib.auth','django_qaprod'],"
        "LOGGING_CONFIG=None, DATABASES={}, QAPROD={'ENABLED': True}); django.setup();"
        "assert not logging.getLogger().handlers; logging.getLogger('x').warning('last resort');"
        "logging.basicConfig(format='own %(message)s'); logging.getLogger('x').warning('configured')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.splitlines() == ["last resort", "own configured"]


async def test_lines_of_an_async_request_are_its_own(records: Records, served: Context) -> None:
    log.warning("in the loop")
    await sync_to_async(log.warning)("in a thread")
    log.error("both")
    (failure,) = records.failures
    assert [line.message for line in failure.lines] == ["in the loop", "in a thread"]
