"""What real servers write is lines of JSON, by which a failure is followed from the log to the admin."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from django_qaprod.logs import logging_config
from tests.servers import wait_until

from . import host as hosts

pytestmark = [pytest.mark.servers]

GUNICORN = """
from django_qaprod.logs import logging_config
logconfig_dict = logging_config(format="ecs", servers=True)
"""
SINKS = ["django_qaprod.sinks.database.DatabaseSink", "django_qaprod.sinks.log.LogSink"]


@pytest.fixture
def host(tmp_path: Path) -> hosts.Host:
    qaprod = {
        "SPOOL_DIR": str(tmp_path / "spool"),
        "SINKS": SINKS,
        "RELEASE": "2.4.0",
        "LOG_REQUESTS": True,
        "LOG_STEPS": True,
    }
    return hosts.sqlite(
        tmp_path,
        QAPROD=qaprod,
        LOGGING_CONFIG="logging.config.dictConfig",
        LOGGING=logging_config(format="ecs", servers=True, resource={"service.name": "shop"}),
    )


@pytest.mark.parametrize("kind", ["gunicorn-gthread", "uvicorn"])
def test_each_line_is_an_object_and_one_id_leads_to_all_about_a_failure(
    kind: str, host: hosts.Host, tmp_path: Path
) -> None:
    (tmp_path / "gunicorn.conf.py").write_text(GUNICORN)
    options = ("--config", str(tmp_path / "gunicorn.conf.py")) if kind.startswith("gunicorn") else ()
    failing, submitting = "the-failing-request", "the-submitting-request"
    with host.serve(kind, workers=2, arguments=options) as server:
        server.get("/ok/")
        assert server.get("/raise/apples/", headers={"x-request-id": failing}).status == 500
        server.get("/submit/7/", headers={"x-request-id": submitting})
        wait_until(lambda: "failure LookupError" in server.output(), what="the log sink tells of the failure")
        server.stop()
        lines: list[dict[str, Any]] = [json.loads(line) for line in server.output().splitlines()]
    host.tick()
    about = {line["log.logger"]: line for line in lines if line.get("http.request.id") == failing}
    assert set(about) == {"django.request", "qaprod.request", "qaprod"}
    [[failure_id, fingerprint]] = host.ask(
        f"list(Occurrence.objects.filter(request_id={failing!r}).values_list('id', 'failure__fingerprint'))"
    )
    for logger in ("django.request", "qaprod"):
        assert about[logger]["qaprod.occurrence.id"] == failure_id
        assert about[logger]["qaprod.fingerprint"] == fingerprint
        assert about[logger]["error.message"] == "nothing is known of 'apples'"
    assert about["qaprod.request"]["http.response.status_code"] == 500
    assert about["django.request"]["service.name"] == "shop"
    assert about["django.request"]["service.version"] == "2.4.0"
    [step] = [line for line in lines if line["log.logger"] == "qaprod.step"]
    assert (step["event.action"], step["http.request.id"]) == ("live_orders.submitted", submitting)
    # Each is written behind its answer, so that another worker's may come first.
    assert sorted(line["http.route"] for line in lines if line["log.logger"] == "qaprod.request") == [
        "ok/",
        "raise/<str:word>/",
        "submit/<str:number>/",
    ]
    if options:
        assert "gunicorn.error" in {line["log.logger"] for line in lines}
