"""The page behind a message's link, in a browser: on a phone, from the keyboard, under its own policy."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from django_qaprod.alerts import tokens
from django_qaprod.models import Alert
from tests.admin import rows
from tests.alerts import told
from tests.public.hosts import Plain

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page
    from pytest_django import Settings
    from pytest_django.live_server_helper import LiveServer

pytestmark = [pytest.mark.browser, pytest.mark.django_db(databases="__all__", transaction=True)]

PHONE = {"width": 390, "height": 844}


@pytest.fixture
def visitor(browser: Browser, live_server: LiveServer, settings: Settings) -> Iterator[BrowserContext]:
    """Somebody with a phone, who is signed in nowhere and runs no scripts."""
    settings.ROOT_URLCONF = Plain
    opened = browser.new_context(base_url=live_server.url, viewport=PHONE, java_script_enabled=False)
    opened.set_default_timeout(60_000)
    yield opened
    opened.close()


@pytest.fixture
def page(visitor: BrowserContext) -> Iterator[Page]:
    """A page whose policy has nothing to complain about."""
    opened = visitor.new_page()
    complaints: list[Any] = []
    opened.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    yield opened
    assert [text for text in complaints if "favicon" not in text and "404" not in text] == []


def link(*alerts: Alert) -> str:
    return f"/alerts/{tokens.make(told.message(*alerts), 'chat')}/"


def test_it_is_acknowledged_and_judged_from_the_keyboard_without_a_cookie(page: Page) -> None:
    """Tab, Enter: the page says that it is done, and asks no more."""
    alert = told.alert()
    page.goto(link(alert))
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.get_by_text("Acknowledged by link (chat)").wait_for()
    assert page.get_by_role("button", name="I am on it").count() == 0
    page.get_by_role("button", name="Yes").focus()
    page.keyboard.press("Enter")
    page.get_by_text("It was useful to be told.").wait_for()
    assert page.get_by_role("button", name="Yes", pressed=True).count() == 1
    assert page.context.cookies() == []
    alert.refresh_from_db()
    assert (alert.acknowledged_by, alert.useful) == ("link (chat)", True)


def test_hostile_words_neither_run_nor_break_the_page(page: Page) -> None:
    """What is long is broken, what is markup is text, and no text turns the rest around."""
    long = "W" * 100
    alert = told.alert(f"{rows.HOSTILE} {long}"[:150], key=long, words=rows.HOSTILE * 3, usual=long)
    page.goto(link(alert))
    assert page.locator("script").count() == 0
    page.get_by_role("heading", level=1).get_by_text("<script>").wait_for()
    assert page.locator("h1").bounding_box()["width"] <= PHONE["width"]  # type: ignore[index]
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
