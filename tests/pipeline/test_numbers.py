"""Numbers are exact under any number of threads and bounded in what they keep."""

from __future__ import annotations

import threading

import pytest
from pytest_django import Settings

from django_qaprod import histogram
from django_qaprod.pipeline import guard, numbers


@pytest.fixture(autouse=True)
def fresh() -> None:
    numbers.reset_after_fork()


def test_a_flush_merges_browsers_into_one_duration_and_counts_each() -> None:
    numbers.request(("jobs/", "GET", 200, "ok", "Firefox"), 0.010)
    numbers.request(("jobs/", "GET", 200, "ok", "Safari"), 0.030)
    durations, *browsers = sorted(numbers.take(), key=lambda cell: cell.name)
    assert (durations.name, durations.count) == (numbers.REQUEST_DURATION, 2)
    assert durations.total == pytest.approx(0.040)
    assert (durations.minimum, durations.maximum) == (0.010, 0.030)
    assert dict(durations.attributes) == {
        "http.request.method": "GET",
        "http.route": "jobs/",
        "http.response.status_code": "200",
        "qaprod.outcome": "ok",
    }
    assert histogram.quantile(histogram.decode(durations.histogram), 1.0) == pytest.approx(0.030, rel=0.022)
    assert sorted(dict(cell.attributes)["browser"] for cell in browsers) == ["Firefox", "Safari"]


def test_what_is_taken_is_not_taken_again() -> None:
    numbers.request(("jobs/", "GET", 200, "ok", "Firefox"), 0.010)
    assert numbers.take()
    assert numbers.take() == ()


def test_no_request_is_lost_between_counting_threads_and_flushes() -> None:
    counted = 0
    done = threading.Event()

    def flush() -> None:
        nonlocal counted
        while not done.is_set():
            counted += total()

    def total() -> int:
        return sum(cell.count for cell in numbers.take() if cell.name == numbers.REQUEST_DURATION)

    def count() -> None:
        for number in range(5_000):
            numbers.request((f"route-{number % 7}", "GET", 200, "ok", "Firefox"), 0.001)

    flusher = threading.Thread(target=flush)
    counters = [threading.Thread(target=count) for _ in range(4)]
    for thread in (flusher, *counters):
        thread.start()
    for thread in counters:
        thread.join()
    done.set()
    flusher.join()
    assert counted + total() == 20_000


def test_made_up_routes_overflow_into_one(settings: Settings) -> None:
    settings.QAPROD = {"MAX_SERIES": 2}
    guard.take()
    for number in range(100):
        numbers.request((f"route-{number}", "GET", 200, "ok", "Firefox"), 0.001)
    cells = [cell for cell in numbers.take() if cell.name == numbers.REQUEST_DURATION]
    assert len(cells) == 11
    assert next(cell.count for cell in cells if cell.label == numbers.OVERFLOW) == 90
    tally = guard.take()
    assert tally is not None
    assert tally.dropped["numbers.series"] == 90


def test_counters_add_up_and_overflow(settings: Settings) -> None:
    settings.QAPROD = {"MAX_SERIES": 2}
    for name in ("a", "b", "c", "c", "a"):
        numbers.count("qaprod.test", name)
    assert {cell.label: cell.count for cell in numbers.take()} == {"a": 2, "b": 1, numbers.OVERFLOW: 2}


def test_routes_that_nobody_asks_for_any_more_make_room(settings: Settings) -> None:
    """And what a request that is just ending adds to one of them is counted all the same."""
    settings.QAPROD = {"MAX_SERIES": 2}
    numbers.take()
    old = [("old", "GET", 200, "ok", f"browser-{at}") for at in range(10)]
    for key in old:
        numbers.request(key, 0.1)
    numbers.take()
    held = numbers._requests[old[0]]
    numbers.take()
    held.append(0.1)
    numbers.request(("new", "GET", 200, "ok", "Firefox"), 0.1)
    cells = [cell for cell in numbers.take() if cell.name == numbers.REQUEST_DURATION]
    assert {cell.label: cell.count for cell in cells} == {"old": 1, "new": 1}
