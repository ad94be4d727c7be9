"""The pages of alerts in a real browser, under a policy that allows nothing inline."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from django_qaprod import clock, registry
from django_qaprod.models import Alert, Deploy, Rule, Silence
from tests.admin import rows
from tests.browser.policy import PHONE, POLICY

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page
    from pytest_django.live_server_helper import LiveServer

pytestmark = [pytest.mark.browser, pytest.mark.django_db(databases="__all__", transaction=True)]

NAME = "orders fail"
WIDE = "W" * 150


@pytest.fixture
def alert(settings: Any) -> Iterator[Alert]:
    """An alert with all that its page can show, and one beside it of hostile and of very long words."""
    settings.QAPROD = {
        **getattr(settings, "QAPROD", {}),
        "CHANNELS": {"mail": {"email": ["on-call@example.org"]}, "c" * 100: {"email": ["b@example.org"]}},
    }
    with registry.isolated():
        registry._journeys.clear()
        registry.register(rows.JOURNEY)
        registry.register_rule(rows.rule(runbook="https://wiki.example.org/orders", by=""))
        registry.register_rule(rows.rule(rows.HOSTILE[:150], description=rows.HOSTILE))
        registry.register_rule(rows.rule(WIDE, description="d" * 300, to=("t" * 90,)))
        rows.one_of_each(rows.HOSTILE)
        rows.hostile_alert(rows.HOSTILE)
        wide = rows.alert(WIDE, key="k" * 200, words="w" * 500, usual="u" * 500, acknowledged_by="a" * 150)
        rows.judged(WIDE, error="e" * 500)
        rows.silence(rule=WIDE, why="y" * 500, who="z" * 150)
        rows.notification(wide, lane="l" * 100, subject="s" * 300, error="e" * 500, held="h" * 200)
        rows.alert(WIDE, state="resolved", resolved_at=clock.now(), useful=False)
        made = rows.alert()
        rows.judged()
        rows.notification(made)
        yield made


def addresses(alert: Alert) -> list[str]:
    wide, silence = Alert.objects.filter(rule=WIDE).earliest("pk"), Silence.objects.get(rule=WIDE)
    names = (NAME, rows.HOSTILE[:150], WIDE)
    return [
        "alert/", "alert/?state=all", f"alert/{alert.pk}/", f"alert/{wide.pk}/", "alert/usefulness/", "rule/",
        *(f"rule/rule/?name={quote(name)}" for name in names), "silence/?when=all", "silence/add/",
        f"silence/{silence.pk}/change/", "channel/", "notification/",
    ]  # fmt: skip


def test_every_page_keeps_to_the_policy_and_to_the_width_of_a_phone(page: Page, alert: Alert) -> None:
    """Whatever words there are, and however long."""
    page.set_viewport_size(PHONE)
    for address in addresses(alert):
        response = page.goto(f"/admin/qaprod/{address}")
        assert response is not None
        assert response.status == 200, address
        assert response.headers["content-security-policy"] == POLICY
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= PHONE["width"], f"{address} is {wide} wide"


def test_on_a_phone_rows_are_read_without_scrolling_sideways(page: Page, alert: Alert) -> None:
    """They stand as blocks; the few tables that do not are shaded where they go on."""
    page.set_viewport_size(PHONE)
    for address in (
        "alert/",
        "failure/",
        "silence/?when=all",
        "notification/",
        "rule/",
        "channel/",
        "deploy/",
    ):
        page.goto(f"/admin/qaprod/{address}")
        found = page.locator(".results, .qaprod-scroll").first
        assert found.evaluate("list => list.scrollWidth - list.clientWidth") <= 0, address
    page.goto("/admin/qaprod/alert/usefulness/")
    found = page.locator(".qaprod-scroll").last
    assert found.evaluate("list => getComputedStyle(list).backgroundAttachment").startswith("local, local, s")
    rows = found.locator("tr").first
    assert rows.evaluate("row => getComputedStyle(row).backgroundColor").startswith("rgba(")


def test_the_list_needs_no_scrolling_beside_both_side_bars(page: Page, alert: Alert) -> None:
    """All columns of an alert are seen at once."""
    page.set_viewport_size({"width": 1280, "height": 800})
    for address in ("alert/", "failure/", "silence/", "notification/"):
        page.goto(f"/admin/qaprod/{address}")
        hidden = page.locator(".results").evaluate("list => list.scrollWidth - list.clientWidth")
        assert hidden <= 0, address


def test_an_alert_is_acknowledged_and_silenced_from_the_keyboard(page: Page, alert: Alert) -> None:
    """The way to it is a tab's, and what is in focus is seen."""
    page.goto(f"/admin/qaprod/alert/{alert.pk}/")
    page.locator("#qaprod-measure .uplot").wait_for()
    button = page.get_by_role("button", name="Acknowledge")
    button.focus()
    page.keyboard.press("Enter")
    page.get_by_text("1 alert is acknowledged.").wait_for()
    page.get_by_role("button", name="Take the acknowledgement back").wait_for()
    page.get_by_label("Why", exact=True).focus()
    page.keyboard.type("vendor bug")
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.get_by_text("1 alert is silent until").wait_for()
    silence = Silence.objects.get(rule=NAME)
    assert silence.until - silence.made_at > timedelta(hours=23)


def test_enter_beside_a_reason_does_what_the_reason_is_of(page: Page, alert: Alert) -> None:
    """And not the first thing on the page, which would lose the reason."""
    page.goto(f"/admin/qaprod/alert/{alert.pk}/")
    page.get_by_label("Why (optional)").fill("mended")
    page.keyboard.press("Enter")
    page.get_by_text("1 alert is resolved.").wait_for()
    alert.refresh_from_db()
    assert (alert.state, alert.acknowledged_by) == ("resolved", "")
    assert alert.transitions.latest("pk").why == "mended"


def test_changes_that_are_close_together_have_one_label(page: Page, alert: Alert) -> None:
    """Printed over each other nobody reads them; what stands by itself keeps its name."""
    page.add_init_script(
        "window.written = []; const fill = CanvasRenderingContext2D.prototype.fillText;"
        "CanvasRenderingContext2D.prototype.fillText = function (text, ...rest) {"
        "  window.written.push(text); fill.call(this, text, ...rest); };"
    )
    Deploy.objects.all().delete()
    for number in range(4):
        at = alert.began_at + timedelta(seconds=number)
        Deploy.objects.create(release=f"form {number}", at=at, flag=True)
    Deploy.objects.create(release="r7", at=alert.began_at - timedelta(hours=1))
    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 800})
        page.goto(f"/admin/qaprod/alert/{alert.pk}/")
        page.locator("#qaprod-measure .uplot").wait_for()
        written = page.evaluate("window.written")
        assert {"4 changes", "r7"} <= set(written)
        assert not [text for text in written if "form" in text]


def test_several_are_silenced_from_the_list(page: Page, alert: Alert) -> None:
    """By way of a page that asks why."""
    page.goto("/admin/qaprod/alert/")
    page.locator(f'input[name="_selected_action"][value="{alert.pk}"]').check()
    page.locator('select[name="action"]').select_option("silence")
    page.locator('button[name="index"]').click()
    page.get_by_label("Why").fill("planned")
    page.get_by_role("button", name="Silence").click()
    page.get_by_text("1 alert is silent until").wait_for()


def test_without_script_everything_can_be_read_and_done(
    browser: Browser, context: BrowserContext, live_server: LiveServer, alert: Alert
) -> None:
    """Charts are pictures and tables, and other numbers are tried and stored all the same."""
    plain = browser.new_context(
        java_script_enabled=False, storage_state=context.storage_state(), base_url=live_server.url
    )
    page = plain.new_page()
    page.goto(f"/admin/qaprod/alert/{alert.pk}/")
    page.get_by_role("button", name="No, not useful").click()
    page.get_by_text("it counts for the rule").wait_for()
    page.goto(f"/admin/qaprod/rule/rule/?name={quote(NAME)}")
    page.get_by_label("at least", exact=True).fill("6")
    page.get_by_role("button", name="Try on the last 28 days").click()
    page.get_by_text("Nothing is changed yet.").wait_for()
    assert page.get_by_label("at least", exact=True).input_value() == "6"
    page.get_by_role("button", name="Change", exact=True).click()
    page.get_by_text("It holds from the next look").wait_for()
    assert Rule.objects.get(name=NAME).override["numbers.at_least"]["value"] == 6.0
    page.goto("/admin/qaprod/silence/add/")
    page.get_by_label("everything").check()
    page.get_by_label("why").fill("database upgrade")
    page.get_by_role("button", name="Ask for quiet").click()
    page.get_by_text("It is silent until").wait_for()
    plain.close()


def test_what_is_missing_is_told_beside_its_field(page: Page, alert: Alert) -> None:
    """And said to who cannot see it."""
    page.goto(f"/admin/qaprod/rule/rule/?name={quote(NAME)}")
    page.get_by_label("window", exact=True).fill("soon")
    page.get_by_role("button", name="Change", exact=True).click()
    page.get_by_role("alert").filter(has_text="Write a time as in").wait_for()
    assert page.get_by_label("window", exact=True).get_attribute("aria-invalid") == "true"
