"""Rescued submissions in a real browser, under a policy that allows nothing inline."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from pytest_django import Settings

from django_qaprod.models import RescuedSubmission
from django_qaprod.sent import reference_of
from tests.admin import rows
from tests.browser.policy import PHONE, POLICY
from tests.forms import kept

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page
    from pytest_django.live_server_helper import LiveServer

pytestmark = [pytest.mark.browser, pytest.mark.django_db(databases="__all__", transaction=True)]

LIST = "/admin/qaprod/rescuedsubmission/"


@pytest.fixture(autouse=True)
def key(settings: Settings) -> None:
    settings.QAPROD = {"RESCUE_KEYS": [kept.KEY]}


def fits(page: Page) -> bool:
    return int(page.evaluate("document.documentElement.scrollWidth")) <= PHONE["width"]


def settle(*those: RescuedSubmission) -> None:
    RescuedSubmission.objects.filter(pk__in=[one.pk for one in those]).update(state="replayed")


def test_every_page_keeps_to_the_policy_and_to_the_width_of_a_phone(page: Page) -> None:
    page.set_viewport_size(PHONE)
    page.goto(LIST)
    assert fits(page)
    made = rows.hostile_submission(rows.HOSTILE)
    RescuedSubmission.objects.update(in_doubt="page")
    for address in (
        LIST, f"{LIST}{made.pk}/change/", f"{LIST}{made.pk}/replay/", f"{LIST}{made.pk}/discard/",
        f"{LIST}progress/?after=0&by=boss",
    ):  # fmt: skip
        response = page.goto(address)
        assert response is not None
        assert response.status == 200, address
        assert response.headers["content-security-policy"] == POLICY
        assert fits(page), address
    for button in ("Show what was sent", "Edit…"):
        page.goto(f"{LIST}{made.pk}/change/")
        # Not before its style sheets are there.
        with page.expect_navigation(wait_until="load"):
            page.get_by_role("button", name=button).click()
        assert fits(page), button


def test_the_list_needs_no_scrolling_beside_both_side_bars(page: Page) -> None:
    rows.hostile_submission(rows.HOSTILE)
    rows.submission("b", subject="jobs.application:7", user="17", in_doubt="commit", journey="JobApplication")
    page.set_viewport_size({"width": 1280, "height": 800})
    page.goto(LIST)
    assert page.evaluate("document.getElementById('nav-sidebar').offsetWidth") > 200
    assert page.locator(".results").evaluate("list => list.scrollWidth - list.clientWidth") <= 0


def test_from_the_list_to_a_replay_by_keyboard_and_by_name(page: Page) -> None:
    made = rows.submission()
    page.goto(LIST)
    page.get_by_role("link", name=reference_of(made.pk)).focus()
    page.keyboard.press("Enter")
    page.get_by_role("heading", name=f"Submission {reference_of(made.pk)}").wait_for()
    assert not page.get_by_text(kept.CANARY).count()
    page.get_by_role("button", name="Show what was sent").focus()
    page.keyboard.press("Enter")
    page.get_by_role("row", name=re.compile(f"letter.*{kept.CANARY}")).wait_for()
    with page.expect_download() as taken:
        page.get_by_role("button", name="Download cv.pdf").press("Enter")
    assert taken.value.suggested_filename == "cv.pdf"
    page.get_by_role("button", name="Edit…").press("Enter")
    page.get_by_label("name", exact=True).fill("Ada Lovelace")
    page.get_by_role("button", name="Save and replay").press("Enter")
    page.get_by_role("progressbar", name="Replays that have ended").wait_for()
    page.get_by_role("status").get_by_text("1 replay is still to come").wait_for()
    made.refresh_from_db()
    assert (made.state, made.version) == ("queued", 2)


def test_the_progress_follows_by_itself_and_stops_when_all_is_done(page: Page) -> None:
    made = [rows.submission(f"k{number}") for number in range(3)]
    page.goto(LIST)
    page.get_by_role("checkbox", name="Select all").check()
    page.get_by_role("combobox", name="Action").select_option("replay")
    page.get_by_role("button", name="Run").click()
    page.get_by_text("3 replays are still to come").wait_for()
    page.evaluate("window.same = true")
    settle(*made[:2])
    page.get_by_text("1 replay is still to come").wait_for()
    rows.act(made[2], outcome="failed", why="no such vacancy")
    RescuedSubmission.objects.filter(pk=made[2].pk).update(state="waiting")
    page.get_by_text("Done: 2 of 3 are replayed.").wait_for()
    page.get_by_text("no such vacancy").wait_for()
    assert page.evaluate("window.same"), "it was not loaded anew"
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.wait_for_timeout(3_000)
    assert asked == []


def test_without_script_the_progress_is_loaded_anew(
    browser: Browser, context: BrowserContext, live_server: LiveServer
) -> None:
    made = rows.submission(state="queued")
    rows.act(made, "queued")
    plain = browser.new_context(
        java_script_enabled=False, storage_state=context.storage_state(), base_url=live_server.url
    )
    page = plain.new_page()
    page.goto(f"{LIST}progress/?after=0&by=boss")
    page.get_by_text("1 replay is still to come").wait_for()
    settle(made)
    page.get_by_text("Done: ").wait_for()
    plain.close()


def test_what_is_in_doubt_is_explained_before_it_is_replayed(page: Page) -> None:
    made = rows.submission(in_doubt="commit")
    page.goto(f"{LIST}{made.pk}/change/")
    page.get_by_role("link", name="Replay…").press("Enter")
    page.get_by_text("The connection to the database was lost").wait_for()
    page.get_by_role("link", name="Cancel").click()
    page.get_by_role("link", name="Replay…").click()
    page.get_by_role("button", name="I have looked: replay it").press("Enter")
    page.get_by_text("1 replay is still to come").wait_for()


def test_a_reason_is_asked_for_before_something_is_discarded(page: Page) -> None:
    made = rows.submission()
    page.goto(f"{LIST}{made.pk}/change/")
    page.get_by_role("link", name="Discard…").press("Enter")
    page.get_by_label("Why").fill("sent twice")
    page.get_by_role("button", name="Discard", exact=True).press("Enter")
    page.get_by_text("1 submission is discarded.").wait_for()
    made.refresh_from_db()
    assert (made.state, made.reason) == ("discarded", "sent twice")
