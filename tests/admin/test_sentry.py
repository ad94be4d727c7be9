"""A failure's page leads to its event in Sentry, and back."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from django_qaprod.dashboard import failure as failure_data
from django_qaprod.dashboard.ticket import text
from tests.admin import rows

pytestmark = pytest.mark.django_db(databases="__all__")

EVENT = "9cc3b24f77ce46a1a8d3f405bd4e3bae"
PATTERN = "https://sentry.example/organizations/acme/issues/?query={event_id}&x=1"
DSN = "https://key@sentry.example/7"


def page(client: Client, settings: Settings, extra: Any, **options: Any) -> tuple[str, str]:
    """Return a failure's page under these options, and the id of its occurrence."""
    settings.QAPROD = {"SENTRY": options}
    made = rows.failure()
    occurrence = rows.occurrence(made, extra=extra)
    body = client.get(f"/admin/qaprod/failure/{made.pk}/change/").content.decode()
    return body, str(occurrence.pk)


def test_an_event_of_the_sites_own_client_is_linked(client_of_boss: Client, settings: Settings) -> None:
    body, _ = page(client_of_boss, settings, {"sentry_event": EVENT, "school": "x"}, EVENT_URL=PATTERN)
    link = f'href="https://sentry.example/organizations/acme/issues/?query={EVENT}&amp;x=1"'
    assert body.count(link) == 1
    assert 'rel="noreferrer"' in body
    assert "sentry_event" not in body
    assert "school" in body


def test_what_went_out_by_our_own_client_is_linked_by_its_id(
    client_of_boss: Client, settings: Settings
) -> None:
    body, key = page(client_of_boss, settings, {}, EVENT_URL=PATTERN, DSN=DSN)
    assert f"?query={key}&amp;x=1" in body


def test_a_place_that_wants_dashes_gets_them(client_of_boss: Client, settings: Settings) -> None:
    pattern = "https://bugs.example/issues/event/{event_uuid}/"
    body, _ = page(client_of_boss, settings, {"sentry_event": EVENT}, EVENT_URL=pattern)
    assert 'href="https://bugs.example/issues/event/9cc3b24f-77ce-46a1-a8d3-f405bd4e3bae/"' in body


@pytest.mark.parametrize(
    ("extra", "options"),
    [
        ({}, {"EVENT_URL": PATTERN}),
        ({"sentry_event": ""}, {"EVENT_URL": PATTERN, "DSN": DSN}),
        ({"sentry_event": EVENT}, {}),
        ({"sentry_event": EVENT}, {"EVENT_URL": "https://sentry.example/"}),
        ({"sentry_event": EVENT}, {"EVENT_URL": "javascript:alert('{event_id}')"}),
        ({"sentry_event": '"><script>'}, {"EVENT_URL": PATTERN}),
        ({"sentry_event": ["x"]}, {"EVENT_URL": PATTERN}),
        ({"sentry_event": None}, {"EVENT_URL": PATTERN}),
        ("nonsense", {"EVENT_URL": PATTERN}),
    ],
)
def test_without_an_event_or_a_place_there_is_no_link(
    extra: Any, options: dict[str, Any], client_of_boss: Client, settings: Settings
) -> None:
    body, _ = page(client_of_boss, settings, extra, **options)
    assert "<dt>Sentry</dt>" not in body


def test_while_it_is_off_there_is_no_link(client_of_boss: Client, settings: Settings) -> None:
    settings.QAPROD = {}
    made = rows.failure()
    rows.occurrence(made, extra={"sentry_event": EVENT})
    body = client_of_boss.get(f"/admin/qaprod/failure/{made.pk}/change/").content.decode()
    assert "<dt>Sentry</dt>" not in body


def test_the_text_for_a_ticket_names_the_event(settings: Settings) -> None:
    settings.QAPROD = {"SENTRY": {"EVENT_URL": PATTERN}}
    made = rows.failure()
    rows.occurrence(made, extra={"sentry_event": EVENT})
    ticket = text(made, failure_data.latest(made), [], url="")
    assert f"Sentry: https://sentry.example/organizations/acme/issues/?query={EVENT}&x=1" in ticket


def test_a_failure_is_found_by_the_tag_that_its_events_have(client_of_boss: Client) -> None:
    rows.failure(1)
    rows.failure(2, state="resolved")
    listed = client_of_boss.get("/admin/qaprod/failure/", {"q": "failure:v1:2"}).content.decode()
    assert "school 2" in listed
    assert "school 1" not in listed
