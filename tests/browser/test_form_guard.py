"""What a visitor types is in their browser until the server has confirmed it, whatever happens to that."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.fernet import Fernet
from django.conf import settings as test_settings

from tests.live import host as hosts
from tests.servers import ApplicationServer, free_port, wait_until

from .apply import POLICY

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

pytestmark = [pytest.mark.browser, pytest.mark.servers, pytest.mark.slow]

TEXT = "I have read about\nyour vacancy & <would> like it."
GIVEN = "What you typed here before has been filled in again. Passwords and files have to be given anew."


class Site:
    """The host under a real server that can be killed and started again at the same address."""

    def __init__(self, directory: Path) -> None:
        self.faults = directory / "faults"
        self.faults.mkdir()
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._host = hosts.sqlite(
            directory,
            ROOT_URLCONF="tests.browser.apply",
            MIDDLEWARE=["tests.browser.apply.with_policy", *test_settings.MIDDLEWARE],
            FAULTS=str(self.faults),
            LOGIN_URL="/guarded/",
            QAPROD={
                "SPOOL_DIR": str(directory / "spool"),
                "RESCUE_KEYS": [Fernet.generate_key().decode()],
                "RERAISE": False,
            },
        )
        self._running = ExitStack()
        self._server: ApplicationServer | None = None

    def start(self) -> None:
        if self._server is None:
            self._server = self._running.enter_context(self._host.serve("gunicorn-gthread", port=self.port))

    def kill(self) -> None:
        assert self._server is not None
        self._server.kill()
        self._server = None
        self._running.close()

    def close(self) -> None:
        self._running.close()

    def fault(self, name: str) -> None:
        (self.faults / name).touch()

    def mend(self) -> None:
        for fault in self.faults.iterdir():
            fault.unlink()

    def orders(self) -> list[str]:
        return list(self._host.ask("list(Order.objects.order_by('pk').values_list('number', flat=True))"))


@pytest.fixture(scope="module")
def _site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    made = Site(tmp_path_factory.mktemp("site"))
    yield made
    made.close()


@pytest.fixture
def site(_site: Site) -> Site:
    _site.mend()
    _site.start()
    return _site


@pytest.fixture
def visitor(browser: Browser, site: Site) -> Iterator[BrowserContext]:
    opened = browser.new_context(base_url=site.url)
    opened.set_default_timeout(60_000)
    yield opened
    opened.close()


@pytest.fixture
def page(visitor: BrowserContext) -> Iterator[Page]:
    """A page whose scripts and policy have nothing to complain about."""
    opened = visitor.new_page()
    complaints: list[Any] = []
    opened.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    yield opened
    # What the server answered is the test's to judge.
    assert [text for text in complaints if "Failed to load resource" not in text] == []


def drafts(page: Page) -> list[dict[str, Any]]:
    found = page.evaluate("Object.entries(localStorage)")
    return [{"key": key, **json.loads(text), "text": text} for key, text in found]


def fill(page: Page, name: str = "Ada") -> None:
    page.get_by_label("Name").fill(name)
    page.get_by_label("Letter").fill(TEXT)
    page.get_by_label("Email").fill("ada@example.org")
    page.get_by_label("Region").select_option("s")
    page.get_by_label("Monday").uncheck()
    page.get_by_label("Wednesday").check()
    page.get_by_label("By phone").check()
    page.get_by_label("Start").fill("2026-12-01")
    page.get_by_label("Agree").check()


def holds(page: Page, name: str = "Ada") -> bool:
    found = page.evaluate("Object.fromEntries([...new FormData(document.forms[1])].map(([k, v]) => [k, v]))")
    days = page.evaluate("new FormData(document.forms[1]).getAll('days')")
    return days == ["we"] and found | {"letter": found["letter"].replace("\r\n", "\n")} == found | {
        "name": name,
        "letter": TEXT,
        "email": "ada@example.org",
        "region": "s",
        "contact": "phone",
        "start": "2026-12-01",
        "agree": "on",
        "step": "one",
    }


def send(page: Page) -> None:
    page.get_by_role("button", name="Send").click()


def until_kept(page: Page) -> None:
    wait_until(lambda: drafts(page), what="a draft is kept")


def told(page: Page) -> None:
    page.get_by_role("status").filter(has_text=GIVEN).wait_for()


def not_told(page: Page) -> bool:
    return page.locator(".qaprod-given-back").count() == 0


def nonce(page: Page) -> str:
    return page.locator("input[name=qaprod_form]").input_value()


def test_a_server_killed_in_mid_submit_costs_the_visitor_nothing(page: Page, site: Site) -> None:
    response = page.goto("/apply/")
    assert response is not None
    assert response.headers["content-security-policy"] == POLICY
    fill(page, "killed")
    sent = nonce(page)
    site.fault("hang")
    page.get_by_role("button", name="Send").click(no_wait_after=True)
    wait_until((site.faults / "hanging").exists, what="the submission is in the view")
    site.kill()
    page.locator("body.neterror").wait_for()
    site.mend()
    site.start()
    page.goto("/apply/")
    told(page)
    assert holds(page, "killed")
    assert nonce(page) == sent, "sent again, it can be known for the same"
    send(page)
    page.get_by_text("Thank you").wait_for()
    assert site.orders().count("killed") == 1
    page.goto("/apply/")
    assert drafts(page) == []
    assert page.get_by_label("Name").input_value() == ""
    assert not_told(page)
    assert nonce(page) != sent


def test_a_closed_tab_is_given_back_in_the_next(page: Page, visitor: BrowserContext) -> None:
    page.goto("/apply/")
    fill(page)
    # The last field that is filled.
    wait_until(lambda: any("agree" in one["text"] for one in drafts(page)))
    page.close()
    later = visitor.new_page()
    later.goto("/apply/")
    wait_until(lambda: holds(later))
    told(later)


def test_what_is_typed_at_the_last_moment_is_given_back(page: Page) -> None:
    page.goto("/apply/")
    page.evaluate(
        "const field = document.querySelector('[name=name]'); field.value = 'Ada';"
        " field.dispatchEvent(new Event('input', {bubbles: true})); location = '/thanks/'"
    )
    page.get_by_text("Thank you").wait_for()
    page.goto("/apply/")
    told(page)
    assert page.get_by_label("Name").input_value() == "Ada"


@pytest.mark.parametrize("address", ["/begin/", "/begin/uncached/"])
def test_a_lost_connection_and_back(page: Page, site: Site, address: str) -> None:
    page.goto(address)
    fill(page)
    site.kill()
    send(page)
    page.locator("body.neterror").wait_for()
    site.start()
    page.go_back()
    page.wait_for_url(f"**{address}")
    wait_until(lambda: holds(page))
    page.goto(address)
    told(page)
    assert holds(page)


def test_an_error_page_and_the_form_anew(page: Page, site: Site) -> None:
    page.goto("/apply/")
    fill(page)
    site.fault("lookup")
    with page.expect_response(lambda answer: answer.status == 500):
        send(page)
    page.goto("/apply/")
    told(page)
    assert holds(page)


def test_who_has_to_sign_in_first_keeps_the_draft(page: Page, site: Site) -> None:
    page.goto("/apply/")
    fill(page)
    site.fault("login")
    send(page)
    page.wait_for_url("**/guarded/?next=/apply/")
    page.goto("/apply/")
    told(page)
    assert holds(page)


def test_what_the_server_keeps_is_cleared(page: Page, site: Site) -> None:
    page.goto("/apply/")
    fill(page, "kept")
    site.fault("raise")
    with page.expect_response(lambda answer: answer.status == 202):
        send(page)
    page.goto("/guarded/")
    assert drafts(page) == []
    assert page.evaluate("document.cookie").count("qaprod_done") == 0
    assert site.orders().count("kept") == 0


def test_a_form_with_errors_is_the_servers_and_goes_on_with_the_draft(page: Page) -> None:
    page.goto("/apply/")
    fill(page)
    page.get_by_label("Email").fill("wrong")
    sent = nonce(page)
    send(page)
    page.get_by_text("This is no address.").wait_for()
    assert not_told(page)
    assert page.get_by_label("Email").input_value() == "wrong"
    assert nonce(page) == sent
    page.get_by_label("Email").fill("ada@example.org")
    wait_until(lambda: any("ada@example.org" in one["text"] for one in drafts(page)))
    page.goto("/apply/")
    told(page)
    assert holds(page)


def test_errors_at_another_address_go_on_with_the_draft_and_success_clears_it(page: Page) -> None:
    page.goto("/begin/")
    fill(page)
    page.get_by_label("Email").fill("wrong")
    sent = nonce(page)
    send(page)
    page.get_by_text("This is no address.").wait_for()
    assert nonce(page) == sent
    page.get_by_label("Email").fill("right")
    send(page)
    page.get_by_text("Thank you").wait_for()
    page.goto("/begin/")
    assert drafts(page) == []


def test_a_value_that_the_server_has_changed_wins(page: Page) -> None:
    page.goto("/apply/")
    fill(page)
    until_kept(page)
    page.goto("/apply/?email=new@example.org")
    told(page)
    assert page.get_by_label("Email").input_value() == "new@example.org"
    assert page.get_by_label("Name").input_value() == "Ada"


def test_secrets_are_never_kept(page: Page, tmp_path: Path) -> None:
    page.goto("/apply/")
    page.get_by_label("Name").fill("Ada")
    page.get_by_label("Keyword").fill("canary-password")
    page.get_by_label("Secret word").fill("canary-secret")
    page.get_by_label("Account").fill("canary-card")
    page.get_by_label("Code").fill("canary-code")
    page.get_by_label("Game").fill("canary-off")
    page.get_by_label("Shoe size").fill("canary-shoes")
    photo = tmp_path / "canary.png"
    photo.write_bytes(b"canary")
    page.get_by_label("Photo").set_input_files(photo)
    page.evaluate("document.querySelector('[name=step]').value = 'canary-hidden'")
    # As pages do that show a password on request.
    page.evaluate("document.querySelector('[name=keyword]').type = 'text'")
    page.get_by_label("Keyword").press("End")
    page.get_by_label("Keyword").type("-shown")
    page.get_by_label("Search").fill("canary-search")
    wait_until(lambda: drafts(page))
    page.evaluate("document.querySelector('form[method=post]').dispatchEvent(new Event('submit'))")
    [draft] = drafts(page)
    assert [name for name, _ in draft["fields"]] == ["name"]
    assert "canary" not in json.dumps(page.evaluate("[{...localStorage}, {...sessionStorage}]"))
    assert page.evaluate("document.querySelector('[name=csrfmiddlewaretoken]').value") not in draft["text"]


def test_the_notice_is_read_and_discarded_from_the_keyboard(page: Page) -> None:
    page.goto("/apply/")
    fill(page)
    until_kept(page)
    page.goto("/apply/")
    told(page)
    assert page.evaluate("document.activeElement === document.body"), "nobody is torn from where they are"
    page.get_by_label("Search").focus()
    page.keyboard.press("Tab")
    button = page.get_by_role("button", name="Discard what I typed", exact=True)
    assert button.evaluate("button => button === document.activeElement")
    page.keyboard.press("Enter")
    page.get_by_role("status").filter(has_text="What you had typed has been discarded.").wait_for()
    assert page.evaluate("document.activeElement.className") == "qaprod-given-back"
    page.keyboard.press("Tab")
    assert page.get_by_label("Name").evaluate("field => field === document.activeElement")
    assert page.get_by_label("Name").input_value() == ""
    assert page.get_by_label("Monday").is_checked()
    assert drafts(page) == []
    page.goto("/apply/")
    assert page.get_by_label("Name").input_value() == ""
    assert not_told(page)


def test_a_form_that_is_as_it_was_served_leaves_nothing(page: Page) -> None:
    page.goto("/apply/")
    page.get_by_label("Name").fill("Ada")
    until_kept(page)
    page.get_by_role("button", name="Start again").click()
    wait_until(lambda: drafts(page) == [])


def test_two_tabs_do_not_take_from_each_other(page: Page, visitor: BrowserContext) -> None:
    other = visitor.new_page()
    page.goto("/apply/")
    other.goto("/apply/")
    fill(page, "one")
    until_kept(page)
    fill(other, "two")
    wait_until(lambda: len(drafts(page)) == 2)
    page.reload()
    assert holds(page, "one")
    send(page)
    page.get_by_text("Thank you").wait_for()
    other.reload()
    assert holds(other, "two")
    assert ["two" in one["text"] for one in drafts(other)] == [True]


def test_a_page_from_the_browsers_cache_learns_what_was_confirmed(
    page: Page, visitor: BrowserContext, site: Site
) -> None:
    page.goto("/apply/")
    page.get_by_label("Name").fill("Ada")
    until_kept(page)
    visitor.add_cookies([{"name": "qaprod_done", "value": nonce(page), "url": site.url}])
    page.evaluate("dispatchEvent(new PageTransitionEvent('pageshow', {persisted: true}))")
    assert drafts(page) == []
    assert page.evaluate("document.cookie").count("qaprod_done") == 0


def test_nobody_elses_draft_is_given_back(page: Page) -> None:
    page.goto("/apply/?owner=17")
    fill(page)
    until_kept(page)
    page.goto("/apply/?owner=18")
    assert page.get_by_label("Name").input_value() == ""
    page.goto("/apply/?owner=17")
    assert holds(page)


def test_a_draft_does_not_outlive_its_time(page: Page) -> None:
    page.goto("/apply/")
    fill(page)
    until_kept(page)
    [draft] = drafts(page)
    left = draft["until"] - page.evaluate("Date.now()")
    assert 23 * 3600_000 < left <= 24 * 3600_000
    page.goto("/thanks/")
    aged = {"until": page.evaluate("Date.now()") - 1, "fields": draft["fields"]}
    page.evaluate("([key, text]) => localStorage.setItem(key, text)", [draft["key"], json.dumps(aged)])
    page.goto("/apply/")
    assert page.get_by_label("Name").input_value() == ""
    assert drafts(page) == []


def test_what_is_kept_is_bounded(page: Page) -> None:
    page.goto("/thanks/")
    page.evaluate(
        "for (let n = 100; n < 140; n++)"
        " localStorage.setItem('qaprod:draft::/x/::1:' + String(n).padStart(32, '0'),"
        " JSON.stringify({until: Date.now() + n * 1000, fields: []}))"
    )
    page.goto("/apply/")
    assert len(drafts(page)) == 20
    page.get_by_label("Letter").fill("x" * 200_000)
    page.evaluate("document.querySelector('form[method=post]').dispatchEvent(new Event('submit'))")
    assert max(len(one["text"]) for one in drafts(page)) < 1000


@pytest.mark.parametrize(
    "broken",
    [
        "Storage.prototype.setItem = () => { throw new DOMException('full', 'QuotaExceededError'); }",
        (
            "for (const name of ['localStorage', 'sessionStorage']) Object.defineProperty(window, name,"
            " {get() { throw new DOMException('forbidden', 'SecurityError'); }})"
        ),
        "Storage.prototype.getItem = () => '{rubbish'",
    ],
    ids=["full", "forbidden", "rubbish"],
)
def test_storage_that_does_not_work_costs_nothing_else(page: Page, site: Site, broken: str) -> None:
    page.add_init_script(broken)
    page.goto("/apply/")
    fill(page, "unstored")
    assert len(nonce(page)) == 32
    before = site.orders().count("unstored")
    send(page)
    page.get_by_text("Thank you").wait_for()
    assert site.orders().count("unstored") == before + 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_notice_fits_a_phone(page: Page, scheme: Any, tmp_path: Path) -> None:
    page.set_viewport_size({"width": 375, "height": 700})
    page.emulate_media(color_scheme=scheme)
    page.goto("/apply/")
    fill(page)
    until_kept(page)
    page.goto("/apply/")
    told(page)
    box = page.locator(".qaprod-given-back").bounding_box()
    assert box is not None
    assert box["width"] <= 375
    border = page.locator(".qaprod-given-back").evaluate("box => getComputedStyle(box).borderTopStyle")
    assert border == "solid", "its look does not fall to the policy"
    page.screenshot(path=tmp_path / f"notice-{scheme}.png")
