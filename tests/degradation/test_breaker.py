from __future__ import annotations

import asyncio
import os
import threading
from datetime import timedelta
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from django_qaprod import CircuitBreaker, degrade
from django_qaprod.context import Context
from django_qaprod.degradation import CircuitOpenError, degrading
from django_qaprod.degradation import breaker as module
from django_qaprod.exceptions import DeclarationError
from django_qaprod.testing import Records


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> Clock:
    settings.QAPROD = {"RERAISE": False}
    clock = Clock()
    monkeypatch.setattr(module, "monotonic", clock)
    return clock


class Service:
    """Something outside that can be up or down."""

    def __init__(self) -> None:
        self.up = False
        self.calls = 0

    def ask(self) -> str:
        self.calls += 1
        if not self.up:
            raise TimeoutError("after 3 s")
        return "answer"

    async def aask(self) -> str:
        return self.ask()


def state(breaker: CircuitBreaker) -> str:
    return breaker.state


def test_after_some_failures_the_fallback_is_served_at_once(
    clock: Clock, records: Records, served: Context
) -> None:
    service, breaker = (
        Service(),
        CircuitBreaker(trip_after=3, retry_after=timedelta(seconds=30), name="profiles"),
    )
    ask = degrade(fallback="fallback", breaker=breaker)(service.ask)
    assert [ask() for _ in range(10)] == ["fallback"] * 10
    assert service.calls == 3
    assert served.degraded == 10
    assert len(records.failures) == 3
    assert [failure.extra["breaker"]["state"] for failure in records.failures] == ["closed", "closed", "open"]  # type: ignore[index,call-overload]
    (cell,) = [cell for cell in records.numbers if cell.name == degrading.SHORT_CIRCUITED]
    assert (cell.label, cell.count) == ("profiles", 7)


async def test_after_some_failures_the_fallback_is_served_at_once_async(
    clock: Clock, records: Records, served: Context
) -> None:
    service, breaker = Service(), CircuitBreaker(trip_after=3, retry_after=30)

    async def fallback(error: Exception) -> str:
        return type(error).__name__

    ask = degrade(fallback=fallback, breaker=breaker)(service.aask)
    assert [await ask() for _ in range(5)] == ["TimeoutError"] * 3 + ["CircuitOpenError"] * 2
    assert service.calls == 3
    assert served.degraded == 5


def test_one_probe_in_a_while_tries_again(clock: Clock) -> None:
    service, breaker = Service(), CircuitBreaker(trip_after=1, retry_after=30)
    ask = degrade(fallback="fallback", breaker=breaker)(service.ask)
    ask()
    clock.now += 29
    ask()
    assert service.calls == 1
    clock.now += 2
    ask()
    assert service.calls == 2
    assert state(breaker) == "open"
    clock.now += 31
    service.up = True
    assert ask() == "answer"
    assert state(breaker) == "closed"
    assert ask() == "answer"


async def test_one_probe_in_a_while_tries_again_async(clock: Clock) -> None:
    service, breaker = Service(), CircuitBreaker(trip_after=1, retry_after=30)
    ask = degrade(fallback="fallback", breaker=breaker)(service.aask)
    await ask()
    clock.now += 31
    service.up = True
    assert [await ask(), await ask()] == ["answer", "answer"]


def test_only_failures_in_a_row_open_it(clock: Clock) -> None:
    service, breaker = Service(), CircuitBreaker(trip_after=2, retry_after=30)
    ask = degrade(fallback="fallback", breaker=breaker)(service.ask)
    for up in (False, True, False, True, False):
        service.up = up
        ask()
    assert state(breaker) == "closed"


def test_while_a_probe_is_out_the_others_wait_for_it_no_longer_than_once_more(clock: Clock) -> None:
    breaker = CircuitBreaker(trip_after=1, retry_after=30)
    breaker.failed(breaker.enter())
    clock.now += 31
    lost = breaker.enter()
    assert state(breaker) == "half-open"
    assert breaker.enter() == module.REFUSED
    clock.now += 31
    following = breaker.enter()
    assert following not in {module.REFUSED, lost}
    breaker.failed(lost)
    assert state(breaker) == "half-open", "the lost one comes too late to matter"
    breaker.succeeded(following)
    assert state(breaker) == "closed"


def test_a_slow_success_from_before_does_not_close_it(clock: Clock) -> None:
    breaker = CircuitBreaker(trip_after=1, retry_after=30)
    slow, fast = breaker.enter(), breaker.enter()
    breaker.failed(fast)
    breaker.succeeded(slow)
    assert state(breaker) == "open"


def test_it_may_be_shared(clock: Clock) -> None:
    service, breaker = Service(), CircuitBreaker(trip_after=2, retry_after=30)
    one = degrade(fallback="one", breaker=breaker)(service.ask)
    other = degrade(fallback="other", breaker=breaker)(service.ask)
    assert [one(), other(), one(), other()] == ["one", "other", "one", "other"]
    assert service.calls == 2


def test_what_passes_through_says_nothing_about_the_dependency(clock: Clock) -> None:
    breaker = CircuitBreaker(trip_after=1, retry_after=30)

    @degrade(excluding=KeyError, breaker=breaker)
    def work() -> None:
        raise KeyError

    with pytest.raises(KeyError):
        work()
    assert state(breaker) == "closed"


def test_an_open_breaker_hides_nothing_from_developers(clock: Clock, settings: Settings) -> None:
    service, breaker = Service(), CircuitBreaker(trip_after=1, retry_after=30)
    ask = degrade(fallback="fallback", breaker=breaker)(service.ask)
    ask()
    settings.QAPROD = {"RERAISE": True}
    with pytest.raises(TimeoutError):
        ask()


def test_a_fallback_is_told_that_the_call_was_not_made(clock: Clock) -> None:
    errors: list[Exception] = []
    breaker = CircuitBreaker(trip_after=1, retry_after=30, name="profiles")
    ask = degrade(fallback=errors.append, breaker=breaker)(Service().ask)
    ask()
    ask()
    assert isinstance(errors[0], TimeoutError)
    assert isinstance(errors[1], CircuitOpenError)
    assert errors[1].breaker == "profiles"


def test_it_can_be_closed_by_hand_and_says_how_it_is(clock: Clock) -> None:
    breaker = CircuitBreaker(trip_after=1, retry_after=30, name="profiles")
    breaker.failed(breaker.enter())
    assert repr(breaker) == "<CircuitBreaker 'profiles' open>"
    breaker.reset()
    assert breaker.describe() == {"name": "profiles", "state": "closed", "failures": 0, "trip_after": 1}


def test_threads_make_one_probe_between_them(clock: Clock) -> None:
    breaker = CircuitBreaker(trip_after=1, retry_after=30)
    breaker.failed(breaker.enter())
    clock.now += 31
    tickets: list[int] = []
    start = threading.Barrier(16)

    def enter() -> None:
        start.wait()
        tickets.append(breaker.enter())

    threads = [threading.Thread(target=enter) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(ticket != module.REFUSED for ticket in tickets) == 1


async def test_tasks_make_one_probe_between_them(clock: Clock) -> None:
    service, breaker = Service(), CircuitBreaker(trip_after=1, retry_after=30)

    async def slow() -> str:
        await asyncio.sleep(0.01)
        return service.ask()

    ask = degrade(fallback="fallback", breaker=breaker)(slow)
    await ask()
    clock.now += 31
    await asyncio.gather(*(ask() for _ in range(10)))
    assert service.calls == 2


def test_a_lock_that_was_held_at_the_fork_is_free_in_the_child() -> None:
    breaker = CircuitBreaker(trip_after=1, retry_after=30)
    with breaker._lock:
        child = os.fork()
        if not child:
            breaker.failed(breaker.enter())
            os._exit(0 if breaker.state == "open" else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.parametrize(
    "options",
    [
        {"trip_after": 0, "retry_after": 1},
        {"trip_after": True, "retry_after": 1},
        {"trip_after": 1.5, "retry_after": 1},
        {"trip_after": 1, "retry_after": 0},
        {"trip_after": 1, "retry_after": timedelta()},
        {"trip_after": 1, "retry_after": "1"},
        {"trip_after": 1, "retry_after": float("nan")},
    ],
)
def test_options_that_cannot_work_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(DeclarationError):
        CircuitBreaker(**options)
