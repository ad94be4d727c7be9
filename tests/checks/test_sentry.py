"""What the checks say about Sentry."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import pytest
import sentry_sdk
from pytest_django import Settings
from sentry_sdk.transport import Transport

from django_qaprod import checks

DSN = "https://key@sentry.example/7"


class Nowhere(Transport):
    def capture_envelope(self, envelope: Any) -> None: ...


@pytest.fixture
def theirs() -> Iterator[None]:
    """A client of the host's, of release 2024.1."""
    sentry_sdk.init(DSN, transport=Nowhere, release="2024.1", default_integrations=False)
    yield
    sentry_sdk.get_global_scope().set_client(None)


def found(settings: Settings, release: str = "", **options: Any) -> list[str]:
    settings.QAPROD = {"SENTRY": options, "RELEASE": release}
    ours = {"qaprod.E020", "qaprod.E021", "qaprod.W020", "qaprod.W021"}
    return [message.id for message in checks.check_always() if message.id in ours]


def test_a_client_of_ours_or_of_the_hosts_is_well(settings: Settings, theirs: None) -> None:
    assert found(settings) == []
    assert found(settings, DSN=DSN) == []
    sentry_sdk.get_global_scope().set_client(None)
    assert found(settings, DSN=DSN) == []


@pytest.mark.parametrize(
    "dsn",
    [
        "key@sentry.example/7",
        "ftp://key@sentry.example/7",
        "https://sentry.example/7",
        "https://key@/7",
        "https://key@sentry.example/",
        "https://key@sentry.example/jobs",
        "https://key@sentry.example:x/7",
        "https://key@[sentry/7",
    ],
)
def test_what_is_no_dsn_is_an_error_that_does_not_repeat_it(dsn: str, settings: Settings) -> None:
    assert found(settings, DSN=dsn) == ["qaprod.E020"]
    assert not any("key@s" in str(message.msg) for message in checks.check_always())


@pytest.mark.parametrize("dsn", [DSN, "http://a:b@127.0.0.1:9000/1", "https://key@sentry.example/path/to/7"])
def test_what_is_a_dsn_is_none(dsn: str, settings: Settings) -> None:
    assert found(settings, DSN=dsn) == []


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("https://sentry.example/organizations/acme/issues/?query={event_id}", []),
        ("http://bugs.internal/{event_id}/", []),
        ("http://bugs.internal/{event_uuid}/", []),
        ("https://sentry.example/", ["qaprod.E021"]),
        ("https://sentry.example/{event}/", ["qaprod.E021"]),
        ("https://sentry.example/{project}/{event_id}/", ["qaprod.E021"]),
        ("javascript:alert({event_id})", ["qaprod.E021"]),
        ("//sentry.example/{event_id}", ["qaprod.E021"]),
    ],
)
def test_a_pattern_that_leads_nowhere(pattern: str, expected: list[str], settings: Settings) -> None:
    assert found(settings, DSN=DSN, EVENT_URL=pattern) == expected


def test_neither_a_client_nor_a_dsn(settings: Settings) -> None:
    assert found(settings) == ["qaprod.W020"]


@pytest.mark.parametrize(("release", "expected"), [("", []), ("2024.1", []), ("2024.2", ["qaprod.W021"])])
def test_releases_that_differ(release: str, expected: list[str], settings: Settings, theirs: None) -> None:
    assert found(settings, release) == expected


def test_the_package_is_not_imported_to_check(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "sentry_sdk"]:
        monkeypatch.delitem(sys.modules, name)
    found(settings, DSN=DSN)
    assert "sentry_sdk" not in sys.modules
