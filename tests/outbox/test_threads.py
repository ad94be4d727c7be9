"""Each lane is sent by a thread of its own: one that is slow or dead holds up no other, and none for ever."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator

import pytest

from django_qaprod.outbox.threads import Senders
from django_qaprod.pipeline import guard
from tests.servers import wait_until


@pytest.fixture
def released() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


def test_a_lane_that_hangs_holds_up_no_other(released: threading.Event) -> None:
    """The second is done while the first still waits for its receiver."""
    done = threading.Event()

    def send(lane: str, stop: threading.Event) -> None:
        released.wait(60) if lane == "dead" else done.set()

    senders = Senders("test", send)
    senders.start(["dead", "quick"])
    assert done.wait(60)
    assert not released.is_set()


def test_a_lane_that_is_being_sent_by_is_left_alone(released: threading.Event) -> None:
    """Starting again, as each look does, begins no second thread for it."""
    begun: list[str] = []

    def send(lane: str, stop: threading.Event) -> None:
        begun.append(lane)
        released.wait(60)

    senders = Senders("test", send)
    for _ in range(3):
        senders.start(["slow"])
    released.set()
    senders.wait(60)
    assert begun == ["slow"]
    senders.start(["slow"])
    senders.wait(60)
    assert begun == ["slow", "slow"]


def test_an_error_is_counted_and_the_next_turn_begins_anew() -> None:
    """No thread dies for good."""

    def send(lane: str, stop: threading.Event) -> None:
        raise LookupError("no channel")

    senders = Senders("test.part", send)
    for _ in range(2):
        senders.start(["mail"])
        senders.wait(60)
    tally = guard.take()
    assert tally is not None
    assert tally.errors == {"test.part": 2}


def test_at_the_end_it_is_told_to_stop_and_waited_for_a_bounded_time(released: threading.Event) -> None:
    """What hangs does not keep the process; what asks whether to stop is told so."""
    told: list[bool] = []

    def send(lane: str, stop: threading.Event) -> None:
        if lane == "dead":
            released.wait(60)
        else:
            told.append(stop.wait(60))

    senders = Senders("test", send)
    senders.start(["dead", "polite"])
    senders.end(0.3)
    wait_until(lambda: told == [True], what="it is told")
    senders.start(["late"])
    assert told == [True], "nothing begins any more"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="There is no fork on this system.")
def test_after_a_fork_it_starts_afresh(released: threading.Event) -> None:
    """The parent's threads are not the child's."""
    senders = Senders("test", lambda lane, stop: released.wait(60))
    senders.start(["mail"])
    child = os.fork()
    if not child:
        os._exit(0 if not senders._threads and not senders._stop.is_set() else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
