"""Our pages in a real browser, under a policy that allows nothing inline."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from django_qaprod import clock, registry
from django_qaprod.models import Bucket, Deploy, Failure, Series
from tests.admin import rows
from tests.browser.policy import PHONE, POLICY

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page
    from pytest_django.live_server_helper import LiveServer

pytestmark = [pytest.mark.browser, pytest.mark.django_db(databases="__all__", transaction=True)]


@pytest.fixture
def failure() -> Iterator[Failure]:
    """A failure with everything that its page can show, and journeys and requests beside it."""
    with registry.isolated():
        registry._journeys.clear()
        registry.register(rows.JOURNEY)
        made = rows.one_of_each(rows.HOSTILE)
        Deploy.objects.update(at=clock.now() - timedelta(days=2))
        series = Series.objects.create(
            digest="f", name="qaprod.failures", label=str(made.pk), attributes={"failure": str(made.pk)}
        )
        hour = clock.epoch(clock.now()) // 3600 * 3600
        for ago in range(60):
            start = clock.moment(hour - ago * 3600)
            Bucket.objects.create(series=series, resolution=3600, start=start, count=1 + ago % 7)
        for number in range(8):
            rows.event(subject=f"app{number}")
        yield made


def addresses(failure: Failure) -> list[str]:
    return [
        "failure/", f"failure/{failure.pk}/change/", "journeypage/", "requestpage/",
        "requestpage/route/?route=a/", "health/", "event/", "deploy/",
    ]  # fmt: skip


def test_every_page_keeps_to_the_policy_and_to_the_width_of_a_phone(page: Page, failure: Failure) -> None:
    page.set_viewport_size(PHONE)
    for address in addresses(failure):
        response = page.goto(f"/admin/qaprod/{address}")
        assert response is not None
        assert response.status == 200, address
        assert response.headers["content-security-policy"] == POLICY
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= PHONE["width"], f"{address} is {wide} wide"


def test_the_list_needs_no_scrolling_beside_both_side_bars(page: Page, failure: Failure) -> None:
    page.set_viewport_size({"width": 1280, "height": 800})
    for order in ("", "?o=-2", "?o=-4", "?o=-5"):
        page.goto(f"/admin/qaprod/failure/{order}")
        assert page.evaluate("document.getElementById('nav-sidebar').offsetWidth") > 200
        hidden = page.locator(".results").evaluate("list => list.scrollWidth - list.clientWidth")
        assert hidden <= 0, order


def test_a_chart_is_zoomed_from_the_keyboard(page: Page, failure: Failure) -> None:
    page.goto(f"/admin/qaprod/failure/{failure.pk}/change/")
    plot = page.locator("#qaprod-trend .uplot")
    everything = page.get_by_role("button", name="Show all")
    plot.wait_for()
    assert not everything.is_visible()
    plot.focus()
    page.keyboard.press("+")
    everything.wait_for()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("0")
    everything.wait_for(state="hidden")


def test_a_chart_is_zoomed_by_dragging(page: Page, failure: Failure) -> None:
    page.goto(f"/admin/qaprod/failure/{failure.pk}/change/")
    over = page.locator("#qaprod-trend .u-over")
    over.scroll_into_view_if_needed()
    box = over.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 100, box["y"] + 50)
    page.mouse.down()
    page.mouse.move(box["x"] + 300, box["y"] + 50, steps=5)
    page.mouse.up()
    everything = page.get_by_role("button", name="Show all")
    everything.wait_for()
    everything.click()
    everything.wait_for(state="hidden")


def test_the_chart_follows_the_theme(page: Page, failure: Failure) -> None:
    page.emulate_media(color_scheme="light")
    page.goto(f"/admin/qaprod/failure/{failure.pk}/change/")
    swatch = page.locator("#qaprod-trend .u-legend .u-series").nth(1).locator(".u-marker")
    swatch.wait_for()
    colour = "element => getComputedStyle(element).borderTopColor"
    light = swatch.evaluate(colour)
    page.emulate_media(color_scheme="dark")
    page.wait_for_function(
        "light => getComputedStyle(document.querySelectorAll('#qaprod-trend .u-legend .u-marker')[0])"
        ".borderTopColor !== light",
        arg=light,
    )


def test_a_priority_is_explained_from_the_keyboard(page: Page, failure: Failure) -> None:
    page.goto("/admin/qaprod/failure/")
    summary = page.locator(".qaprod-why summary").first
    summary.focus()
    assert summary.evaluate("element => getComputedStyle(element).outlineStyle") != "none"
    page.keyboard.press("Enter")
    page.get_by_text("its kind is “unhandled”").first.wait_for()


def test_a_failure_is_resolved_from_the_keyboard(page: Page, failure: Failure) -> None:
    page.goto(f"/admin/qaprod/failure/{failure.pk}/change/")
    page.get_by_label("Why").fill("mended")
    page.get_by_role("button", name="Resolve", exact=True).focus()
    page.keyboard.press("Enter")
    page.get_by_text("1 failure is resolved.").wait_for()
    failure.refresh_from_db()
    assert failure.state == "resolved"


def test_the_text_for_a_ticket_is_copied(page: Page, context: BrowserContext, failure: Failure) -> None:
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto(f"/admin/qaprod/failure/{failure.pk}/change/")
    page.get_by_role("button", name="Copy as text").click()
    page.get_by_role("button", name="Copied").wait_for()
    assert f"/admin/qaprod/failure/{failure.pk}/change/" in page.evaluate("navigator.clipboard.readText()")


def test_without_a_clipboard_the_text_is_selected(page: Page, failure: Failure) -> None:
    page.add_init_script("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
    page.goto(f"/admin/qaprod/failure/{failure.pk}/change/")
    page.get_by_role("button", name="Copy as text").click()
    page.wait_for_function("document.activeElement.id === 'qaprod-text'")
    assert page.locator("#qaprod-text").is_visible()


def test_without_script_everything_can_be_read(
    browser: Browser, context: BrowserContext, live_server: LiveServer, failure: Failure
) -> None:
    plain = browser.new_context(
        java_script_enabled=False, storage_state=context.storage_state(), base_url=live_server.url
    )
    page = plain.new_page()
    page.goto(f"/admin/qaprod/failure/{failure.pk}/change/")
    assert page.locator("#qaprod-trend svg path.qaprod-line").count() == 1
    page.locator("#qaprod-trend details summary").click()
    assert page.locator("#qaprod-trend tbody tr").count() >= 60
    page.locator("#ticket summary").click()
    assert f"/failure/{failure.pk}/change/" in page.locator("#qaprod-text").input_value()
    plain.close()
