"""A monitor outside is told whether anybody watches, in seconds, whatever the database does."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import OperationalError, connections
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from django_qaprod import clock, conf
from django_qaprod.models import JobRun
from django_qaprod.pipeline import guard
from django_qaprod.public import watch
from django_qaprod.queries import alerts


def look(method: str = "GET", **settings: Any) -> tuple[int, str]:
    response: Any = Client().generic(method, "/watch/")
    return response.status_code, response.content.decode()


@pytest.fixture(autouse=True)
def _asker(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(watch, "_asker", watch._Asker())
    # What a busy machine may take.
    monkeypatch.setattr(watch, "PATIENCE", 60)
    yield
    for thread in threading.enumerate():
        if thread.name == "qaprod-watch":
            thread.join(60)
    guard.take()


def found(answer: datetime | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alerts, "last_look", lambda: answer)


@pytest.mark.django_db(databases="__all__", transaction=True)
def test_it_reads_when_rules_were_judged_last_in_one_query() -> None:
    """What the worker wrote down of its own job, and of no other; a failed run does not move it."""
    now = clock.now()
    JobRun.objects.create(name="roll_up", started_at=now, finished_at=now, succeeded_at=now)
    assert look() == (503, "unknown\n")
    run = JobRun.objects.create(name="alerts", started_at=now, succeeded_at=now - timedelta(minutes=1))
    assert look() == (200, "ok\n")
    assert look("HEAD") == (200, "")
    JobRun.objects.filter(pk=run.pk).update(
        succeeded_at=now - timedelta(minutes=6), finished_at=now, error="x"
    )
    assert look() == (503, "stale\n")
    with CaptureQueriesContext(connections[conf.telemetry_alias()]) as asked:
        alerts.last_look()
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("ago", "answer"),
    [
        (timedelta(seconds=1), (200, "ok\n")),
        (timedelta(minutes=4, seconds=55), (200, "ok\n")),
        (timedelta(minutes=5, seconds=5), (503, "stale\n")),
        (timedelta(days=400), (503, "stale\n")),
        (timedelta(minutes=-2), (200, "ok\n")),
        (timedelta(days=-400), (503, "stale\n")),
    ],
)
def test_five_minutes_without_a_look_are_stale(
    ago: timedelta, answer: tuple[int, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A clock that was a little wrong is forgiven; one that was a year ahead does not vouch for a year."""
    found(clock.now() - ago, monkeypatch)
    assert look() == answer


def test_it_works_without_time_zones(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without ``USE_TZ`` rows hold local time."""
    settings.USE_TZ = False
    found(clock.now() - timedelta(minutes=1), monkeypatch)
    assert look() == (200, "ok\n")


@pytest.mark.parametrize("error", [OperationalError("secret"), LookupError("secret"), ImportError("secret")])
def test_a_dead_database_is_unknown_and_never_an_error(
    error: Exception, monkeypatch: pytest.MonkeyPatch, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing of what is wrong is told, and Django mails nobody about each answer."""

    def fail() -> None:
        raise error

    monkeypatch.setattr(alerts, "last_look", fail)
    with caplog.at_level(logging.DEBUG, "django.request"):
        assert look() == (503, "unknown\n")
    assert [record for record in caplog.records if record.name == "django.request"] == []
    tally = guard.take()
    assert tally is not None
    assert set(tally.errors) == {"public.watch"}


def test_atomic_requests_open_no_transaction_around_it(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the mark Django would connect first, and a dead database be a 500: no test database here."""
    found(clock.now(), monkeypatch)
    for connection in connections.all():
        monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", True)
    assert look() == (200, "ok\n")


def test_a_database_that_hangs_is_waited_for_some_seconds_in_one_thread(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The next who asks waits for the same thread; when it comes back, all is well again."""
    let_go, begun = threading.Event(), []

    def hang() -> datetime:
        begun.append(1)
        let_go.wait(60)
        return clock.now()

    monkeypatch.setattr(alerts, "last_look", hang)
    monkeypatch.setattr(watch, "PATIENCE", 0.01)
    assert [look() for _ in range(5)] == [(503, "unknown\n")] * 5
    assert len(begun) == 1
    let_go.set()
    monkeypatch.setattr(watch, "PATIENCE", 60)
    assert look() == (200, "ok\n")


def test_who_asks_while_another_does_gets_the_same_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two monitors at once are no outage."""
    asked, answer, answers = threading.Event(), threading.Event(), []

    def slow() -> datetime:
        asked.set()
        answer.wait(60)
        return clock.now()

    monkeypatch.setattr(alerts, "last_look", slow)
    others = [threading.Thread(target=lambda: answers.append(look())) for _ in range(3)]
    others[0].start()
    asked.wait(60)
    for other in others[1:]:
        other.start()
    answer.set()
    for other in others:
        other.join(60)
    assert answers == [(200, "ok\n")] * 3


def test_without_a_thread_it_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine may have none left."""

    def refuse(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(watch._Reading, "start", refuse)
    assert look() == (503, "unknown\n")
