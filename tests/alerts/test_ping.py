"""The sign of life: one at a time, nobody waits for it, and what goes wrong is counted and masked."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from django_qaprod.alerts import ping
from django_qaprod.pipeline import guard
from tests.alerts.channels.receiver import Receiver
from tests.servers import free_port, wait_until


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


def over() -> bool:
    return not ping._busy.locked()


def test_the_address_is_asked_for_even_inside_the_network(settings: Any, receiver: Receiver) -> None:
    settings.QAPROD = {"HEARTBEAT_URL": receiver.url("/ping/1")}
    ping.ping()
    wait_until(over)
    assert [(one.method, one.path) for one in receiver.received] == [("GET", "/ping/1")]
    assert guard.take() is None


def test_without_an_address_nothing_is_begun(settings: Any) -> None:
    settings.QAPROD = {}
    before = threading.active_count()
    ping.ping()
    assert threading.active_count() == before
    assert over()


def test_there_is_one_at_a_time_and_nobody_waits(settings: Any, receiver: Receiver) -> None:
    receiver.held = threading.Event()
    settings.QAPROD = {"HEARTBEAT_URL": receiver.url()}
    ping.ping()
    wait_until(lambda: receiver.received)
    ping.ping()
    receiver.held.set()
    wait_until(over)
    assert len(receiver.received) == 1
    ping.ping()
    wait_until(over)
    assert len(receiver.received) == 2


@pytest.mark.parametrize("how", ["dead", "broken", "wrong"])
def test_what_goes_wrong_is_counted_without_the_address(how: str, settings: Any, receiver: Receiver) -> None:
    receiver.status = 500
    canary = "Canary-Z9y8x7"
    url = {
        "dead": f"http://127.0.0.1:{free_port()}/{canary}",
        "broken": receiver.url(f"/{canary}"),
        "wrong": canary,
    }
    settings.QAPROD = {"HEARTBEAT_URL": url[how]}
    ping.ping()
    wait_until(over)
    tally = guard.take()
    assert tally is not None
    assert tally.errors == {"heartbeat": 1}
    assert canary not in str(tally)


def test_a_process_that_can_start_no_thread_goes_on(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    settings.QAPROD = {"HEARTBEAT_URL": "http://127.0.0.1/"}
    monkeypatch.setattr(ping.threads, "start", refuse)
    ping.ping()
    assert over()


def test_a_child_does_not_wait_for_a_ping_of_its_parent_s(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ping, "_busy", threading.Lock())
    ping._busy.acquire()
    ping._begin_afresh()
    assert over()
