"""Every fault does what the chaos page says. A locked table needs more processes: ``test_demo.py``."""

from __future__ import annotations

from pathlib import Path
from smtplib import SMTPServerDisconnected
from typing import Any
from unittest import mock

import django
import pytest
from django.contrib.auth.models import User
from django.contrib.staticfiles import finders
from django.core import mail
from django.core.mail import EmailMessage, EmailMultiAlternatives
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import Client, TestCase
from django.urls import reverse
from django.utils.html import escape

from django_qaprod.records import FailureRecord
from django_qaprod.testing import Records
from example_project.chaos.faults import FAULTS, NAMES
from example_project.chaos.mail import EmailBackend, deliver
from example_project.chaos.switches import Switches
from example_project.jobs.models import Application, Vacancy
from example_project.jobs.remembered import Remembered
from example_project.traffic.pages import Page

from .applying import fill_in, form_url, save, start, submit

CHROME = "Mozilla/5.0 (X11; Linux) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36"
SAFARI = "Mozilla/5.0 (Macintosh) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Safari/605.1.15"


def outcomes(records: Records, route: str) -> set[str]:
    """Return how the requests of a route ended."""
    return {dict(cell.attributes)["qaprod.outcome"] for cell in records.requests if cell.label == route}


def only(records: Records) -> FailureRecord:
    """Return the one failure that was recorded."""
    (failure,) = records.failures
    return failure


@pytest.mark.parametrize(
    ("fault", "error_type"),
    [
        ("missing-data", "IndexError"),
        ("slow-profiles", "TimeoutError"),
        ("dead-profiles", "RemoteDisconnected"),
    ],
)
def test_the_form_is_served_without_the_profile(
    teacher: Client,
    teaching: Vacancy,
    switches: Switches,
    qaprod_records: Records,
    fault: str,
    error_type: str,
) -> None:
    """Whatever ails the profile service, the teacher gets the form; the failure names whom it met."""
    switches.turn(fault, on=True)
    application = start(teacher, teaching)
    response = teacher.get(form_url(application, "about"))
    assert response.status_code == 200
    assert b"Save and continue" in response.content
    failure = only(qaprod_records)
    assert failure.kind == "degraded"
    assert failure.served
    assert failure.error_type.endswith(error_type)
    assert (failure.name, failure.journey, failure.subject) == (
        "profile prefill",
        "job_application",
        str(application.pk),
    )
    assert outcomes(qaprod_records, "applications/<uuid:token>/form/<slug:page>/") == {"degraded"}
    fill_in(teacher, application)
    assert submit(teacher, application).status_code == 302


def test_nobody_waits_behind_an_open_breaker(
    teacher: Client, teaching: Vacancy, switches: Switches, qaprod_records: Records
) -> None:
    """Three teachers wait for the slow service; the next ones have their form at once."""
    switches.turn("slow-profiles", on=True)
    application = start(teacher, teaching)
    for _ in range(3):
        teacher.get(form_url(application, "about"))
    for _ in range(5):
        assert teacher.get(form_url(application, "about")).status_code == 200
    met = [failure.error_type.rpartition(".")[2] for failure in qaprod_records.failures]
    assert met == ["TimeoutError"] * 3, "the service is not asked any more"


def test_without_the_search_all_schools_are_listed(
    visitor: Client, switches: Switches, qaprod_records: Records
) -> None:
    """The visitor is told, and can look through the list."""
    found = visitor.get("/schools/", {"q": "York"}).content
    assert b"Eastgate" in found
    assert b"Ashfield" not in found
    switches.turn("dead-search", on=True)
    everything = visitor.get("/schools/", {"q": "York"}).content
    assert b"We cannot search just now" in everything
    assert b"Ashfield" in everything
    assert only(qaprod_records).name == "school search"


def test_a_refused_email_does_not_lose_the_application(
    visitor: Client,
    teaching: Vacancy,
    switches: Switches,
    qaprod_records: Records,
    settings: Any,
    tmp_path: Path,
) -> None:
    """Every second one stays behind, submitted and not sent; it is a failure of the highest severity."""
    backend = "example_project.chaos.mail.EmailBackend"
    if django.VERSION >= (6, 1):
        settings.MAILERS = {"default": {"BACKEND": backend, "OPTIONS": {"file_path": tmp_path / "mail"}}}
    else:
        settings.EMAIL_BACKEND, settings.EMAIL_FILE_PATH = backend, tmp_path / "mail"
    switches.turn("flaky-email", on=True)
    for _ in range(2):
        application = start(visitor, teaching)
        fill_in(visitor, application)
        assert visitor.get(submit(visitor, application)["Location"]).status_code == 200
    assert Application.objects.filter(status="submitted").count() == 2
    assert Application.objects.filter(emailed_at=None).count() == 1
    assert len(list((tmp_path / "mail").iterdir())) == 1
    failure = only(qaprod_records)
    assert (failure.name, failure.severity, failure.served) == ("e-mail to the school", "critical", True)


def test_a_template_error_stops_new_applicants_only(
    visitor: Client, teaching: Vacancy, switches: Switches, qaprod_records: Records
) -> None:
    """The vacancy's page is a 500; an application that was begun goes on."""
    application = start(visitor, teaching)
    switches.turn("template-error", on=True)
    assert visitor.get(teaching.get_absolute_url()).status_code == 500
    assert only(qaprod_records).error_type.endswith("TemplateDoesNotExist")
    assert save(visitor, application, "about").status_code == 302


@pytest.mark.parametrize("name", ["csv", "print"])
def test_an_error_in_mid_stream_is_recorded(
    visitor: Client, teaching: Vacancy, switches: Switches, qaprod_records: Records, name: str
) -> None:
    """The status is 200, the rest does not come, and the failure is known all the same."""
    application = start(visitor, teaching)
    switches.turn("broken-stream", on=True)
    response = visitor.get(reverse(f"jobs:{name}", args=(application.token,)))
    assert response.status_code == 200
    with pytest.raises(UnicodeError):
        response.getvalue()
    assert only(qaprod_records).kind == "unhandled"


def test_the_button_is_lost_in_one_browser_only(
    visitor: Client, teaching: Vacancy, switches: Switches, qaprod_records: Records
) -> None:
    """No error, nowhere."""
    application = start(visitor, teaching)
    fill_in(visitor, application)
    switches.turn("lost-button", on=True)
    address = reverse("jobs:review", args=(application.token,))
    [chrome, safari] = [visitor.get(address, headers={"User-Agent": agent}) for agent in (CHROME, SAFARI)]
    assert chrome.content.count(b"Send to the school") == safari.content.count(b"Send to the school") == 1
    assert b'<div class="actions new-look">' in safari.content
    style = Path(str(finders.find("jobs/site.css"))).read_text()
    # Of which WebKit alone knows the font.
    assert "@supports (font: -apple-system-body) {\n  .new-look .button { display: none; }" in style
    assert qaprod_records.failures == []


def test_visitors_with_that_browser_do_not_see_the_button() -> None:
    """They read no style sheets, and leave as somebody would who does not see it."""
    page = Page('<form data-form="submit"><div class="actions new-look"><button>Send</button></div></form>')
    form = page.form("submit")
    assert form is not None
    assert "new-look" in form.look


def test_an_e_mail_that_is_lost_leaves_no_trace(
    visitor: Client, teaching: Vacancy, switches: Switches, qaprod_records: Records
) -> None:
    """Submitted, not sent, and no error anywhere: the expectation alone knows."""
    application = start(visitor, teaching)
    fill_in(visitor, application)
    switches.turn("lost-email", on=True)
    with TestCase.captureOnCommitCallbacks(execute=True):
        assert submit(visitor, application).status_code == 302
    application.refresh_from_db()
    assert application.is_submitted
    assert application.emailed_at is None
    assert mail.outbox == []
    assert qaprod_records.failures == []


def test_memory_leaks_slowly_within_bounds_and_is_given_back(switches: Switches) -> None:
    """Two megabytes a minute, and the cap, whenever somebody looks; the gauge reads it."""
    remembered = Remembered()
    remembered.add("teacher")
    assert remembered.size() == len("teacher")
    switches.turn("slow-leak", on=True)
    with mock.patch("example_project.jobs.remembered.time.monotonic") as monotonic:
        monotonic.return_value = 0.0
        assert remembered.size() < 1000
        monotonic.return_value = 90.0
        assert remembered.size() == pytest.approx(3 * 2**20, rel=0.01)
        monotonic.return_value = 86400.0
        assert remembered.size() == pytest.approx(48 * 2**20, rel=0.01)
    switches.turn("slow-leak", on=False)
    assert remembered.size() == len("teacher")


def test_the_import_fails_when_told_to(site: None, switches: Switches) -> None:
    """It is a command: whoever runs it sees its exit status, if somebody looks."""
    call_command("import_vacancies")
    switches.turn("dead-import", on=True)
    with pytest.raises(CommandError):
        call_command("import_vacancies")


def test_what_the_team_is_told_is_on_a_page(site: None, settings: Any, tmp_path: Path) -> None:
    """The newest first; the HTML of a mail runs no scripts; what is no mail is not found."""
    settings.CHAOS_OPEN, settings.INBOX_DIR = True, tmp_path / "inbox"
    client = Client()
    assert b"Nothing so far" in client.get("/chaos/told/").content
    for number in (1, 2):
        written = EmailMultiAlternatives(
            f"[error] <b>{number}</b>", f"Line https://x.example/{number}", "a@b.example"
        )
        written.attach_alternative(f"<p>{number}</p>", "text/html")
        written.to = [settings.TEAM]
        deliver(written)
    page = client.get("/chaos/told/")
    assert [one.subject for one in page.context["mails"]] == ["[error] <b>2</b>", "[error] <b>1</b>"]
    assert "&lt;b&gt;2&lt;/b&gt;" in page.content.decode()
    name = page.context["mails"][0].name
    shown = client.get(f"/chaos/told/{name}/")
    assert shown.content.strip() == b"<p>2</p>"
    assert shown["Content-Security-Policy"].startswith("default-src 'none'")
    for other in ("1-1", "..", "x.eml"):
        assert client.get(f"/chaos/told/{other}/").status_code == 404


def test_schools_do_not_get_the_teams_mail(settings: Any, tmp_path: Path, switches: Switches) -> None:
    """The fault of the one server is none of the other."""
    settings.INBOX_DIR, settings.MAIL_DIR = tmp_path / "inbox", tmp_path / "mail"
    switches.turn("flaky-email", on=True)
    backend = EmailBackend(file_path=tmp_path / "mail")
    for _ in range(4):
        assert backend.send_messages([EmailMessage("To the team", "…", "a@b.example", [settings.TEAM])]) == 1
    refused = 0
    for _ in range(4):
        try:
            backend.send_messages(
                [EmailMessage("To a school", "…", "a@b.example", ["office@school.example"])]
            )
        except SMTPServerDisconnected:
            refused += 1
    assert refused == 2
    assert len(list((tmp_path / "inbox").iterdir())) == 4


def test_in_production_the_switches_are_for_staff(
    visitor: Client, teacher: Client, switches: Switches
) -> None:
    """Others are sent to the login, and nothing is switched."""
    for client in (visitor, teacher):
        for response in (client.get("/chaos/"), client.post("/chaos/dead-search/", {"to": "on"})):
            assert response.status_code == 302
            assert response["Location"].startswith("/admin/login/")
    assert switches.on() == frozenset()
    visitor.force_login(User.objects.create_superuser("boss"))
    assert visitor.get("/chaos/").status_code == 200


def test_in_the_demo_everybody_may_switch_but_by_post_and_with_a_token(
    site: None, switches: Switches, settings: Any
) -> None:
    """GET changes nothing, and a form from elsewhere is refused."""
    settings.CHAOS_OPEN = True
    client = Client(enforce_csrf_checks=True)
    page = client.get("/chaos/")
    for fault in FAULTS:
        assert escape(fault.title) in page.content.decode()
    assert client.get("/chaos/dead-search/").status_code == 405
    assert client.post("/chaos/dead-search/", {"to": "on"}).status_code == 403
    assert switches.on() == frozenset()
    token = client.cookies["csrftoken"].value
    client.post("/chaos/dead-search/", {"to": "on", "csrfmiddlewaretoken": token})
    assert switches.on() == {"dead-search"}
    assert client.post("/chaos/nonsense/", {"csrfmiddlewaretoken": token}).status_code == 404
    client.post("/chaos/clear/", {"csrfmiddlewaretoken": token})
    assert switches.on() == frozenset()


@pytest.mark.django_db(transaction=True, databases="__all__")
def test_every_fault_points_to_a_page_of_the_admin_that_is_there(visitor: Client) -> None:
    """The links on the chaos page lead somewhere; where something is kept, to what can be replayed."""
    visitor.force_login(User.objects.create_superuser("boss"))
    page = visitor.get("/chaos/")
    rows = page.context["rows"]
    assert [row["fault"].name for row in rows] == list(NAMES)
    for address in {page["address"] for row in rows for page in row["where"]}:
        assert visitor.get(address).status_code == 200, address
    told = {row["fault"].name for row in rows if "kept" in row["fault"].visitor and row["fault"].kept}
    assert told >= {"broken-form", "broken-view", "dead-sessions", "dead-database", "locked-table"}
    for row in rows:
        leads = "/admin/qaprod/rescuedsubmission/" in {page["address"] for page in row["where"]}
        assert leads == row["fault"].kept


def test_a_browser_that_looks_for_an_icon_finds_one(client: Client) -> None:
    """Not every page names one, and a 404 in the console is taken for a fault."""
    assert client.get("/favicon.ico")["Location"] == "/static/jobs/icon.svg"


def test_a_switch_is_seen_by_every_process(tmp_path: Path) -> None:
    """Two views of the same file agree, whoever writes."""
    one, other = Switches(tmp_path / "faults.json"), Switches(tmp_path / "faults.json")
    assert other.on() == frozenset()
    one.turn("dead-search", on=True)
    one.turn("lost-button", on=True)
    assert other.on() == {"dead-search", "lost-button"}
    other.turn("dead-search", on=False)
    assert one.on() == {"lost-button"}
