"""What should go on: absences, and jobs that should have run."""

from __future__ import annotations

from datetime import time, timedelta
from typing import Any

import pytest
from pytest_django import Settings

from django_qaprod.alerts.beating import beat
from django_qaprod.alerts.declaration import Absence, Heartbeat
from django_qaprod.alerts.hours import WorkingHours
from django_qaprod.alerts.judging import absence, heartbeat
from django_qaprod.alerts.judging.base import ALL, Judgement, Verdict
from django_qaprod.alerts.measures import BEATS, beats, series
from django_qaprod.pipeline import process
from django_qaprod.records import Record
from django_qaprod.specs import Measure
from tests.alerts.sight import NOON, FakeSight

ORDERS = series("orders")
MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0


def absent(*ago: float, now: float = NOON, **options: Any) -> Judgement:
    rule = Absence("no orders", of=ORDERS, **{"window": timedelta(hours=3), **options})
    return absence.judge(rule.spec, FakeSight({ORDERS: [NOON - one for one in ago]}, now=now))


def test_nothing_for_as_long_as_the_window_is_wrong() -> None:
    (found,) = absent(5 * HOUR, 4 * HOUR).verdicts
    assert found == Verdict(
        ALL,
        wrong=True,
        value=None,
        words="none in the last 3 h; the last one 4 h ago",
        usual="at least one in 3 h is expected",
        since=NOON - 4 * HOUR,
    )


def test_one_in_the_window_is_right() -> None:
    (found,) = absent(5 * HOUR, 2 * HOUR).verdicts
    assert (found.wrong, found.words) == (False, "the last one 2 h ago")


def test_what_has_never_happened_is_not_absent() -> None:
    assert absent() == Judgement(silent="It has no data: it has never happened.")


def test_a_night_is_no_absence() -> None:
    """At half past eight, of hours that began at eight, half an hour has passed and two of last evening."""
    hours = WorkingHours(begin=time(8), end=time(18), zone="UTC")
    morning = NOON - 3.5 * HOUR
    evening = NOON - 20 * HOUR
    for last, wrong in ((evening, False), (evening - HOUR, True)):
        (found,) = absent(NOON - last, now=morning, hours=hours).verdicts
        assert found.wrong == wrong
    assert found.words.startswith("none in the last 3 h of its hours; the last one 17 h 30 min ago")


def test_hours_that_never_come_end() -> None:
    assert absent(29 * DAY, hours=lambda moment: False).verdicts[0].wrong


def beaten(*ago: float, failed: tuple[float, ...] = (), now: float = NOON, **options: Any) -> Judgement:
    rule = Heartbeat("import", **options)
    bad = Measure(kind="series", name=BEATS, where=(("label", "import"), ("outcome", "failed")))
    times = {beats("import"): [NOON - one for one in ago], bad: [NOON - one for one in failed]}
    return heartbeat.judge(rule.spec, FakeSight(times, now=now))


class TestByInterval:
    EVERY = {"every": timedelta(hours=1), "grace": timedelta(minutes=10)}

    @pytest.mark.parametrize(("ago", "wrong"), [(70.9, False), (71.1, True)])
    def test_it_must_have_run_that_often_with_some_grace(self, ago: float, wrong: bool) -> None:
        """And a minute, which is what is known of when it ended."""
        (found,) = beaten(ago * MINUTE, **self.EVERY).verdicts
        assert found.wrong == wrong

    def test_it_is_late_since_it_should_have_run(self) -> None:
        (found,) = beaten(2 * HOUR, **self.EVERY).verdicts
        assert found.since == NOON - 50 * MINUTE
        assert found.words == "no run has ended well in the last 1 h 10 min; the last one that did, 2 h ago"
        assert found.usual == "it runs every 1 h and takes 10 min at most"

    def test_that_it_ran_and_failed_is_said(self) -> None:
        (found,) = beaten(2 * HOUR, failed=(30 * MINUTE,), **self.EVERY).verdicts
        assert found.wrong
        assert "; it failed 30 min ago" in found.words

    def test_what_has_only_ever_failed_was_heard_of(self) -> None:
        (found,) = beaten(failed=(10 * MINUTE,), **self.EVERY).verdicts
        assert found.wrong
        assert found.words == "no run has ended well in the last 1 h 10 min; it failed 10 min ago"

    def test_what_was_never_heard_of_before_is_late_since_it_failed(self) -> None:
        """Not since it was to run last, by a plan of which nobody had told."""
        (found,) = beaten(failed=(10 * MINUTE,), cron="30 2 * * mon", grace=timedelta(hours=1)).verdicts
        assert found.since == NOON - 10 * MINUTE

    def test_what_was_never_heard_of_says_nothing(self) -> None:
        assert beaten(**self.EVERY) == Judgement(silent="It has never been heard of.")


class TestByCron:
    """NOON is a Wednesday in March, 12:00 in London, too."""

    @pytest.fixture(autouse=True)
    def _zone(self, settings: Settings) -> None:
        settings.TIME_ZONE = "Europe/London"

    @pytest.mark.parametrize(
        ("cron", "ago", "wrong"),
        [
            # Half past eleven, and its twenty minutes have passed.
            ("30 11 * * *", 25, False),
            ("30 11 * * *", 30.5, False),
            ("30 11 * * *", 40, True),
            # It may still run: yesterday's counts.
            ("50 11 * * *", 20 * 60, False),
            ("50 11 * * *", 25 * 60, True),
            # On Mondays.
            ("0 2 * * mon", 2 * 24 * 60, False),
            ("0 2 * * mon", 3 * 24 * 60, True),
        ],
    )
    def test_it_must_have_ended_since_it_was_to_begin(self, cron: str, ago: float, wrong: bool) -> None:
        (found,) = beaten(ago * MINUTE, cron=cron, grace=timedelta(minutes=20)).verdicts
        assert found.wrong == wrong

    def test_it_is_late_once_grace_has_passed(self) -> None:
        (found,) = beaten(DAY, cron="30 11 * * *", grace=timedelta(minutes=20)).verdicts
        assert found.since == NOON - 10 * MINUTE
        assert found.words == (
            "no run has ended well since 11:30, 30 min ago, when it was to begin; "
            "the last one that did, 1 d ago"
        )
        assert found.usual == "it runs by 30 11 * * * (GMT) and takes 20 min at most"

    @pytest.mark.parametrize("ran", [0, 30])
    def test_the_hour_that_is_left_out_is_no_fault(self, ran: float) -> None:
        """On 30 March London's clock goes from 1:00 to 2:00; a run of 1:30 comes then, at once or not."""
        two = 1_743_296_400.0
        (found,) = beaten(NOON - two - ran * MINUTE, cron="30 1 * * *", now=two + HOUR).verdicts
        assert not found.wrong

    def test_the_hour_that_is_repeated_has_one_run(self) -> None:
        """On 26 October London's clock goes from 2:00 back to 1:00."""
        first = 1_761_438_600.0
        (found,) = beaten(NOON - first - 60, cron="30 1 * * *", now=first + 2 * HOUR).verdicts
        assert not found.wrong


def test_a_step_may_be_the_heartbeat() -> None:
    rule = Heartbeat("orders go on", of=ORDERS, every=timedelta(hours=1))
    (found,) = heartbeat.judge(rule.spec, FakeSight({ORDERS: [NOON - DAY]})).verdicts
    assert found.wrong


def test_what_a_job_tells_is_what_the_rule_waits_for() -> None:
    records: list[Record] = []
    with process.tapped(records):
        beat("import")
    assert Heartbeat("import", every=timedelta(hours=1)).spec.of == beats("import")
    assert any(cell.name == BEATS for record in records for cell in getattr(record, "cells", ()))
