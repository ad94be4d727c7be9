"""Degradations, reports and logs go through the host's client, each error once."""

from __future__ import annotations

import logging
from typing import Any

import pytest
import sentry_sdk
from django.contrib.auth.models import User
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.test import AsyncClient, Client
from django.test.utils import CaptureQueriesContext
from django.urls import path
from pytest_django import Settings
from sentry_sdk.integrations.django import DjangoIntegration

from django_qaprod import Journey, Step, degrade, registry, report
from django_qaprod.context import Context
from django_qaprod.pipeline import failures, guard
from django_qaprod.sinks.sentry import flood
from django_qaprod.testing import Records

from .conftest import Start

log = logging.getLogger("jobs.views")


with registry.isolated():

    class Applying(Journey):
        started = Step()


@degrade(fallback=dict, severity="warning")
def prefill() -> dict[str, str]:
    raise ConnectionError("no teacher")


def degraded(request: HttpRequest) -> HttpResponse:
    Applying.started.record("17")
    prefill()
    return HttpResponse("ok")


async def adegraded(request: HttpRequest) -> HttpResponse:
    prefill()
    return HttpResponse("ok")


def signed_in(request: HttpRequest) -> HttpResponse:
    assert request.user.is_authenticated
    prefill()
    return HttpResponse("ok")


def reported_and_raised(request: HttpRequest) -> HttpResponse:
    try:
        raise LookupError("no vacancy")
    except LookupError as error:
        report(error)
        raise


def logged_and_raised(request: HttpRequest) -> HttpResponse:
    try:
        raise LookupError("no vacancy")
    except LookupError:
        log.exception("%s is not there", "it")
        raise


urlpatterns = [
    path("degraded/", degraded),
    path("adegraded/", adegraded),
    path("signed-in/", signed_in),
    path("reported/", reported_and_raised),
    path("logged/", logged_and_raised),
]
pytestmark = pytest.mark.urls(__name__)


def mechanism(event: dict[str, Any]) -> tuple[str, bool]:
    found = event["exception"]["values"][-1]["mechanism"]
    return found["type"], found["handled"]


def test_a_degradation_is_one_handled_event(start: Start, records: Records, settings: Settings) -> None:
    settings.QAPROD = {**settings.QAPROD, "SENTRY": {"TAGS": {"team": "jobs"}}}
    kept = start()
    assert Client().get("/degraded/?password=canary").status_code == 200
    (event,), (failure,) = kept.events, records.failures
    assert event["event_id"] == failure.id == failure.extra["sentry_event"]
    assert mechanism(event) == ("qaprod", True)
    assert event["level"] == "warning"
    assert event["tags"] == {
        "team": "jobs",
        "qaprod.failure": failure.fingerprint,
        "qaprod.kind": "degraded",
        "journey": "applying",
        "step": "started",
        "route": "degraded/",
        "request_id": failure.request_id,
        "degraded": "true",
    }
    assert event["transaction"] == "/degraded/", "its scope was alive"


async def test_a_degradation_of_an_async_view_too(start: Start, records: Records) -> None:
    kept = start()
    assert (await AsyncClient().get("/adegraded/")).status_code == 200
    (event,), (failure,) = kept.events, records.failures
    assert event["event_id"] == failure.extra["sentry_event"] == failure.id
    assert mechanism(event) == ("qaprod", True)


def test_a_submission_that_was_kept_says_so(start: Start, records: Records, served: Context) -> None:
    kept = start()
    failures.report_exception(ValueError("x"), kind="degraded", extra={"served": "received"})
    failures.report_exception(ValueError("x"), kind="degraded", extra={"served": "form"})
    assert [event["tags"].get("rescued") for event in kept.events] == ["true", None]


def test_an_error_that_is_reported_is_not_another_when_it_is_raised(start: Start, records: Records) -> None:
    kept = start(integrations=[DjangoIntegration()])
    Client(raise_request_exception=False).get("/reported/")
    (event,), (failure,) = kept.events, records.failures
    assert event["event_id"] == failure.id == failure.extra["sentry_event"]
    assert mechanism(event) == ("qaprod", True)


def test_an_error_that_is_logged_is_the_event_of_sentrys_own_integration(
    start: Start, records: Records
) -> None:
    kept = start()
    Client(raise_request_exception=False).get("/logged/")
    (event,), (failure,) = kept.events, records.failures
    assert failure.kind == "logged"
    assert failure.extra == {"logger": "jobs.views", "sentry_event": ""}
    assert mechanism(event) == ("logging", True)
    assert event["logentry"]["message"] == "%s is not there"
    assert event["tags"]["qaprod.failure"] == failure.fingerprint


def test_words_that_are_logged_are_the_event_of_sentrys_own_integration(
    start: Start, records: Records, served: Context
) -> None:
    kept = start()
    log.error("no vacancy %d", 3)
    (event,), (failure,) = kept.events, records.failures
    assert failure.extra == {"logger": "jobs.views", "sentry_event": ""}
    assert event["logentry"]["message"] == "no vacancy %d"
    assert event["tags"]["request_id"] == served.request_id


def test_a_log_that_nobody_makes_an_event_of_is_ours(start: Start, records: Records, served: Context) -> None:
    kept = start(integrations=[])
    log.error("no vacancy %d", 3)
    try:
        raise LookupError("no vacancy")
    except LookupError:
        log.exception("not there")
    words, error = kept.events
    assert [event["event_id"] for event in kept.events] == [failure.id for failure in records.failures]
    assert (words["logger"], words["logentry"]["formatted"]) == ("jobs.views", "no vacancy 3")
    assert words["threads"]["values"][0]["stacktrace"]["frames"][0]["context_line"].strip().startswith("log.")
    assert (error["logger"], mechanism(error)) == ("jobs.views", ("qaprod", True))


@pytest.mark.parametrize("name", ["qaprod", "qaprod.forms", "django_qaprod", "django_qaprod.sinks.database"])
def test_what_we_log_is_no_event(name: str, start: Start) -> None:
    kept = start()
    logging.getLogger(name).error("it failed", exc_info=ValueError("x"))
    assert kept.events == []


def test_what_happens_outside_of_anything_is_an_event_too(start: Start, records: Records) -> None:
    kept = start()
    report(LookupError("no vacancy"))
    (event,), (failure,) = kept.events, records.failures
    assert event["event_id"] == failure.id


def test_an_event_that_the_host_drops_leaves_the_hosts_own_alone(start: Start, records: Records) -> None:
    kept = start(before_send=lambda event, hint: None if "degraded" in event["tags"] else event)
    try:
        prefill.__wrapped__()  # type: ignore[attr-defined]
    except ConnectionError as error:
        failures.report_exception(error, kind="degraded")
        sentry_sdk.capture_exception(error)
    assert len(kept.events) == 1
    assert records.failures[0].extra["sentry_event"] == ""


def test_a_flood_of_degradations_costs_no_event_each(
    start: Start, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1714557600.0
    monkeypatch.setattr(failures, "time", lambda: now)
    kept = start()
    for _ in range(flood.MOST + 5):
        Client().get("/adegraded/")
    assert len(kept.events) == flood.MOST
    assert [failure.extra["sentry_event"] for failure in records.failures[-5:]] == [""] * 5
    tally = guard.take()
    assert tally is not None
    assert tally.dropped == {"sentry.flood": 5}
    now += 60
    Client().get("/adegraded/")
    assert kept.events[-1]["extra"]["qaprod.left_out"] == 5


def test_the_tags_of_the_host_are_left_alone(start: Start, records: Records, served: Context) -> None:
    kept = start()
    served.journey = "applying"
    with sentry_sdk.new_scope() as scope:
        scope.set_tag("journey", "theirs")
        scope.set_tag("shop", "north")
        report(LookupError("no vacancy"))
    assert kept.events[0]["tags"]["journey"] == "theirs"
    assert kept.events[0]["tags"]["shop"] == "north"


def test_errors_that_the_host_wants_to_ignore_are_ignored(start: Start, records: Records) -> None:
    kept = start(ignore_errors=[LookupError])
    report(LookupError("no vacancy"))
    assert kept.events == []
    assert records.failures[0].extra["sentry_event"] == ""


@pytest.mark.filterwarnings("ignore:The send_default_pii option:DeprecationWarning")
@pytest.mark.django_db(databases="__all__")
def test_nothing_is_asked_for_that_the_view_has_not_asked_for(start: Start, records: Records) -> None:
    kept = start(send_default_pii=True)
    client = Client()
    client.force_login(User.objects.create_user("ada"))
    with CaptureQueriesContext(connection) as queries:
        response = client.post("/adegraded/", {"name": "Ada"})
    assert response.status_code == 200
    assert "Vary" not in response
    assert [query["sql"] for query in queries] == []
    (event,) = kept.events
    assert "user" not in event
    assert "data" not in event.get("request", {})


@pytest.mark.filterwarnings("ignore:The send_default_pii option:DeprecationWarning")
@pytest.mark.parametrize("pii", [True, False])
@pytest.mark.django_db(databases="__all__")
def test_who_is_known_is_named_where_the_client_names_people(
    pii: bool, start: Start, records: Records
) -> None:
    kept = start(send_default_pii=pii)
    client = Client()
    client.force_login(user := User.objects.create_user("ada", email="ada@jobs.example"))
    assert client.get("/signed-in/").status_code == 200
    assert kept.events[0].get("user") == ({"id": str(user.pk)} if pii else None)
