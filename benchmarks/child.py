"""The measured process: does what it is told by lines of JSON on stdin, answers on stdout.

The process waits in between, so that its background threads go on as in a server.
"""

from __future__ import annotations

import gc
import json
import logging
import os
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from . import driving

Answer = dict[str, Any]

_drivers: dict[str, driving.Driver] = {}


def main() -> None:
    """Set Django up and answer until stdin ends."""
    import django

    django.setup()
    # What a command prints must not get between the answers.
    answers, sys.stdout = sys.stdout, sys.stderr
    for line in sys.stdin:
        request = json.loads(line)
        answer = COMMANDS[request.pop("do")](**request)
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def warm(view: str, interface: str, requests: int) -> Answer:
    """Make some requests and see to it that they are answered as they should be."""
    drive, path = _driver(interface), _path(view, interface)
    driving.checked(drive, path, driving.STATUSES.get(view, 200))
    drive.many(path, requests)
    return {}


def burst(view: str, interface: str, seconds: float) -> Answer:
    """Make requests for a while."""
    return asdict(driving.burst(_driver(interface), _path(view, interface), seconds))


def kinds(start: int, stop: int) -> Answer:
    """Meet errors that were never met before, one after the other."""
    from .project.views import import_kinds

    import_kinds(range(start, stop))
    drive = _driver("wsgi")
    bursts = [driving.counted(lambda n=n: drive.one(f"/kinds/{n}/")) for n in range(start, stop)]
    return {"thread": [burst.thread for burst in bursts]}


def drained(path: str, requests: int, number: int = 0) -> Answer:
    """Make requests and wait until the spool is empty.

    Tells what the other threads took meanwhile, from just after a pass of the drainer to the end of the
    pass that took what the requests left behind.
    """
    from .project.views import import_kinds

    drive = _driver("wsgi")
    import_kinds(range(number, number + requests) if "{}" in path else range(0))
    wait_until_drained()
    began, process, thread = time.perf_counter(), time.process_time(), time.thread_time()
    for at in range(number, number + requests):
        drive.one(path.format(at))
    wait_until_drained()
    seconds = time.perf_counter() - began
    others = time.process_time() - process - (time.thread_time() - thread)
    return {"requests": requests, "others": others, "seconds": seconds}


def pace(path: str, rate: float, seconds: float) -> Answer:
    """Make ``rate`` requests a second as a server gets them; tell what the other threads took."""
    drive = _driver("wsgi")
    at_once = max(round(rate / 20), 1)
    process, thread, due = time.process_time(), time.thread_time(), time.perf_counter()
    end, requests = due + seconds, 0
    while due < end:
        drive.many(path, at_once)
        requests += at_once
        due += at_once / rate
        time.sleep(max(due - time.perf_counter(), 0))
    own = time.thread_time() - thread
    return {"requests": requests, "others": time.process_time() - process - own, "seconds": seconds}


def load(urls: int, requests: int) -> Answer:
    """Ask for distinct URLs, every other of which exists, then for some again and again; tell the memory."""
    drive = _driver("wsgi")
    for number in range(urls):
        drive.one(f"/vacancies/1/?page={number}" if number % 100 == 0 else _distinct(number))
    after_urls = memory()
    drive.many("/plain/", requests)
    return {"after_urls": after_urls, "after_requests": memory()}


def memory() -> Answer:
    """Return resident memory now and at most, in bytes, and how many objects the collector knows."""
    gc.collect()
    status = Path("/proc/self/status").read_text()
    sizes = {line.split()[0]: int(line.split()[1]) * 1024 for line in status.splitlines() if "kB" in line}
    return {"resident": sizes["VmRSS:"], "peak": sizes["VmHWM:"], "objects": len(gc.get_objects())}


def degrade(calls: int) -> Answer:
    """Return the seconds of CPU that a call costs when nothing fails, over the same call without it."""
    from django_qaprod import degrade as degrading

    def function(subject: int) -> int:
        return subject

    def block(subject: int) -> int:
        with section:
            return subject

    section = degrading("benchmark")
    decorated = degrading(fallback=0)(function)
    plain = _best(function, calls)
    return {"decorator": _best(decorated, calls) - plain, "with": _best(block, calls) - plain}


def serve_form(calls: int) -> Answer:
    """Return the seconds of CPU that ``serve_form`` adds to a view that goes well.

    To a POST over the same view in a transaction, which is what it makes of it.
    """
    from django.test import RequestFactory

    from .project import forms

    get = RequestFactory().get("/")
    post = RequestFactory().post("/", forms.SENT)
    bare = {
        "get": _best(lambda _: forms.plain(get), calls),
        "post": _best(lambda _: forms.in_transaction(post), calls // 10),
    }
    return {
        "get": _best(lambda _: forms.served(get), calls) - bare["get"],
        "post": _best(lambda _: forms.served(post), calls // 10) - bare["post"],
    }


def rescue(calls: int) -> Answer:
    """Return what a POST takes whose view fails, until its response leaves: CPU of its thread, and the time.

    Each is another visitor's. Nothing is written into a log: how, is the host's affair.
    """
    from django.test import RequestFactory

    from .project import forms

    logging.getLogger("qaprod").addHandler(logging.NullHandler())
    factory = RequestFactory()
    found: Answer = {}
    for how, view in (("database", forms.kept), ("spool", forms.spooled)):
        thread, began, costs = [], [], []
        for _ in range(calls):
            request = factory.post("/", {**forms.SENT, "csrfmiddlewaretoken": os.urandom(16).hex()})
            began.append(time.perf_counter())
            thread.append(time.thread_time())
            response = view(request)
            thread[-1] = time.thread_time() - thread[-1]
            costs.append(time.perf_counter() - began[-1])
            if response.status_code != 202:
                raise RuntimeError(f"A submission was not kept: {response.content.decode()}")
        found[how] = {"thread": thread, "time": costs}
    return found


def settle(seconds: float) -> Answer:
    """Wait, and tell the memory."""
    time.sleep(seconds)
    return memory()


def wait_until_drained(timeout: float = 60) -> None:
    """Wait until every sink has all of the spool; there is nothing to wait for in other variants."""
    spool = Path(os.environ["QAPROD_BENCH_DIR"], "spool")
    deadline = time.monotonic() + timeout
    while spool.exists() and not _is_drained(spool):
        if time.monotonic() > deadline:
            raise RuntimeError("The spool was not drained.")
        time.sleep(0.01)


def _is_drained(spool: Path) -> bool:
    sizes = {path.stem: path.stat().st_size for path in spool.glob("*.segment")}
    try:
        cursors = json.loads(Path(spool, "cursors.json").read_text())
    except FileNotFoundError:
        return not any(sizes.values())
    return all(cursor.get(name, 0) >= size for cursor in cursors.values() for name, size in sizes.items())


def _best(function: Callable[[int], object], calls: int) -> float:
    best = float("inf")
    for _ in range(7):
        began = time.process_time()
        for number in range(calls):
            function(number)
        best = min(best, time.process_time() - began)
    return best / calls


def _distinct(number: int) -> str:
    return f"/steps/nothing/?seen={number}" if number % 2 else f"/no/such/page-{number}/"


def _driver(interface: str) -> driving.Driver:
    if interface not in _drivers:
        _drivers[interface] = driving.driver(interface)
    return _drivers[interface]


def _path(view: str, interface: str) -> str:
    return _driver(interface).prefix + driving.PATHS.get(view, view)


COMMANDS: dict[str, Callable[..., Answer]] = {
    function.__name__: function
    for function in (warm, burst, kinds, drained, pace, load, memory, degrade, serve_form, rescue, settle)
}

if __name__ == "__main__":
    main()
