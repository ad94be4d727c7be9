"""Four evaluators at once, one of which dies: run as ``python -m tests.alerts.evaluators RECEIPTS ROUNDS``.

Each round four processes judge the same rule at the same moment and send what came of it. One of them ends
itself in the middle, one line further on between the look and the mark than in the round before. Then the
leases end, and a fifth sends what is left. Writes, as JSON, how many rounds had which end.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from types import FrameType
from typing import Any

import django

LANES = ("mail", "chat")
DIED = 9
#: Lines that an evaluator runs through, about.
LINES = 400
#: Files at whose lines an evaluator may die.
BETWEEN = tuple(
    f"{part}.py"
    for part in (
        "store/looks",
        "store/alerts",
        "store/outbox",
        "alerts/sending",
        "alerts/passes",
        "evaluators",
    )
)


class Receiver:
    """A channel whose receiver keeps what came: one line of a file for each, by one write."""

    receipts = ""

    def __init__(self, name: str) -> None:
        self.name = name

    def send(self, message: Any) -> None:
        descriptor = os.open(Receiver.receipts, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(descriptor, f"{self.name} {message.id}\n".encode())
        os.close(descriptor)


def main(receipts: str, rounds: int) -> None:
    """Run the rounds."""
    _set_up(receipts)
    ends: Counter[str] = Counter()
    line, died_before = 0, True
    stride = max(LINES // rounds, 1)
    for turn in range(rounds):
        # From the beginning again when an evaluator came to its end, at other lines.
        line = line + stride if died_before else 1 + turn % stride
        died_before = _round(turn, line, ends)
    sys.stdout.write(json.dumps(ends))


def _set_up(receipts: str) -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.project.settings"
    from django.conf import settings

    settings.DATABASES["default"]["NAME"] = os.environ["QAPROD_TEST_NAME"]
    path = f"{Receiver.__module__}.Receiver"
    channels = {lane: {"class": path, "options": {}} for lane in LANES}
    settings.QAPROD = {"CHANNELS": channels, "DEFAULT_RULES": False, "NOTIFICATIONS_PER_HOUR": 1_000_000}
    django.setup()
    from importlib import import_module

    # Once for all rounds, and not in each process.
    for name in ("passes", "sending", "telling", "messages", "judging.threshold"):
        import_module(f"django_qaprod.alerts.{name}")
    # The module as channels load it, if this one is ``__main__``.
    import_module("tests.alerts.evaluators").Receiver.receipts = receipts
    Receiver.receipts = receipts


def _round(turn: int, line: int, ends: Counter[str]) -> bool:
    from django.db import connection

    from django_qaprod.models import Alert, Notification

    before = _receipts()
    connection.close()
    codes = _at_once([lambda: _evaluate(turn)] * 3 + [lambda: _die_at(line, lambda: _evaluate(turn))])
    if set(codes) - {0, DIED}:
        ends["failed"] += 1
    Notification.objects.exclude(claimed_until=None).update(claimed_until=None)
    connection.close()
    _at_once([lambda: _evaluate(turn)])
    came = _receipts()[len(before) :]
    alerts = Alert.objects.filter(rule=f"rule {turn}")
    states = list(Notification.objects.filter(alert__in=alerts).values_list("lane", "state", "message"))
    died = DIED in codes
    ends["died" if died else "all ended"] += 1
    if sorted((lane, state) for lane, state, _ in states) != [(lane, "sent") for lane in sorted(LANES)]:
        ends["not marked"] += 1
    if alerts.count() != 1:
        ends["not one alert"] += 1
    for lane, _, message in states:
        ids = [one for one in came if one.startswith(f"{lane} ")]
        if not ids:
            ends["lost"] += 1
        elif set(ids) != {f"{lane} {message}"}:
            ends["another id"] += 1
        elif len(ids) == 2 and died:
            ends["twice, in mid-send"] += 1
        elif len(ids) > 1:
            ends["twice"] += 1
        else:
            ends["once"] += 1
    return died


def _receipts() -> list[str]:
    path = Path(Receiver.receipts)
    return path.read_text().splitlines() if path.exists() else []


def _evaluate(turn: int) -> None:
    from django_qaprod import clock
    from django_qaprod.alerts import passes, sending
    from django_qaprod.alerts.judging.base import Judgement, Verdict
    from django_qaprod.specs import Measure, RuleSpec

    spec = RuleSpec(
        name=f"rule {turn}", kind="threshold", of=Measure("failures"), numbers={}, severity="critical",
        to=LANES,
    )  # fmt: skip
    judgement = Judgement((Verdict("", True, 1.0, "1 in 5 min"),))
    at = clock.now() - timedelta(seconds=1)
    passes._keep(spec, judgement, at, [])
    for lane in LANES:
        sending.send_due(lane, threading.Event())


def _die_at(line: int, evaluate: Callable[[], None]) -> None:
    left = line

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal left
        if not frame.f_code.co_filename.endswith(BETWEEN):
            return None
        if event == "line":
            left -= 1
            if left <= 0:
                os._exit(DIED)
        return trace

    sys.settrace(trace)
    evaluate()
    sys.settrace(None)


def _at_once(tasks: list[Callable[[], None]]) -> list[int]:
    """Run each in a process of its own, all from the same moment on; return how they ended."""
    ready, go = os.pipe()
    children = []
    for task in tasks:
        if not (pid := os.fork()):
            os.close(go)
            os.read(ready, 1)
            _run(task)
        children.append(pid)
    os.close(ready)
    os.close(go)
    return [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children]


def _run(task: Callable[[], None]) -> None:
    try:
        task()
    except BaseException:
        sys.excepthook(*sys.exc_info())
        os._exit(1)
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
