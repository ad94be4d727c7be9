"""The host's client and we find each other whenever it is started, and nothing is imported to look for it."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import sentry_sdk
from django.test import Client
from pytest_django import Settings

from django_qaprod import report
from django_qaprod.contrib import sentry
from django_qaprod.contrib.sentry import joining
from django_qaprod.testing import Records

from .conftest import Start, uninstall


def host(options: dict[str, Any], when: str) -> Any:
    module = "tests.contrib.sentry.late_host"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", module, json.dumps(options), when],
        cwd=Path(__file__).parents[3],
        check=True,
        stdout=subprocess.PIPE,
        timeout=600,
    )
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("options", [{}, {"DSN": "http://key@127.0.0.1:1/1"}])
def test_without_a_client_nothing_is_imported(options: dict[str, Any]) -> None:
    said = host(options, "never")
    assert said["status"] == 500
    assert said["imported"] == [False, False, False]
    assert said["kept"] == [None, None]


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_client_that_is_started_after_us_is_found(when: str) -> None:
    said = host({}, when)
    assert said["status"] == 500
    assert len(said["events"]) == 2
    assert said["kept"] == said["events"]
    assert said["routes"] == ["raising/", None]


def test_a_client_that_is_started_late_is_met_at_the_first_request(start: Start, settings: Settings) -> None:
    settings.QAPROD = {"SENTRY": {"SCRUB": True}}
    sentry.install()
    kept = start(install=False)
    Client().get("/ok/")
    sentry_sdk.capture_message("password=canary")
    assert len(kept.events) == 1
    assert "canary" not in json.dumps(kept.events)


def test_a_client_without_a_dsn_is_none(settings: Settings, start: Start, records: Records) -> None:
    start(dsn="", transport=None)
    report(ValueError("x"))
    assert "sentry_event" not in records.failures[0].extra, "what it does not send, ours may"


def test_nothing_of_the_client_is_scrubbed_unless_asked(start: Start, records: Records) -> None:
    kept = start()
    report(ValueError("password=canary"))
    assert "canary" in json.dumps(kept.events)


def test_the_client_scrubs_when_asked_behind_what_the_host_has(
    start: Start, records: Records, settings: Settings
) -> None:
    settings.QAPROD = {"SENTRY": {"SCRUB": True}}
    seen = []

    def before_send(event: Any, hint: Any) -> Any:
        seen.append(json.dumps(event))
        return None if "unwanted" in seen[-1] else {**event, "extra": {"password": "canary"}}

    kept = start(before_send=before_send)
    sentry.install()
    report(ValueError("password=canary"))
    report(ValueError("unwanted"))
    sentry_sdk.capture_message("token=canary")
    logging.getLogger("jobs").error("password=%s", "canary")
    assert "canary" in seen[0]
    assert len(kept.events) == 3
    assert "canary" not in json.dumps(kept.events)


def test_a_client_that_is_started_anew_scrubs_too(start: Start, records: Records, settings: Settings) -> None:
    settings.QAPROD = {"SENTRY": {"SCRUB": True}}
    start()
    kept = start()
    report(ValueError("password=canary"))
    assert len(kept.events) == 1
    assert "canary" not in json.dumps(kept.events)


def test_installed_twice_an_error_is_one_event(start: Start, records: Records) -> None:
    kept = start()
    sentry.install()
    joining.join()
    report(ValueError("x"))
    assert len(kept.events) == 1
    assert len(records.failures) == 1


def test_switched_off_again_nothing_is_left(start: Start, records: Records) -> None:
    kept = start()
    uninstall()
    Client(raise_request_exception=False).get("/raising/")
    (event,), (failure,) = kept.events, records.failures
    assert "sentry_event" not in failure.extra
    assert "qaprod.failure" not in event.get("tags", {})
