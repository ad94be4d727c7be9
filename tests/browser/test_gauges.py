"""A gauge's chart in a browser: drawn with its limit, zoomed with keys alone, and there without script."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from django_qaprod import registry
from django_qaprod.registry import GaugeSpec
from tests.admin import rows

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page
    from pytest_django.live_server_helper import LiveServer

pytestmark = [pytest.mark.browser, pytest.mark.django_db(databases="__all__", transaction=True)]

LIST = "/admin/qaprod/gaugepage/"


@pytest.fixture(autouse=True)
def _gauges() -> Iterator[None]:
    with registry.isolated():
        registry.register_gauge(
            GaugeSpec(
                name="queue.size", read=lambda: 1, place="m", every=60, timeout=10, unit="By", limit=2.0**31
            )
        )
        rows.alive()
        for minutes in range(1, 200, 10):
            rows.gauge("queue.size", 2.0**30 + minutes * 2**22, 2.0**29, unit="By", minutes_ago=minutes)
        # Zero, and alone between gaps.
        rows.gauge("balance", -5.0, minutes_ago=300)
        rows.gauge("balance", 0.0, minutes_ago=60)
        yield


def test_a_gauge_is_found_and_zoomed_from_the_keyboard(page: Page) -> None:
    troubles: list[str] = []
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.goto(LIST)
    page.get_by_role("link", name="queue.size").focus()
    page.keyboard.press("Enter")
    plot = page.locator("#qaprod-gauge .uplot")
    plot.wait_for()
    legend = page.locator("#qaprod-gauge .u-legend")
    assert [word for word in ("mean", "highest", "lowest", "limit") if word not in legend.inner_text()] == []
    plot.focus()
    page.keyboard.press("+")
    everything = page.get_by_role("button", name="Show all")
    everything.wait_for()
    page.keyboard.press("0")
    everything.wait_for(state="hidden")
    page.locator("#qaprod-gauge .u-over").hover()
    page.get_by_text("2 GiB").first.wait_for()
    assert troubles == []


def test_readings_below_zero_and_alone_are_drawn(page: Page) -> None:
    page.goto(f"{LIST}gauge/?name=balance")
    page.locator("#qaprod-gauge .uplot").wait_for()
    # Something of the line's colour is in the picture, above and below the middle.
    drawn = page.evaluate("""() => {
        const figure = document.querySelector("#qaprod-gauge");
        const { width, height } = figure.querySelector("canvas");
        const { data } = figure.querySelector("canvas").getContext("2d").getImageData(0, 0, width, height);
        const probe = document.createElement("canvas").getContext("2d");
        probe.fillStyle = getComputedStyle(figure).getPropertyValue("--qaprod-main");
        probe.fillRect(0, 0, 1, 1);
        const wanted = probe.getImageData(0, 0, 1, 1).data;
        const halves = new Set();
        for (let at = 0; at < data.length; at += 4) {
            const far = [0, 1, 2].some((part) => Math.abs(data[at + part] - wanted[part]) > 30);
            if (!far && data[at + 3] > 200) {
                halves.add(Math.floor(at / 4 / width) < height / 2);
            }
        }
        return halves.size;
    }""")
    assert drawn == 2


def test_without_script_everything_can_be_read(
    browser: Browser, context: BrowserContext, live_server: LiveServer
) -> None:
    plain = browser.new_context(
        java_script_enabled=False, storage_state=context.storage_state(), base_url=live_server.url
    )
    page = plain.new_page()
    page.goto(f"{LIST}gauge/?name=queue.size")
    assert page.locator("#qaprod-gauge svg path.qaprod-line").count() == 4
    page.locator("#qaprod-gauge details summary").click()
    assert page.get_by_role("cell", name="2 GiB").count() >= 19
    plain.close()
