"""Lets time pass: looks at the rules, tells the team, and has the team acknowledge what it hears."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any
from unittest import mock

from django.db import connections

from django_qaprod import clock
from django_qaprod.alerts import passes, sending
from django_qaprod.alerts.judging import dip
from django_qaprod.alerts.judging.base import Judge, Judgement, Sight
from django_qaprod.alerts.sight import Memory
from django_qaprod.alerts.statistics.weeks import usual
from django_qaprod.conf import telemetry_alias
from django_qaprod.models import Alert, Deploy, Notification
from django_qaprod.queries import rules as queried
from django_qaprod.specs import RuleSpec
from django_qaprod.store import alerts, looks, outbox
from django_qaprod.store.looks import Well

from .numbers import GeneratedSight, Numbers
from .troubles import Deploy as Planned

#: How long somebody takes to say that they are on it.
ACKNOWLEDGED_AFTER = timedelta(minutes=5)
#: Seconds for which a dip's judgement is kept while nothing is wrong: it is what costs most of a look.
DIPS_EVERY = 600.0


@dataclass(slots=True)
class Clock:
    """The moment that the code and the database take for the present."""

    at: float = 0.0

    def now(self) -> datetime:
        """Return it as ``django_qaprod.clock`` does."""
        return clock.moment(self.at)


@dataclass(slots=True, kw_only=True)
class Lived:
    """What it took."""

    passes: int = 0
    failed: int = 0


def live(numbers: Numbers, *, start: float, end: float, step: float, deploys: tuple[Planned, ...]) -> Lived:
    """Look every ``step`` seconds, from one moment to another."""
    found, now, memory = Lived(), Clock(), Memory()
    stop, thrift = threading.Event(), Thrift()
    previous: float | None = None
    coming = sorted(deploys, key=lambda one: one.at)
    with _time(now), thrift.applied():
        now.at = start
        while now.at < end:
            while coming and coming[0].at.timestamp() <= now.at:
                planned = coming.pop(0)
                Deploy.objects.create(release=planned.release, at=clock.moment(planned.at.timestamp()))
            sight = GeneratedSight(numbers, at=now.at, previous=previous, memory=memory)
            before = thrift.active
            looked = passes.look(stop, sight=sight)
            found.passes += 1
            found.failed += looked.failed + looked.left
            if thrift.written:
                thrift.active = {rule for rule, kind in alerts.active_rules()}
            thrift.written = False
            if before or thrift.active:
                _tell(stop)
                _acknowledge(now)
            previous = now.at
            now.at += step
    return found


@dataclass(slots=True)
class Thrift:
    """What is left out of a look because it changes nothing.

    1. Where nothing is wrong, and no alert of the rule is active, the rule's row is not written.
    2. A dip is judged every ten minutes, and at each look while it is wrong or active.
    3. What is usual is computed once for the same counts.
    4. Nobody changes a rule meanwhile, so what people changed is read once.
    """

    active: set[str] = field(default_factory=set)
    written: bool = False
    judged: dict[str, tuple[float, Judgement]] = field(default_factory=dict)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Look thriftily within the block."""
        rules = queried.effective()
        with (
            mock.patch.object(queried, "effective", return_value=rules),
            mock.patch.object(looks, "look", self._look(looks.look)),
            mock.patch.object(looks, "look_well", self._look_well(looks.look_well)),
            mock.patch.object(passes, "judge_of", self._judge_of(passes.judge_of)),
            mock.patch.object(dip, "usual", _remembering(usual)),
        ):
            yield

    def _look(self, real: Any) -> Any:
        def look(spec: RuleSpec, **given: Any) -> bool:
            self.written = True
            return bool(real(spec, **given))

        return look

    def _look_well(self, real: Any) -> Any:
        def look_well(found: list[Well], *, at: datetime) -> set[str]:
            active = [one for one in found if one.rule in self.active]
            return set(real(active, at=at)) if active else set()

        return look_well

    def _judge_of(self, real: Any) -> Any:
        def judge_of(spec: RuleSpec) -> Judge:
            judge: Judge = real(spec)
            return judge if spec.kind != "dip" else self._seldom(judge)

        return judge_of

    def _seldom(self, judge: Judge) -> Judge:
        def judged(spec: RuleSpec, sight: Sight, /) -> Judgement:
            at, last = self.judged.get(spec.name, (0.0, Judgement()))
            is_wrong = any(verdict.wrong for verdict in last.verdicts)
            if is_wrong or spec.name in self.active or sight.now - at >= DIPS_EVERY:
                self.judged[spec.name] = (sight.now, judge(spec, sight))
            return self.judged[spec.name][1]

        return judged


def _remembering(real: Any) -> Any:
    remembered = lru_cache(maxsize=64)(real)
    return lambda *series: remembered(*(tuple(one) for one in series))


def _tell(stop: threading.Event) -> None:
    for lane in outbox.lanes(Notification):
        sending.send_due(lane, stop)


def _acknowledge(now: Clock) -> None:
    firing = Alert.objects.filter(
        state=Alert.State.FIRING, acknowledged_at=None, fired_at__lte=now.now() - ACKNOWLEDGED_AFTER
    )
    if told := [alert.pk for alert in firing if _is_told(alert)]:
        alerts.acknowledge(told, who="on call")


def _is_told(alert: Alert) -> bool:
    return Notification.objects.filter(alert=alert, state=Notification.State.SENT).exists()


@contextmanager
def _time(now: Clock) -> Iterator[None]:
    """Have the code and the database go by a clock that we set."""
    with mock.patch.object(clock, "now", now.now):
        for alias in {"default", telemetry_alias()}:
            connection = connections[alias]
            connection.ensure_connection()
            _set_database_clock(connection.connection, now)
        yield


def _set_database_clock(connection: Any, now: Clock) -> None:
    """Let SQLite's ``strftime(…, 'NOW')``, which is Django's ``Now()``, be the simulated moment."""
    real = sqlite3.connect(":memory:")

    def strftime(wanted: str, *arguments: Any) -> Any:
        said = [_spoken(now) if str(one).lower() == "now" else one for one in arguments]
        marks = ", ".join("?" for _ in said)
        return real.execute(f"SELECT strftime(?, {marks})", (wanted, *said)).fetchone()[0]

    connection.create_function("strftime", -1, strftime)


def _spoken(now: Clock) -> str:
    return datetime.fromtimestamp(now.at, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
