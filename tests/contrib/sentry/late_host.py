"""A host in a process of its own, that starts a client of Sentry when it is told to, or never.

``python -m tests.contrib.sentry.late_host '{options as JSON}' [before|after|never]``: the first request. It
prints what was imported by then, and what became of two errors.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import django
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import path


def ok(request: HttpRequest) -> HttpResponse:
    return HttpResponse("ok")


def raising(request: HttpRequest) -> HttpResponse:
    raise ValueError("the shop is on fire")


urlpatterns = [path("ok/", ok), path("raising/", raising)]
sent: list[Any] = []


def start() -> None:
    import sentry_sdk
    from sentry_sdk.transport import Transport

    class Kept(Transport):
        def capture_envelope(self, envelope: Any) -> None:
            sent.append(envelope.get_event())

    sentry_sdk.init("http://key@127.0.0.1:1/1", transport=Kept)


def main(options: str, when: str) -> None:
    settings.configure(
        ALLOWED_HOSTS=["*"],
        INSTALLED_APPS=["django_qaprod"],
        LOGGING_CONFIG=None,
        QAPROD={"SINKS": [], "SENTRY": json.loads(options)},
        ROOT_URLCONF=__name__,
        SECRET_KEY="x",
    )
    django.setup()
    from django_qaprod import report
    from django_qaprod.testing import capture_records

    said: dict[str, Any] = {"imported": ["sentry_sdk" in sys.modules]}
    with capture_records() as records:
        client = Client(raise_request_exception=False)
        if when == "before":
            start()
        client.get("/ok/")
        said["imported"].append("sentry_sdk" in sys.modules)
        if when == "after":
            start()
        said["status"] = client.get("/raising/").status_code
        report(ValueError("x"))
        said["imported"].append("sentry_sdk" in sys.modules)
    said["kept"] = [failure.extra.get("sentry_event") for failure in records.failures]
    said["events"] = [event["event_id"] for event in sent]
    said["routes"] = [event["tags"].get("route") for event in sent]
    sys.stdout.write(json.dumps(said) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
