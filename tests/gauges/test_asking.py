"""Gauges are read beside each other; what fails or hangs is a failure of its own and delays nobody."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db import connections

from django_qaprod import context
from django_qaprod.gauges import asking
from django_qaprod.gauges.asking import MOST_AT_ONCE, Asker
from django_qaprod.pipeline import guard
from django_qaprod.registry import GaugeSpec
from django_qaprod.testing import Records
from tests.gauges.hanging import released as released
from tests.servers import wait_until

ROOT = Path(__file__).parents[2]


def spec(name: str, function: Callable[[], Any], *, timeout: float = 60, unit: str = "") -> GaugeSpec:
    return GaugeSpec(name=name, read=function, place=name, every=60, timeout=timeout, unit=unit)


def ask(*specs: GaugeSpec) -> dict[str, str]:
    """Have gauges read; return the error of each."""
    asker = Asker()
    assert all(asker.ask(one) for one in specs)
    assert asker.wait(60)
    return {name: error for name, _, error in asker.answers()}


def test_what_was_read_is_a_cell_of_a_gauge(records: Records) -> None:
    errors = ask(
        spec("queue.length", lambda: {"high": 3, "low": 0}, unit="{message}"),
        spec("disk.free", lambda: 5.5, unit="By"),
        spec("not.now", lambda: None),
    )
    assert errors == {"queue.length": "", "disk.free": "", "not.now": ""}
    cells = {(cell.name, cell.label): cell for cell in records.numbers}
    assert set(cells) == {("queue.length", "high"), ("queue.length", "low"), ("disk.free", "")}
    high = cells["queue.length", "high"]
    assert (high.gauge, high.unit, high.attributes) == (True, "{message}", (("label", "high"),))
    assert (high.count, high.total, high.minimum, high.maximum) == (1, 3.0, 3.0, 3.0)
    assert cells["disk.free", ""].attributes == ()
    assert records.failures == []


def test_an_error_is_a_failure_named_after_the_gauge(records: Records) -> None:
    def unreachable() -> int:
        raise ConnectionError("token=abcdefgh12345678 was refused")

    errors = ask(spec("queue.length", unreachable))
    (failure,) = records.failures
    assert (failure.kind, failure.name, failure.error_type) == ("gauge", "queue.length", "ConnectionError")
    assert failure.severity == "error"
    assert "unreachable" in failure.culprit
    assert errors["queue.length"].startswith("ConnectionError: token=")
    assert "abcdefgh" not in failure.message + errors["queue.length"]


async def aunreachable() -> int:
    raise ConnectionError("refused")


def test_an_error_of_a_coroutine_is_one_too(records: Records) -> None:
    ask(spec("queue.length", aunreachable))
    (failure,) = records.failures
    assert (failure.kind, failure.name, failure.error_type) == ("gauge", "queue.length", "ConnectionError")
    assert "aunreachable" in failure.culprit


THE_ONLY = ValueError("always the same object")


def the_only() -> int:
    raise THE_ONLY


def test_each_reading_that_fails_is_one_occurrence_of_one_failure(records: Records) -> None:
    for _ in range(3):
        ask(spec("a", the_only))
    assert len(records.failures) == 3
    assert len({failure.fingerprint for failure in records.failures}) == 1


def test_what_is_no_number_is_a_failure_for_each_gauge(records: Records) -> None:
    ask(spec("a", lambda: "3"), spec("b", lambda: "3"))
    assert [failure.error_type.rpartition(".")[2] for failure in records.failures] == ["GaugeValueError"] * 2
    assert len({failure.fingerprint for failure in records.failures}) == 2


def leave() -> int:
    sys.exit(3)


async def cancel() -> int:
    raise asyncio.CancelledError


@pytest.mark.parametrize("function", [leave, cancel])
def test_a_gauge_that_ends_its_thread_ends_nothing_else(function: Any, records: Records) -> None:
    errors = ask(spec("a", function), spec("b", lambda: 1))
    assert errors["a"]
    assert errors["b"] == ""
    (failure,) = records.failures
    assert (failure.kind, failure.name) == ("gauge", "a")


def hanging(released: threading.Event) -> Callable[[], int]:
    def hang() -> int:
        released.wait(60)
        return 1

    return hang


def test_one_that_hangs_delays_no_other_and_is_one_failure(
    records: Records, released: threading.Event
) -> None:
    # By then it hangs, on a busy machine too: it is told where.
    stuck, asker = spec("stuck", hanging(released), timeout=0.5), Asker()
    assert asker.ask(stuck)
    assert asker.ask(spec("good", lambda: 7))
    assert asker.wait(60)
    errors = {name: error for name, _, error in asker.answers()}
    assert errors["good"] == ""
    assert errors["stuck"] == "GaugeTimeoutError: The gauge stuck did not answer within 0.5 s."
    (failure,) = records.failures
    assert (failure.kind, failure.name) == ("gauge", "stuck")
    assert "hanging.<locals>.hang" in failure.culprit, "where it hangs"
    assert [cell.name for cell in records.numbers] == ["good"]

    assert not asker.ask(stuck), "not a second time while it hangs"
    assert asker.wait(60)
    released.set()
    wait_until(lambda: asker.ask(stuck), what="asked again once it has ended")
    assert asker.wait(60)
    # What it came to late counts for nothing.
    assert [cell.name for cell in records.numbers] == ["good", "stuck"]
    assert len(records.failures) == 1


def test_timeouts_are_one_group_wherever_it_hangs(records: Records, released: threading.Event) -> None:
    def elsewhere() -> int:
        return hanging(released)()

    async def asleep() -> int:
        await asyncio.sleep(60)
        return 1

    for function in (hanging(released), elsewhere, asleep):
        ask(spec("a", function, timeout=0.05))
    ask(spec("b", hanging(released), timeout=0.05))
    first, second, third, other = [failure.fingerprint for failure in records.failures]
    assert first == second == third != other


def test_a_coroutine_that_blocks_its_loop_is_given_up(records: Records, released: threading.Event) -> None:
    async def block() -> int:
        released.wait(60)
        return 1

    assert "GaugeTimeoutError" in ask(spec("a", block, timeout=0.05))["a"]


def test_a_coroutine_whose_query_hangs_is_late_and_not_asked_again_before_it_has_ended(
    records: Records, released: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "GRACE", 0.3)

    async def query() -> int:
        return await sync_to_async(hanging(released))()

    stuck, asker = spec("stuck", query, timeout=0.5), Asker()
    assert asker.ask(stuck)
    assert asker.wait(60)
    assert "GaugeTimeoutError" in asker.answers()[0].error
    (failure,) = records.failures
    assert (failure.kind, failure.name) == ("gauge", "stuck")
    assert ".query" in failure.frames, "where it hangs"
    assert not asker.ask(stuck), "its query goes on"
    released.set()
    wait_until(lambda: asker.ask(stuck), what="asked again once it has ended")
    assert asker.wait(60)
    assert [cell.name for cell in records.numbers] == ["stuck"]


HANG_FOR_EVER = """
import asyncio, threading
import django
from asgiref.sync import sync_to_async

django.setup()
from django_qaprod.gauges.asking import Asker
from django_qaprod.registry import GaugeSpec

def hang():
    threading.Event().wait()

async def query():
    return await sync_to_async(hang)()

async def beside():
    return await asyncio.to_thread(hang)

async def leave_behind():
    left.append(asyncio.create_task(query()))
    await asyncio.sleep(0.05)
    return 1

async def clean_up():
    try:
        await asyncio.sleep(60)
    finally:
        await query()

async def leave_to_be_cleaned_up():
    left.append(asyncio.create_task(clean_up()))
    await asyncio.sleep(0.05)
    return 1

left, asker = [], Asker()
for function in (hang, query, beside, leave_behind, leave_to_be_cleaned_up):
    name = function.__name__
    assert asker.ask(GaugeSpec(name=name, read=function, place=name, every=60, timeout=1.5))
assert asker.wait(60)
print(*sorted(f"{name}:{error.partition(':')[0]}" for name, _, error in asker.answers()))
"""


def test_a_process_ends_whatever_its_gauges_hang_in() -> None:
    """Python waits at exit for the threads of ``concurrent.futures``, which asgiref and asyncio start."""
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tests.project.settings",
        "QAPROD_TEST_DB": "sqlite",
    }
    command = [sys.executable, "-W", "ignore", "-c", HANG_FOR_EVER]
    ended = subprocess.run(
        command, env=environment, cwd=ROOT, timeout=120, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    answers = dict(one.split(":") for one in ended.stdout.split())
    assert {name: answers[name] for name in ("hang", "query", "beside", "leave_behind")} == {
        "hang": "GaugeTimeoutError", "query": "GaugeTimeoutError", "beside": "GaugeTimeoutError",
        "leave_behind": "",
    }  # fmt: skip
    assert "leave_to_be_cleaned_up" in answers


def test_few_are_read_at_once(records: Records) -> None:
    lock, go = threading.Lock(), threading.Event()
    now, most = 0, 0

    def read() -> int:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        go.wait(60)
        with lock:
            now -= 1
        return 1

    asker = Asker()
    for number in range(30):
        assert asker.ask(spec(f"gauge.{number}", read))
        assert not asker.ask(spec(f"gauge.{number}", read)), "it waits already"
    wait_until(lambda: now == MOST_AT_ONCE)
    go.set()
    assert asker.wait(60)
    assert most == MOST_AT_ONCE
    assert len(records.numbers) == 30


def test_many_that_hang_do_not_keep_the_others_out(records: Records, released: threading.Event) -> None:
    stuck = [spec(f"stuck.{n}", hanging(released), timeout=0.05) for n in range(3 * MOST_AT_ONCE)]
    errors = ask(*stuck, spec("good", lambda: 1))
    assert errors["good"] == ""
    assert len(records.failures) == 3 * MOST_AT_ONCE


@pytest.mark.parametrize("refused", ["qaprod-gauge-", "qaprod-gauges"])
def test_without_a_thread_it_says_so_and_goes_on(
    refused: str, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    asker, start = Asker(), threading.Thread.start

    def refuse(thread: threading.Thread) -> None:
        if thread.name.startswith(refused):
            raise RuntimeError("can't start new thread")
        start(thread)

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        asked = asker.ask(spec("a", lambda: 1))
        assert asker.wait(60)
    assert asked
    assert "no thread" in asker.answers()[0].error
    tally = guard.take()
    assert tally is not None
    assert set(tally.errors) == {"gauges" if refused == "qaprod-gauges" else "gauge.a"}
    assert asker.ask(spec("a", lambda: 1))
    assert asker.wait(60)
    assert asker.answers()[0].error == ""


@pytest.mark.parametrize("name", ["qaprod-gauges", "qaprod-gauge-a"])
def test_a_thread_that_does_not_begin_holds_up_nobody_else(
    name: str, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``Thread.start`` waits for the new thread, which may be for ever where there is no memory left."""
    asker, start, begun, go = Asker(), threading.Thread.start, threading.Event(), threading.Event()

    def wait_first(thread: threading.Thread) -> None:
        if thread.name == name:
            begun.set()
            go.wait(60)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", wait_first)
    first = threading.Thread(target=asker.ask, args=(spec("a", lambda: 1),), daemon=True)
    first.start()
    assert begun.wait(60)
    beside = threading.Thread(target=lambda: (asker.answers(), asker.wait(0.01)), daemon=True)
    beside.start()
    beside.join(10)
    held_up = beside.is_alive()
    go.set()
    first.join(60)
    assert not held_up
    assert asker.wait(60)
    assert asker.answers()[0].error == ""


def test_whatever_ends_the_thread_that_looks_after_them_nobody_waits_for_ever(
    records: Records, released: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    asker, stuck = Asker(), spec("stuck", hanging(released), timeout=0.05)
    told: list[Any] = []
    monkeypatch.setattr(threading, "excepthook", told.append)

    def fail(*arguments: object) -> None:
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr(asker, "_give_up", fail)
        assert asker.ask(stuck)
        assert asker.wait(60)
    assert [one.exc_type for one in told] == [MemoryError]
    assert [one.error for one in asker.answers()] == [asking.NO_THREAD]
    assert not asker.ask(stuck), "it has not ended"
    released.set()
    wait_until(lambda: asker.ask(stuck), what="asked again once it has ended")
    assert asker.wait(60)
    assert [one.error for one in asker.answers()] == [""]


def test_one_that_was_never_begun_is_asked_again(records: Records, monkeypatch: pytest.MonkeyPatch) -> None:
    asker = Asker()
    monkeypatch.setattr(threading, "excepthook", lambda told: None)

    def fail(*arguments: object) -> None:
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr(asker, "_begin", fail)
        assert asker.ask(spec("a", lambda: 1))
        assert asker.wait(60)
    assert [one.error for one in asker.answers()] == [asking.NO_THREAD]
    assert asker.ask(spec("a", lambda: 1))
    assert asker.wait(60)
    assert [one.error for one in asker.answers()] == [""]


def test_gauges_that_share_a_function_fail_each_for_themselves(records: Records) -> None:
    def broken() -> float:
        raise LookupError("no such queue")

    ask(spec("queue.high", broken), spec("queue.low", broken))
    assert {failure.name for failure in records.failures} == {"queue.high", "queue.low"}
    assert len({failure.fingerprint for failure in records.failures}) == 2


def test_a_reading_has_a_context_of_its_own(records: Records) -> None:
    seen: list[Any] = []

    def look() -> int:
        current = context.current()
        assert current is not None
        seen.append((current.kind, current.name, current.request_id, guard.inside()))
        return 1

    ask(spec("a", look))
    ask(spec("a", look))
    assert [one[:2] for one in seen] == [("gauge", "a")] * 2
    assert seen[0][2] != seen[1][2]
    assert not seen[0][3], "what the host logs meanwhile is recorded"


@pytest.mark.parametrize("asynchronous", [False, True])
def test_its_connections_are_closed(records: Records, asynchronous: bool) -> None:
    closed: list[bool] = []

    def use() -> int:
        connections["default"].close = lambda: closed.append(True)  # type: ignore[method-assign]
        return 1

    async def ause() -> int:
        return await sync_to_async(use)()

    assert ask(spec("a", ause if asynchronous else use)) == {"a": ""}
    assert closed == [True]


def test_a_machine_s_time_is_not_spent_on_waiting(records: Records, released: threading.Event) -> None:
    """A thread that looks after what hangs sleeps until something ends or is late."""
    asker, turns = Asker(), 0
    turn = asker._turn

    def counted() -> None:
        nonlocal turns
        turns += 1
        turn()

    asker._turn = counted  # type: ignore[method-assign]
    began = time.monotonic()
    asker.ask(spec("a", hanging(released), timeout=0.3))
    assert asker.wait(60)
    assert time.monotonic() - began >= 0.3
    assert turns <= 3
