"""Visitors: a bounded number of requests from a few threads, each with a connection of its own."""

from __future__ import annotations

import hashlib
import http.client
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from urllib.parse import urlencode


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What the visitors saw: how often each status, what was confirmed, how often nobody answered."""

    statuses: Counter[int] = field(default_factory=Counter)
    bodies: list[str] = field(default_factory=list)
    unanswered: int = 0
    seconds: list[float] = field(default_factory=list)

    def percentile(self, share: float) -> float:
        """Return how many seconds that share of the answers took at most."""
        ordered = sorted(self.seconds)
        return ordered[min(int(share * len(ordered)), len(ordered) - 1)]


def visit(port: int, paths: Iterable[str], *, threads: int = 4, keep_alive: bool = True) -> Outcome:
    """Request every path once and wait for all answers."""
    waiting, outcome, lock = iter(paths), Outcome(), threading.Lock()

    def take() -> str | None:
        with lock:
            return next(waiting, None)

    def visitor() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        while (path := take()) is not None:
            started = time.monotonic()
            try:
                connection.request("GET", path, headers={"User-Agent": "Mozilla/5.0 Firefox/140.0"})
                response = connection.getresponse()
                body = response.read().decode("utf-8", "replace")
            except (OSError, http.client.HTTPException):
                connection.close()
                with lock:
                    outcome.unanswered += 1
                continue
            if not keep_alive:
                connection.close()
            with lock:
                outcome.statuses[response.status] += 1
                outcome.seconds.append(time.monotonic() - started)
                if response.status == 200:
                    outcome.bodies.append(body)
        connection.close()

    crowd = [threading.Thread(target=visitor) for _ in range(threads)]
    for thread in crowd:
        thread.start()
    for thread in crowd:
        thread.join()
    return outcome


@dataclass(slots=True, kw_only=True)
class Sent:
    """What became of submissions, by number: a status, 0 where nobody answered."""

    statuses: dict[str, int] = field(default_factory=dict)

    def with_status(self, status: int) -> set[str]:
        """Return the numbers that were answered so."""
        return {number for number, found in self.statuses.items() if found == status}


def send(port: int, numbers: Iterable[str], *, threads: int = 4) -> Sent:
    """Send a form for every number; the same number always with the same token, as a browser repeats it."""
    waiting, sent, lock = iter(numbers), Sent(), threading.Lock()

    def take() -> str | None:
        with lock:
            return next(waiting, None)

    def visitor() -> None:
        while (number := take()) is not None:
            status = _post(port, number)
            with lock:
                sent.statuses[number] = status

    crowd = [threading.Thread(target=visitor) for _ in range(threads)]
    for thread in crowd:
        thread.start()
    for thread in crowd:
        thread.join()
    return sent


def _post(port: int, number: str) -> int:
    token = hashlib.sha256(number.encode()).hexdigest()[:32]
    headers = {
        "Content-Type": "application/x-www-form-urlencoded",
        "Cookie": f"csrftoken={token}",
        "User-Agent": "Mozilla/5.0 Firefox/140.0",
    }
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        body = urlencode({"number": number, "csrfmiddlewaretoken": token})
        connection.request("POST", "/order/", body, headers)
        response = connection.getresponse()
        response.read()
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()
    return response.status


def until(deadline: float, path: Callable[[int], str]) -> Iterable[str]:
    """Yield numbered paths until ``deadline`` (monotonic seconds)."""
    number = 0
    while time.monotonic() < deadline:
        yield path(number)
        number += 1


def killing(kill: Callable[[], object], path: Callable[[int], str], *, after: int) -> Iterable[str]:
    """Yield numbered paths; have ``kill`` called in the middle of those behind the first ``after``.

    However slow the machine is, so many have been answered by then, but for those that are under way.
    """
    number, killer = 0, threading.Thread(target=kill)
    while number < after or killer.is_alive():
        yield path(number)
        number += 1
        if number == after:
            killer.start()
    # Some of whom nobody answers.
    for late in range(number, number + 10):
        yield path(late)
