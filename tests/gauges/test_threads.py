"""The threads of one reading: calls come from several threads, and no call waits where nobody takes it."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from concurrent.futures import CancelledError, Future

import pytest
from asgiref.sync import sync_to_async

from django_qaprod.gauges.asking import Asker
from django_qaprod.gauges.threads import Helpers, Threads
from django_qaprod.testing import Records
from tests.gauges.hanging import released as released
from tests.servers import wait_until

from .test_asking import ask, spec

NAME = "qaprod-gauge-calls"


@pytest.fixture
def one() -> Iterator[Threads]:
    made = Threads()
    yield made
    made.shutdown()
    assert made.join(60)


def threads_left() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("qaprod-gauge")]


async def aquery() -> int:
    return await sync_to_async(len)([])


@pytest.mark.parametrize("queried", [True, False], ids=["after a query", "before any"])
def test_a_query_that_comes_after_the_end_hangs_nothing_and_leaves_no_thread(
    queried: bool, records: Records, released: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended: list[str] = []
    end = Helpers.end

    def release(helpers: Helpers, within: float | None = None) -> bool:
        all_ended = end(helpers, within)
        released.set()
        return all_ended

    def late() -> None:
        released.wait(60)
        try:
            asyncio.run(aquery())
        except RuntimeError as error:
            ended.append(str(error))

    async def gauge() -> int:
        if queried:
            await aquery()
        await asyncio.to_thread(late)
        return 1

    monkeypatch.setattr(Helpers, "end", release)
    # Time enough to come as far as the call that is late.
    asker, asked = Asker(), spec("late", gauge, timeout=1.0)
    assert asker.ask(asked)
    assert asker.wait(60)
    assert "GaugeTimeoutError" in asker.answers()[0].error
    wait_until(lambda: not threads_left(), what="its threads have ended")
    assert ended == ["cannot schedule new futures after shutdown"]
    assert asker.ask(asked), "it has ended"
    assert asker.wait(60)
    wait_until(lambda: not threads_left(), what="and so have those of the next reading")


def test_what_is_thread_sensitive_runs_in_one_thread_whoever_calls(
    records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    used: set[int] = set()
    together, start = threading.Barrier(6), threading.Thread.start

    def slowly(thread: threading.Thread) -> None:
        # So that all others look meanwhile whether there is a thread.
        time.sleep(0.1 if thread.name == NAME else 0)
        start(thread)

    def query() -> None:
        used.add(threading.get_ident())
        time.sleep(0.01)

    def beside() -> None:
        together.wait(60)
        asyncio.run(sync_to_async(query)())

    async def gauge() -> int:
        await asyncio.gather(*[asyncio.to_thread(beside) for _ in range(together.parties)])
        return 1

    monkeypatch.setattr(threading.Thread, "start", slowly)
    assert ask(spec("queries", gauge)) == {"queries": ""}
    assert len(used) == 1


def test_without_a_thread_the_call_ends_with_that_and_the_next_one_has_another(
    one: Threads, monkeypatch: pytest.MonkeyPatch
) -> None:
    beside: list[Future[int]] = []

    def refuse(thread: threading.Thread) -> None:
        # One that comes meanwhile relies on the thread that is about to begin.
        beside.append(one.submit(int, "2"))
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        first = one.submit(int, "1")
    for future in (first, *beside):
        with pytest.raises(RuntimeError, match="can't start new thread"):
            future.result(60)
    assert one.submit(int, "3").result(60) == 3


def test_a_thread_that_begins_for_all_its_starter_s_troubles_keeps_its_place(
    one: Threads, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = threading.Thread.start

    def complain(thread: threading.Thread) -> None:
        start(thread)
        raise LookupError("a tracer's own")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", complain)
        assert one.submit(int, "1").result(60) == 1
    assert one.submit(threading.get_ident).result(60) == one.submit(threading.get_ident).result(60)


def test_the_end_waits_for_a_thread_that_is_about_to_begin(
    one: Threads, monkeypatch: pytest.MonkeyPatch
) -> None:
    start, ended = threading.Thread.start, []

    def end_first(thread: threading.Thread) -> None:
        one.shutdown()
        ended.append(one.join(0.01))
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", end_first)
    assert one.submit(int, "1").result(60) == 1
    assert ended == [False]
    assert one.join(60)


def test_a_call_that_was_cancelled_is_not_made(one: Threads, released: threading.Event) -> None:
    one.submit(released.wait, 60)
    made: list[int] = []
    waiting = one.submit(made.append, 1)
    assert waiting.cancel()
    released.set()
    with pytest.raises(CancelledError):
        waiting.result(60)
    one.shutdown()
    assert one.join(60)
    assert made == []
