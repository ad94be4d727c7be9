"""The doctor says how channels do, and sends a test by each."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from django.core import mail
from django.core.management import call_command

from django_qaprod import doctor
from django_qaprod.doctor import Level, telling
from django_qaprod.store import channels as store

pytestmark = pytest.mark.django_db(databases="__all__")

CANARY = "Canary-Z9y8x7"
DEAD = {"webhook": f"http://127.0.0.1:1/{CANARY}", "allow_private": True}


def use(settings: Any, **keys: Any) -> None:
    settings.QAPROD = {"CHANNELS": {"mail": {"email": "ada@example.org"}, "hook": DEAD}, **keys}


def said() -> list[tuple[Level, str]]:
    return [(one.level, one.message) for one in telling.of_channels()]


def test_without_channels_nobody_is_told(settings: Any) -> None:
    settings.QAPROD = {}
    assert said() == [(Level.UNKNOWN, "There is none, and nobody in ADMINS: nobody is told.")]
    assert list(doctor.send_tests()) == []
    assert "channels" in {one.part for one in doctor.examine()}


def test_it_says_how_each_did_last(settings: Any) -> None:
    use(settings)
    assert [level for level, _ in said()] == [Level.UNKNOWN, Level.UNKNOWN]
    store.succeeded("mail")
    store.failed("hook", "hook: 503")
    (well, sent), (failing, why) = said()
    assert (well, failing) == (Level.OK, Level.WARNING)
    assert sent.startswith("mail sent last at ")
    assert why.startswith("hook failed last: hook: 503 (")
    for _ in range(store.OPEN_AFTER):
        store.failed("hook", "hook: 503")
    assert said()[1][0] is Level.ERROR
    assert "failed 4 times in a row and is left alone until" in said()[1][1]


def test_it_sends_a_test_by_each_and_by_the_last_resort(settings: Any) -> None:
    use(settings, LAST_RESORT={"email": "boss@example.org"})
    taken, refused, last = doctor.send_tests()
    assert (taken.level, taken.message) == (Level.OK, "A test was taken by mail.")
    assert (last.level, last.message) == (Level.OK, "A test was taken by the last resort.")
    assert refused.level is Level.ERROR
    assert refused.message == "A test was not taken by hook: 127.0.0.1: Connection refused."
    assert [sent.to for sent in mail.outbox] == [["ada@example.org"], ["boss@example.org"]]
    assert "qaprod_doctor asked for this test." in mail.outbox[0].body


def test_a_last_resort_that_is_dead_is_found(settings: Any) -> None:
    use(settings, CHANNELS={}, LAST_RESORT=DEAD)
    [found] = doctor.send_tests()
    assert found.message.startswith("A test was not taken by the last resort: 127.0.0.1")
    assert CANARY not in found.message


def test_the_command_tells_people_only_when_it_is_asked_to(settings: Any, capsys: Any) -> None:
    use(settings, CHANNELS={"mail": {"email": "ada@example.org"}})
    for arguments, sent in ((), 0), (("--test-channels",), 1):
        with suppress(SystemExit):
            call_command("qaprod_doctor", *arguments)
        assert len(mail.outbox) == sent
    assert "A test was taken by mail." in capsys.readouterr().out
