"""Both set-ups of the documentation, on real servers, with a real server of Sentry's protocol behind.

What Bugsink has is what was sent; a receiver between them sees every byte.
"""

from __future__ import annotations

import os
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.live import host as hosts
from tests.servers import ApplicationServer, run_server, wait_until

from . import bugsink as peers
from .bugsink import Bugsink
from .receiver import Receiver
from .site.views import CANARY

pytestmark = [pytest.mark.servers, pytest.mark.slow]

SETTINGS = "tests.sinks.sentry.site.settings"


@pytest.fixture(scope="module")
def bugsink() -> Iterator[Bugsink]:
    if missing := peers.missing():
        if os.environ.get("CI"):
            pytest.fail(f"missing: {missing}", pytrace=False)
        pytest.skip(f"missing: {missing}")
    with peers.running() as server:
        yield server


@pytest.fixture(scope="module")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> hosts.Host:
    return hosts.sqlite(tmp_path_factory.mktemp("site"))


def visit(server: ApplicationServer, path: str, data: dict[str, str] | None = None) -> int:
    """Visit with secrets in the path, the query string, a cookie, headers and the body."""
    request = urllib.request.Request(
        f"{server.url}/{path}/{CANARY}/?password={CANARY}&next={CANARY}",
        data=urlencode(data).encode() if data is not None else None,
        headers={
            "Cookie": f"sessionid={CANARY}; theme={CANARY}",
            "Authorization": f"Bearer {CANARY}",
            "X-Internal": CANARY,
            "X-Forwarded-For": "203.0.113.77",
            "Referer": f"https://jobs.example/{CANARY}/",
        },
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=60) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return int(error.code)


def exception(event: dict[str, Any]) -> tuple[str, bool]:
    values = event.get("exception", {}).get("values") or [{}]
    mechanism = values[-1].get("mechanism", {})
    return values[-1].get("type", ""), mechanism.get("handled", True)


@pytest.mark.parametrize("kind", ["gunicorn-preload", "uvicorn"])
@pytest.mark.parametrize("whose", ["theirs", "ours"])
def test_each_error_is_one_event_that_its_failure_leads_to(
    whose: str, kind: str, bugsink: Bugsink, migrated: hosts.Host, tmp_path: Path
) -> None:
    release = f"{whose}-{kind}"
    with Receiver(behind=bugsink.url) as between:
        dsn = between.dsn_of(bugsink.key)
        qaprod = {
            "RELEASE": release,
            "RESCUE_KEYS": ["q" * 43 + "="],
            "SENTRY": {} if whose == "theirs" else {"DSN": dsn},
            "SPOOL_DIR": str(tmp_path / "spool"),
        }
        site = hosts.Host(directory=tmp_path, database=migrated.database, changes={"QAPROD": qaprod})
        environment = {**site.environment, "DJANGO_SETTINGS_MODULE": SETTINGS}
        if whose == "theirs":
            environment["SITE_DSN"] = dsn
        with run_server(
            kind, project=hosts.ROOT, settings=SETTINGS, environment=environment, workers=2
        ) as server:
            statuses = [
                visit(server, path) for path in ("raising", "araising", "degraded", "adegraded", "logging")
            ]
            assert statuses == [500, 500, 200, 200, 200]
            assert visit(server, "apply", {"name": "Ada", "password": CANARY}) == 202
            wait_until(lambda: len(between.events) >= 6, what="the events arrive")
        site.tick()
        wait_until(lambda: len(bugsink.events(release)) >= 6, what="Bugsink has them")
        events = {event["event_id"]: event for event in bugsink.events(release)}
        occurrences = of_release(site, release)

    assert len(events) == 6, "one error is one event"
    assert CANARY.encode() not in b"".join(between.bodies)
    assert b"203.0.113.77" not in b"".join(between.bodies)
    for key, kind_of, route, extra in occurrences:
        if kind_of == "logged" and whose == "theirs":
            assert extra["sentry_event"] == "", "it is the event of Sentry's own integration"
            continue
        event = events.pop(extra.get("sentry_event", key.replace("-", "")))
        assert event["tags"]["route"] == route
        assert exception(event)[1] == (kind_of in {"degraded", "logged"})
        assert event["tags"].get("degraded") == ("true" if kind_of == "degraded" else None)
        assert event["tags"].get("rescued") == ("true" if route.startswith("apply/") else None)
        if route.startswith("degraded/"):
            assert event["level"] == "warning"
            assert (event["tags"]["journey"], event["tags"]["step"]) == ("applying", "started")
    told = sorted((kind_of, route.partition("/")[0]) for _, kind_of, route, _ in occurrences)
    assert told == [
        ("degraded", "adegraded"), ("degraded", "apply"), ("degraded", "degraded"), ("logged", "logging"),
        ("unhandled", "araising"), ("unhandled", "raising"),
    ]  # fmt: skip
    assert len(events) == (1 if whose == "theirs" else 0)


def of_release(site: hosts.Host, release: str) -> list[Any]:
    """Return id, kind, route and extra of the occurrences of a release."""
    found: list[Any] = site.ask(
        f"list(Occurrence.objects.filter(release={release!r})"
        ".values_list('id', 'failure__kind', 'route', 'extra'))"
    )
    return found
