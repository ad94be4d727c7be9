"""The demo with its real processes: what is broken is told, and who is told can say that they are on it."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest

from example_project.accounts import STAFF, STAFF_PASSWORD
from example_project.traffic.pages import Form
from tests.servers import wait_until

from .demo import Person, running

pytestmark = [pytest.mark.servers, pytest.mark.slow]

FAULT, RULE = "broken-form", "applications fail"


def test_who_breaks_the_form_is_told_within_minutes_and_can_acknowledge_by_the_mail(tmp_path: Path) -> None:
    """Pressed on the chaos page, met by visitors; in the admin's list, in the inbox; somebody is on it."""
    with running(tmp_path, "--traffic", "3", "--pace", "0.15") as demo:
        url = demo.url()
        staff, anybody = Person(url), Person(url)
        assert staff.log_in("/admin/login/?next=/admin/", STAFF, STAFF_PASSWORD).good
        assert "Nothing so far" in anybody.browser.get("/chaos/told/").text
        assert "On</span>" in staff.switch(FAULT).text

        # Numbers settle for 15 seconds, rules are judged every 30.
        wait_until(lambda: RULE in staff.browser.get("/admin/qaprod/alert/?state=firing").text, timeout=180)
        # What is not critical waits for others of its cause for 30 seconds.
        told = wait_until(lambda: message_about(anybody, RULE), timeout=180, what="the mail is in the inbox")
        assert f"{url}/admin/qaprod/alert/" in told
        assert "KeyError" in told

        link = re.search(rf'href="({url}/qaprod/alerts/[^"]+)"', told)
        assert link, told
        acting = urlsplit(link[1]).path
        page = anybody.browser.get(acting)
        assert page.good
        assert RULE in page.text
        answer = anybody.browser.send(
            Form(name="", action="", method="post", fields={"act": "acknowledge"}), acting
        )
        assert answer.good
        assert "link (team)" in staff.browser.get(alert_page(staff)).text


def message_about(somebody: Person, rule: str) -> str:
    """Return the first message about a rule once it is in the inbox: the fault may bring others."""
    _, *mails = somebody.browser.get("/chaos/told/").text.split("<details")
    return next((mail for mail in reversed(mails) if f"] {rule}" in mail), "")


def alert_page(staff: Person) -> str:
    """Return the address of the page of the rule's alert: what it brings with it may fire, too."""
    links = staff.browser.get(f"/admin/qaprod/alert/?state=firing&rule={quote(RULE)}").page.links
    return next(link for link in links if link.startswith("/admin/qaprod/alert/") and link[20:21].isdigit())
