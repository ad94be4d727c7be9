"""Errors that no view handles are Sentry's own events; we know which, whoever hears of them first."""

from __future__ import annotations

from typing import Any

import pytest
import sentry_sdk
from django.http import HttpRequest, HttpResponse
from django.test import AsyncClient, Client
from django.urls import include, path
from pytest_django import Settings
from sentry_sdk.integrations.django import DjangoIntegration

from django_qaprod import Journey, Step, registry
from django_qaprod.pipeline import guard
from django_qaprod.testing import Records

from .conftest import Start

ONE_ERROR = LookupError("the same object every time")


with registry.isolated():

    class Applying(Journey):
        started = Step()
        submitted = Step()


def taking_a_step(request: HttpRequest, number: int) -> HttpResponse:
    Applying.started.record(str(number))
    Applying.submitted.record(str(number))
    raise LookupError("no vacancy")


def raising_the_same(request: HttpRequest) -> HttpResponse:
    raise ONE_ERROR


def capturing(request: HttpRequest) -> HttpResponse:
    try:
        raise LookupError("no vacancy")
    except LookupError as error:
        sentry_sdk.capture_exception(error)
        raise


urlpatterns = [
    path("step/<int:number>/", taking_a_step),
    path("same/", raising_the_same),
    path("capturing/", capturing),
    path("", include("tests.project.shop.urls")),
]
pytestmark = pytest.mark.urls(__name__)


@pytest.fixture
def client() -> Client:
    return Client(raise_request_exception=False)


@pytest.fixture
def async_client() -> AsyncClient:
    return AsyncClient(raise_request_exception=False)


def mechanism(event: dict[str, Any]) -> tuple[str, bool]:
    found = event["exception"]["values"][-1]["mechanism"]
    return found["type"], found["handled"]


def test_an_error_is_one_event_and_its_id_stands_with_the_failure(
    start: Start, order: str, client: Client, records: Records
) -> None:
    kept = start()
    assert client.get("/raising/").status_code == 500
    (event,), (failure,) = kept.events, records.failures
    assert failure.kind == "unhandled"
    assert failure.extra["sentry_event"] == event["event_id"]
    assert (event["event_id"] == failure.id) == (order == "ours first")
    assert mechanism(event) == ("django", False)
    assert event["tags"]["qaprod.failure"] == failure.fingerprint
    assert event["tags"]["request_id"] == failure.request_id
    assert event["tags"]["route"] == "raising/"
    assert event["transaction"] == "/raising/"
    assert sentry_sdk.last_event_id() == event["event_id"], "a page that shows the id shows this one"


async def test_an_error_of_an_async_view_too(
    start: Start, order: str, async_client: AsyncClient, records: Records
) -> None:
    kept = start()
    assert (await async_client.get("/araising/")).status_code == 500
    (event,), (failure,) = kept.events, records.failures
    assert failure.extra["sentry_event"] == event["event_id"]
    assert mechanism(event) == ("django", False)
    assert event["tags"]["qaprod.failure"] == failure.fingerprint


def test_without_our_middleware_the_id_is_known_too(
    start: Start, order: str, records: Records, settings: Settings
) -> None:
    kept = start()
    settings.MIDDLEWARE = []
    assert Client(raise_request_exception=False).get("/raising/").status_code == 500
    (event,), (failure,) = kept.events, records.failures
    assert failure.extra["sentry_event"] == event["event_id"]
    assert failure.route == "raising/"


def test_an_event_tells_the_journey_and_the_step(
    start: Start, order: str, client: Client, records: Records
) -> None:
    kept = start()
    client.get("/step/3/")
    (event,) = kept.events
    assert (event["tags"]["journey"], event["tags"]["step"]) == ("applying", "submitted")
    assert records.failures[0].extra["step"] == "submitted"


@pytest.mark.parametrize("options", [{"before_send": lambda event, hint: None}, {"sample_rate": 0.0}])
def test_an_event_that_is_not_sent_has_no_id_to_look_for(
    options: dict[str, Any], start: Start, order: str, client: Client, records: Records
) -> None:
    sentry_sdk.get_isolation_scope()._last_event_id = None
    kept = start(**options)
    client.get("/raising/")
    assert kept.events == []
    assert records.failures[0].extra["sentry_event"] == ""


def test_what_the_host_has_captured_is_no_second_event(
    start: Start, order: str, client: Client, records: Records
) -> None:
    kept = start()
    client.get("/capturing/")
    (event,), (failure,) = kept.events, records.failures
    assert failure.extra["sentry_event"] == event["event_id"]


def test_the_same_object_raised_again_is_another_event(
    start: Start, order: str, client: Client, records: Records
) -> None:
    kept = start(integrations=[DjangoIntegration()])
    client.get("/same/")
    client.get("/same/")
    assert [failure.extra["sentry_event"] for failure in records.failures] == [
        event["event_id"] for event in kept.events
    ]
    assert len({event["event_id"] for event in kept.events}) == 2


def test_an_error_in_the_middle_of_a_stream_is_one_event(
    start: Start, client: Client, records: Records
) -> None:
    kept = start()
    response = client.get("/streaming/?fail=1")
    with pytest.raises(ValueError, match="in the middle"):
        b"".join(response)  # type: ignore[arg-type]
    (event,), (failure,) = kept.events, records.failures
    assert failure.extra["sentry_event"] == event["event_id"] == failure.id
    assert mechanism(event) == ("django", False)


def test_our_release_is_used_where_the_client_has_none(
    start: Start, order: str, client: Client, records: Records, settings: Settings
) -> None:
    settings.QAPROD = {**settings.QAPROD, "RELEASE": "2024.1"}
    kept = start(release="")
    client.get("/raising/")
    assert kept.events[0]["release"] == "2024.1"
    kept = start(release="theirs")
    client.get("/raising/")
    assert kept.events[0]["release"] == "theirs"


def test_our_fingerprint_groups_when_asked(
    start: Start, order: str, client: Client, records: Records, settings: Settings
) -> None:
    settings.QAPROD = {**settings.QAPROD, "SENTRY": {"FINGERPRINT": True}}
    kept = start()
    client.get("/raising/")
    assert kept.events[0]["fingerprint"] == [records.failures[0].fingerprint]


def test_a_request_survives_a_client_that_fails(
    start: Start, client: Client, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = start(integrations=[])
    monkeypatch.setattr(kept, "capture_envelope", lambda envelope: 1 / 0)
    assert client.get("/raising/").status_code == 500
    (failure,) = records.failures
    assert "sentry_event" not in failure.extra, "ours may still send it"
    tally = guard.take()
    assert tally is not None
    assert tally.errors == {"witness": 1}
