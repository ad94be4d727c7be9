"""Breaches in the admin: the longest overdue first, with what failed around them, repaired or dismissed."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.db import connections
from django.test import Client
from django.test.utils import CaptureQueriesContext

from django_qaprod import clock
from django_qaprod.conf import telemetry_alias
from django_qaprod.models import Affected, Breach
from tests.admin import rows

pytestmark = [pytest.mark.django_db(databases="__all__"), pytest.mark.usefixtures("expectation")]

LIST = "/admin/qaprod/breach/"


def body(client: Client, address: str = LIST, **posted: Any) -> str:
    answer = client.post(address, posted, follow=True) if posted else client.get(address)
    return answer.content.decode()


def test_the_longest_overdue_comes_first_and_what_is_closed_not_at_all(client_of_boss: Client) -> None:
    now = clock.now()
    rows.breach("young", due_at=now - timedelta(minutes=2))
    rows.breach("old", due_at=now - timedelta(days=2))
    rows.breach("done", state="came", closed_at=now)
    text = body(client_of_boss)
    assert text.index(">old<") < text.index(">young<")
    assert ">done<" not in text
    assert "2\N{NO-BREAK SPACE}days late" in text
    assert ">done<" in body(client_of_boss, f"{LIST}?state=all")
    assert ">old<" not in body(client_of_boss, f"{LIST}?state=came")


def test_a_breach_is_found_by_its_subject(client_of_boss: Client) -> None:
    rows.breach("17")
    rows.breach("170")
    text = body(client_of_boss, f"{LIST}?q=17")
    assert ">17<" in text
    assert ">170<" not in text


def test_its_page_has_what_failed_around_it(client_of_boss: Client) -> None:
    breach = rows.breach("17", request_id="the-request")
    by_subject, by_request, other = (rows.failure(number, message=f"n{number}") for number in (1, 2, 3))
    Affected.objects.create(
        failure=by_subject, who="subject", journey="JobApplication", key="17", at=clock.now()
    )
    Affected.objects.create(failure=other, who="subject", journey="another", key="17", at=clock.now())
    rows.occurrence(by_request, request_id="the-request")
    text = body(client_of_boss, f"{LIST}{breach.pk}/change/")
    assert [f"/failure/{one.pk}/change/" in text for one in (by_subject, by_request, other)] == [
        True, True, False,
    ]  # fmt: skip
    assert "JobApplication.emailed" in text, "what was to follow"


def test_a_repair_is_tried_dry_and_done_when_that_is_confirmed(client_of_boss: Client) -> None:
    breach = rows.breach("17")
    asked = body(client_of_boss, f"{LIST}{breach.pk}/repair/", sure="no")
    assert "would send 17" in asked
    assert 'name="confirmed" value="yes"' in asked
    done = body(client_of_boss, f"{LIST}{breach.pk}/repair/", confirmed="yes")
    assert "sent 17" in done
    breach.refresh_from_db()
    assert [(one["who"], one["dry_run"]) for one in breach.tried] == [("boss", True), ("boss", False)]
    assert breach.tries == 0, "those of people do not count for the worker"


def test_a_repair_that_fails_dry_cannot_be_confirmed(client_of_boss: Client) -> None:
    breach = rows.breach("broken")
    asked = body(client_of_boss, f"{LIST}{breach.pk}/repair/", sure="no")
    assert "LookupError: no such school" in asked
    assert "confirmed" not in asked


def test_what_is_closed_or_not_declared_any_more_is_not_repaired(client_of_boss: Client) -> None:
    came, gone = rows.breach("1", state="came", closed_at=clock.now()), rows.breach("2", expectation="gone")
    for breach in (came, gone):
        assert "Repair…" not in body(client_of_boss, f"{LIST}{breach.pk}/change/")
        text = body(client_of_boss, f"{LIST}{breach.pk}/repair/", confirmed="yes")
        assert "It cannot be repaired any more." in text
        breach.refresh_from_db()
        assert breach.tried == []


def test_to_dismiss_asks_for_the_reason(client_of_boss: Client) -> None:
    breach = rows.breach("17")
    address = f"{LIST}{breach.pk}/dismiss/"
    assert "Say why." in body(client_of_boss, address, why=" ")
    breach.refresh_from_db()
    assert breach.state == "open"
    assert "1 breach is dismissed." in body(client_of_boss, address, why="They phoned.")
    text = body(client_of_boss, f"{LIST}{breach.pk}/change/")
    assert "They phoned." in text
    assert "Dismiss…" not in text


def test_many_are_dismissed_at_once(client_of_boss: Client) -> None:
    chosen = [rows.breach(str(number)).pk for number in range(3)]
    rows.breach("other")
    data = {"action": "dismiss", "_selected_action": chosen[:2], "index": "0"}
    asked = body(client_of_boss, LIST, **data)
    assert "2 breaches will be closed" in asked
    hidden = re.findall(r'type="hidden" name="(\w+)" value="(\w+)"', asked)
    assert {value for name, value in hidden if name == "_selected_action"} == set(map(str, chosen[:2]))
    body(client_of_boss, LIST, **data, why="A test.")
    assert Breach.objects.filter(state="dismissed").count() == 2


@pytest.mark.parametrize(("permission", "view"), [("repair", "repair"), ("dismiss", "dismiss")])
def test_each_act_asks_for_its_own_permission(permission: str, view: str) -> None:
    breach = rows.breach()
    other = "dismiss" if permission == "repair" else "repair"
    for name, given, status in (("without", other, 403), ("with", permission, 302)):
        client = Client()
        client.force_login(rows.user(name, "view_breach", f"{given}_breach"))
        page = body(client, f"{LIST}{breach.pk}/change/")
        assert (f"/{view}/" in page) == (status == 302)
        posted = {"confirmed": "yes", "why": "n"}
        assert client.post(f"{LIST}{breach.pk}/{view}/", posted).status_code == status


@pytest.mark.parametrize("pk", ["0", "999999", "x", "%00", "9" * 40, "٣"])
def test_what_is_no_breach_is_not_found(client_of_boss: Client, pk: str) -> None:
    for address in (f"{LIST}{pk}/change/", f"{LIST}{pk}/dismiss/"):
        assert client_of_boss.get(address).status_code == 404


def test_the_list_and_a_page_read_a_fixed_number_of_rows(client_of_boss: Client) -> None:
    def queries(address: str) -> int:
        with CaptureQueriesContext(connections[telemetry_alias()]) as read:
            body(client_of_boss, address)
        return len(read)

    breach = rows.breach()
    few = queries(LIST), queries(f"{LIST}{breach.pk}/change/")
    for number in range(30):
        rows.breach(str(number))
    assert (queries(LIST), queries(f"{LIST}{breach.pk}/change/")) == few


def test_who_may_not_look_at_failures_is_not_shown_them() -> None:
    breach = rows.breach("17")
    failure = rows.failure(message="a secret of the host's")
    Affected.objects.create(
        failure=failure, who="subject", journey="JobApplication", key="17", at=clock.now()
    )
    for name, given in (("without", ()), ("with", ("view_failure",))):
        client = Client()
        client.force_login(rows.user(name, "view_breach", *given))
        text = body(client, f"{LIST}{breach.pk}/change/")
        assert ("a secret of the host" in text) == (name == "with")


def test_a_nul_in_the_reason_is_left_out(client_of_boss: Client) -> None:
    breach = rows.breach("17")
    body(client_of_boss, f"{LIST}{breach.pk}/dismiss/", why="They\x00 phoned.")
    breach.refresh_from_db()
    assert breach.state == "dismissed"
    assert "\x00" not in breach.why


def test_what_came_twice_has_no_repair(client_of_boss: Client) -> None:
    breach = rows.breach("17", kind="twice")
    assert "Repair…" not in body(client_of_boss, f"{LIST}{breach.pk}/change/")
    text = body(client_of_boss, f"{LIST}{breach.pk}/repair/", confirmed="yes")
    assert "It cannot be repaired any more." in text
