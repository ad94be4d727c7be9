"""Security and privacy, for what exists by now.

| surface | test |
|---|---|
| every address and who may do what there | admin/test_permissions.py::test_every_address_has_a_row |
| each act asks for its own permission | admin/test_permissions.py::test_each_act_asks_for_its_own_permission |
| hostile text stays text | admin/test_pages.py::test_hostile_text_stays_text |
| CSV formulas | admin/test_failures.py::test_no_cell_of_the_csv_is_a_formula |
| a canary is found nowhere | test_a_canary_is_found_nowhere |
| the same, in every byte that leaves by StatsD, OTLP or our Sentry client | test_a_canary_is_in_no_byte_that_leaves |
| the same, in every byte that goes to Sentry by the site's client or ours | sinks/sentry/test_bugsink.py::test_each_error_is_one_event_that_its_failure_leads_to |
| secrets in text, however they stand | pipeline/test_scrub.py::test_no_words_around_a_secret_let_it_through |
| our own troubles repeat a secret | pipeline/test_guard.py::test_no_secret_of_an_error_is_counted_or_logged |
| hostile text takes long | pipeline/test_scrub.py::test_hostile_text_does_not_take_long |
| one log record is one line | sinks/test_log.py::test_a_record_is_one_line_whatever_it_says |
| somebody else's spool directory | pipeline/test_spool.py::test_a_link_is_refused |
| others may read the spool | pipeline/test_spool.py::test_it_is_made_for_its_owner_alone |
| rescued submissions: a canary in a password, card, token or private field | forms/test_submission.py::test_a_canary_is_never_kept |
| the same, in the whole way of a form that fails: page, table, spool, log, record | test_what_a_form_must_not_keep_is_found_nowhere |
| the same, in any mixture of fields | forms/test_submission.py::test_no_mixture_of_fields_lets_a_canary_through |
| card numbers in longer text; phone numbers are none | forms/test_submission.py::test_card_numbers_are_masked_in_longer_text |
| files with hostile names | forms/test_submission.py::test_files_are_kept_whole_whatever_they_are_called |
| a compressed trap | foundation/test_sent.py::test_a_compressed_trap_is_not_blown_up |
| who reads the tables or the spool | store/test_submissions.py::test_it_is_kept_with_its_columns_and_unreadable_to_who_reads_the_table |
| rotation of the keys | management/test_commands.py::test_keys_change_in_three_steps |
| a lost key | store/test_submissions.py::test_a_lost_key_says_unreadable_and_breaks_no_list |
| the age limit | store/test_submissions.py::test_what_is_too_old_goes_with_all_that_hangs_on_it |
| audit of each decryption | store/test_submissions.py::test_nothing_is_shown_when_that_cannot_be_stored |
| somebody else's folder in the spool | forms/test_rescue.py::test_a_folder_that_others_may_write_is_not_trusted |

Not yet there: beacon, webhooks, status page.
"""  # noqa: E501

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django import forms
from django.apps import apps
from django.db import OperationalError, connection, transaction
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import path

from django_qaprod import conf, serve_form
from django_qaprod.forms import waiting
from django_qaprod.models import RescuedSubmission
from django_qaprod.pipeline import guard, process, spool
from django_qaprod.sinks.log import LogSink
from django_qaprod.store import submissions
from django_qaprod.testing import store_records
from django_qaprod.typing import Batch
from tests.endpoints import Endpoint
from tests.servers import wait_until

CANARY = "Xk9canaryQ7vZ2mLw8"

log = logging.getLogger("jobs")


def leak(request: HttpRequest, token: str) -> HttpResponse:  # noqa: C901 - a list of ways
    log.info("signed in with %s", {"password": request.POST["password"]})
    log.warning("at %s with sessionid=%s", request.get_full_path(), request.COOKIES["sessionid"])
    match request.GET["how"]:
        case "sql":
            connection.cursor().execute("SELECT %s FROM nowhere", [CANARY])
        case "cause and note":
            try:
                raise KeyError(f"password={CANARY}")
            except KeyError as cause:
                error = ValueError("outer")
                error.add_note(f"user_password: {CANARY}")
                raise error from cause
        case "group":
            raise ExceptionGroup(
                "some", [ValueError(f"secret={CANARY}"), KeyError(f"'password': '{CANARY}'")]
            )
        case "nested JSON":
            raise ValueError(json.dumps({"a": {"deep": [{"api_token": CANARY}]}}))
        case "headers":
            raise ValueError(str(dict(request.headers)))
        case "cookies":
            raise ValueError(str(request.COOKIES))
        case "form":
            raise ValueError(str(request.POST))
        case "address":
            raise ValueError(f"{request.build_absolute_uri()} {request.get_full_path()} {request.path}")
        case "log":
            log.error("refused %r", {"user_password": CANARY}, exc_info=ValueError(f"pwd={CANARY}"))
        case "our own":
            guard.caught("test", ValueError(f"password={CANARY}"))
    return HttpResponse()


class PayForm(forms.Form):
    name = forms.CharField()
    password = forms.CharField(required=False, widget=forms.PasswordInput)
    api_token = forms.CharField(required=False)
    card = forms.CharField(required=False, widget=forms.TextInput({"autocomplete": "cc-number"}))
    code = forms.CharField(required=False, widget=forms.TextInput({"autocomplete": "cc-csc"}))
    salary = forms.CharField(required=False)
    note = forms.CharField(required=False)

    qaprod_private = ("salary",)


@serve_form(PayForm, reraise=False)
def pay(request: HttpRequest) -> HttpResponse:
    if request.GET["how"] == "outage":
        raise OperationalError("the server is away")
    raise LookupError(f"no account for { {name: request.POST[name] for name in ('password', 'card')} }")


urlpatterns = [path("reset/<str:token>/", leak), path("pay/", pay)]
CARD = "4111 1111 1111 1111"
WAYS = (
    "sql", "cause and note", "group", "nested JSON", "headers", "cookies", "form", "address", "log",
    "our own",
)  # fmt: skip


def stored() -> Iterator[str]:
    for model in apps.get_app_config("qaprod").get_models():
        for row in model._default_manager.values():
            yield str(row)


@pytest.mark.urls(__name__)
@pytest.mark.django_db(databases="__all__")
@pytest.mark.parametrize("how", WAYS)
def test_a_canary_is_found_nowhere(
    how: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    spooled: list[bytes] = []
    append = spool.MemorySpool.append

    def remember(self: spool.MemorySpool, line: bytes) -> None:
        spooled.append(line)
        append(self, line)

    monkeypatch.setattr(spool.MemorySpool, "append", remember)
    client: Any = Client(
        raise_request_exception=False, headers={"X-Api-Key": CANARY, "Authorization": f"Bearer {CANARY}"}
    )
    client.cookies["sessionid"] = CANARY
    with store_records() as store:
        guard.reset_after_fork()
        client.post(f"/reset/{CANARY}/?how={how}&key={CANARY}", {"password": CANARY, "user_password": CANARY})
        process.report_health()
        process.flush()
        assert process._memory is not None
        entries, _ = process._memory.read(0)
        caplog.clear()
        with caplog.at_level(logging.DEBUG, logger="qaprod"):
            LogSink().write(Batch(segment="memory", entries=entries))
        if how != "sql":
            # The statement broke the test's transaction, in which nothing can be stored.
            store.drain()
            assert CANARY not in "".join(stored())
    assert spooled
    assert CANARY.encode() not in b"".join(spooled)
    assert "jobs" not in {record.name for record in caplog.records}
    assert CANARY not in caplog.text


@pytest.mark.urls(__name__)
@pytest.mark.django_db(databases="__all__")
def test_a_canary_is_in_no_byte_that_leaves(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """All ways at once, over the sinks that send over a network."""
    client: Any = Client(
        raise_request_exception=False, headers={"X-Api-Key": CANARY, "Referer": f"/{CANARY}"}
    )
    client.cookies["sessionid"] = CANARY
    with Endpoint(http=False) as statsd, Endpoint() as otlp, Endpoint() as sentry:
        settings.QAPROD = {
            "STATSD": {"PROTOCOL": "tcp", "PORT": statsd.port},
            "OPENTELEMETRY": {"TRACES": False},
            "SENTRY": {"DSN": f"http://key@127.0.0.1:{sentry.port}/1"},
        }
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{otlp.port}")
        with process.in_memory(sinks=conf.adapter_paths()) as drainer:
            guard.reset_after_fork()
            for how in WAYS:
                with transaction.atomic():
                    client.post(f"/reset/{CANARY}/?how={how}&key={CANARY}", {"password": CANARY})
                    transaction.set_rollback(True)
            process.report_health()
            process.flush()
            assert drainer.drain().failing == ()
        for place in (statsd, otlp, sentry):
            wait_until(lambda place=place: place.received)
            assert not place.holds(CANARY.encode())
        assert sentry.holds(b"reset/<str:token>/")


@pytest.mark.urls(__name__)
@pytest.mark.django_db(databases="__all__")
@pytest.mark.parametrize("how", ["error", "outage"])
def test_what_a_form_must_not_keep_is_found_nowhere(
    how: str, tmp_path: Path, settings: Any, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.QAPROD = {"RESCUE_KEYS": [Fernet.generate_key().decode()], "SPOOL_DIR": str(tmp_path)}
    spool.forget_directory()
    secret = dict.fromkeys(("password", "api_token", "code", "salary", "stranger"), CANARY)
    with store_records() as store:
        guard.reset_after_fork()
        response = Client().post(
            f"/pay/?how={how}&token={CANARY}",
            {"name": "Ada", **secret, "card": CARD, "note": f"take {CARD}, please"},
        )
        assert response.status_code == 202
        spooled = [file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()]
        # Not the traceback, which says what the host has put into its exception.
        said = [record.getMessage() for record in caplog.records]
        process.flush()
        store.drain()
        waiting.collect(tmp_path)
        found = [response.content.decode(), *said, *map(str, spooled), *stored()]
    spool.forget_directory()
    [rescued] = RescuedSubmission.objects.all()
    sent = submissions.opened(rescued, who="a test", act="viewed")
    assert dict(sent.fields) == {"name": "Ada", "note": "take [card], please"}
    assert rescued.failure
    for text in (*found, str(sent)):
        assert CANARY not in text
        assert CARD not in text
