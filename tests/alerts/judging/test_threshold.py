"""So many or so few in a sliding window, and nothing that falls between two looks."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from django_qaprod import metrics, registry
from django_qaprod.alerts.declaration import Threshold
from django_qaprod.alerts.judging import threshold
from django_qaprod.alerts.judging.base import ALL, Verdict
from django_qaprod.alerts.measures import failures, gauge, requests
from tests.alerts.sight import NOON, FakeSight

ERRORS = requests().errors()
MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0


def judged(sight: FakeSight, **options: Any) -> dict[str, Verdict]:
    rule = Threshold("fails", **{"of": ERRORS, **options})
    judgement = threshold.judge(rule.spec, sight)
    assert not judgement.silent
    return {verdict.key: verdict for verdict in judgement.verdicts}


def silent(sight: FakeSight, **options: Any) -> str:
    judgement = threshold.judge(Threshold("fails", **{"of": ERRORS, **options}).spec, sight)
    assert not judgement.verdicts
    return judgement.silent


def test_one_is_enough() -> None:
    found = judged(FakeSight({ERRORS: [NOON - 90]}), at_least=1)[ALL]
    assert found == Verdict(
        ALL,
        wrong=True,
        value=1,
        words="1 in the last 5 min",
        limit=1,
        usual="the limit is 1",
        since=NOON - 120,
    )


def test_what_is_kept_by_the_minute_did_not_begin_in_the_minute_before() -> None:
    """Looks are at any second, and what happened at 12:00:16 stands at 12:00."""
    rule = Threshold("failed", of=failures(), at_least=1)
    sight = FakeSight({rule.spec.of: [NOON]}, now=NOON + 15)
    [found] = threshold.judge(rule.spec, sight).verdicts
    assert found.since == NOON
    # Nor does it begin after it happened, once a step has followed.
    sight = FakeSight({rule.spec.of: [NOON - 30]}, now=NOON + 75)
    [found] = threshold.judge(rule.spec, sight).verdicts
    assert found.since == NOON - 60


def test_nothing_is_right() -> None:
    found = judged(FakeSight({ERRORS: [NOON - 6 * MINUTE]}), at_least=1)[ALL]
    assert (found.wrong, found.value, found.words, found.since) == (False, 0, "0 in the last 5 min", None)


def test_the_window_slides() -> None:
    """Five around the hour are five, however they lie to the minutes of a clock."""
    times = [NOON - 130 + 10 * number for number in range(5)]
    for late in range(0, 120, 15):
        sight = FakeSight({ERRORS: times}, now=NOON + late)
        assert judged(sight, at_least=5, window=timedelta(minutes=5))[ALL].wrong


@pytest.mark.parametrize("seconds", [20, 60, 90, 150, 301])
def test_a_window_need_not_be_whole_minutes(seconds: int) -> None:
    times = [NOON - 0.5 * seconds] * 2 + [NOON - 1.5 * seconds]
    found = judged(FakeSight({ERRORS: times}), at_least=3, window=timedelta(seconds=seconds))[ALL]
    assert (found.value, found.wrong) == (2, False)


def test_a_blip_between_two_looks_is_seen_once_somebody_looks() -> None:
    blip = {ERRORS: [NOON - 40 * MINUTE, NOON - 41 * MINUTE]}
    found = judged(FakeSight(blip, previous=NOON - HOUR), at_least=2)[ALL]
    assert (found.wrong, found.value) == (True, 2)
    assert found.words == "2 within 5 min, 39 min ago"
    assert found.since is not None
    assert NOON - 42 * MINUTE <= found.since <= NOON - 40 * MINUTE


def test_what_comes_late_is_seen() -> None:
    """A machine was cut off: its failure of seven minutes ago was stored after the last look."""
    late = {ERRORS: [NOON - 7 * MINUTE]}
    assert judged(FakeSight(late, previous=NOON - 30), at_least=1)[ALL].wrong
    assert not judged(FakeSight(late), at_least=1)[ALL].wrong


def test_what_was_seen_is_not_wrong_for_ever() -> None:
    old = {ERRORS: [NOON - 12 * MINUTE]}
    assert not judged(FakeSight(old, previous=NOON - 30), at_least=1)[ALL].wrong


def test_a_blip_does_not_last_for_a_rule_that_wants_it_to() -> None:
    late = {ERRORS: [NOON - 7 * MINUTE]}
    sight = FakeSight(late, previous=NOON - HOUR)
    assert not judged(sight, at_least=1, for_=timedelta(minutes=10))[ALL].wrong


def test_a_long_time_without_a_look_is_one_look_and_bounded() -> None:
    sight = FakeSight({ERRORS: [NOON - 8 * DAY, NOON - 2 * DAY]}, previous=NOON - 30 * DAY)
    assert judged(sight, at_least=1)[ALL].value == 1
    assert [NOON - start <= 8 * DAY for _, start, _ in sight.asked] == [True]


@given(
    st.lists(st.floats(1, 3 * HOUR), max_size=30),
    st.integers(1, 3),
    st.sampled_from([60, 90, 300]),
)
def test_none_is_missed_whenever_the_looks_were(ago: list[float], limit: int, window: int) -> None:
    """What would have been seen by looking all the time is seen by one look after three hours."""
    with registry.isolated():
        times = sorted(NOON - one for one in ago)
        sight = FakeSight({ERRORS: times}, previous=NOON - 3 * HOUR)
        found = judged(sight, at_least=limit, window=timedelta(seconds=window))[ALL]
    # Whole steps hold at least what a window of one step less holds, and at most what its own length holds.
    step = window / -(-window // 60)

    def most(length: float) -> int:
        return max((sum(at <= other < at + length for other in times) for at in times), default=0)

    assert most(window - step) <= (found.value or 0) <= most(window)


def test_the_browser_that_fails_is_told() -> None:
    times = [(NOON - 30, "Firefox")] * 12 + [(NOON - 30, "Chrome")] * 2 + [(NOON - 50, "")] * 3
    found = judged(FakeSight({ERRORS: times}), at_least=10, by="browser")
    assert {key: (one.wrong, one.value) for key, one in found.items()} == {
        ALL: (False, 17),
        "Firefox": (True, 12),
        "Chrome": (False, 2),
        "(none)": (False, 3),
    }


def test_two_that_fail_are_two_alerts() -> None:
    """Of errors it is not known who has none: two are not all."""
    times = [(NOON - 30, "Firefox")] * 12 + [(NOON - 30, "Chrome")] * 20
    found = judged(FakeSight({ERRORS: times}), at_least=10, by="browser")
    assert {key: one.wrong for key, one in found.items()} == {ALL: False, "Firefox": True, "Chrome": True}


def test_many_that_fail_are_one_alert_that_names_the_worst() -> None:
    times = [(NOON - 30, key) for number, key in enumerate("abcde") for _ in range(10 + number)]
    found = judged(FakeSight({ERRORS: times}), at_least=10, by="browser")
    assert set(found) == {ALL}
    assert (found[ALL].wrong, found[ALL].value) == (True, 60)
    assert found[ALL].words == "60 in the last 5 min (e: 14, d: 13, c: 12 and 2 more)"


def test_nothing_by_browser_is_right() -> None:
    (found,) = judged(FakeSight(), at_least=1, by="browser").values()
    assert (found.key, found.wrong, found.words) == (ALL, False, "0 in the last 5 min")


class TestTooFew:
    OPTIONS = {"at_most": 2, "window": timedelta(hours=1)}
    DAYS = [NOON - 2 * DAY + 600 * number for number in range(6 * 48 - 7)]

    def test_so_few_are_wrong(self) -> None:
        found = judged(FakeSight({ERRORS: [*self.DAYS, NOON - 60, NOON - 90]}), **self.OPTIONS)[ALL]
        assert (found.wrong, found.value, found.words) == (True, 2, "2 in the last hour")
        assert found.usual == "more than 2 are expected"

    def test_more_are_right(self) -> None:
        times = [*self.DAYS, NOON - 60, NOON - 90, NOON - 95]
        assert not judged(FakeSight({ERRORS: times}), **self.OPTIONS)[ALL].wrong

    def test_a_low_that_has_passed_is_no_news(self) -> None:
        times = [NOON - 2 * DAY, *(NOON - 60 - number for number in range(9))]
        assert not judged(FakeSight({ERRORS: times}, previous=NOON - 5 * HOUR), **self.OPTIONS)[ALL].wrong

    def test_what_has_not_begun_says_nothing(self) -> None:
        assert silent(FakeSight(), **self.OPTIONS) == "It has no data: nothing was ever counted."
        begun = FakeSight({ERRORS: [NOON - 60]})
        assert silent(begun, **self.OPTIONS) == "It has been counted for less than 1 h."

    def test_the_hours_must_have_gone_on_for_the_whole_window(self) -> None:
        """NOON is an hour after eleven."""

        def since(hour: int, minute: int = 0) -> Any:
            return lambda moment: (moment.hour, moment.minute) >= (hour, minute)

        sight = FakeSight({ERRORS: self.DAYS})
        assert silent(sight, hours=since(11, 30), **self.OPTIONS) == "Its hours have not gone on for 1 h yet."
        assert judged(sight, hours=since(11), **self.OPTIONS)[ALL].wrong

    def test_so_few_are_no_news_where_there_never_were_many(self) -> None:
        rare = {ERRORS: [NOON - 3 * DAY, NOON - 2 * DAY]}
        assert judged(FakeSight(rare), **self.OPTIONS)[ALL].wrong
        assert not judged(FakeSight(rare), min_count=3, **self.OPTIONS)[ALL].wrong

    def test_the_browser_that_has_fallen_silent_is_told(self) -> None:
        before = [(at, key) for at in self.DAYS for key in ("Chrome", "Chrome", "Chrome", "Safari")]
        now = [(NOON - 60 - number, "Chrome") for number in range(9)]
        found = judged(FakeSight({ERRORS: [*before, *now]}), by="browser", min_count=100, **self.OPTIONS)
        assert {key: (one.wrong, one.value) for key, one in found.items()} == {
            ALL: (False, 9),
            "Chrome": (False, 9),
            "Safari": (True, 0),
        }


class TestGauges:
    QUEUE = gauge("queue")

    def test_the_mean_in_the_window_counts(self) -> None:
        read = [(NOON - 60, 80.0), (NOON - 120, 120.0), (NOON - 600, 9000.0)]
        found = judged(FakeSight(read={self.QUEUE: read}), of=self.QUEUE, at_least=100)[ALL]
        assert (found.wrong, found.value, found.words) == (True, 100, "100 in the last 5 min")
        assert not judged(FakeSight(read={self.QUEUE: read}), of=self.QUEUE, at_least=101)[ALL].wrong

    def test_too_little_is_wrong(self) -> None:
        sight = FakeSight(read={self.QUEUE: [(NOON - 60, 3.5)]})
        found = judged(sight, of=self.QUEUE, at_most=3.5)[ALL]
        assert (found.wrong, found.usual) == (True, "more than 3.5 is expected")

    def test_no_reading_is_no_verdict(self) -> None:
        sight = FakeSight(read={self.QUEUE: [(NOON - 600, 80.0)]})
        assert silent(sight, of=self.QUEUE, at_least=1) == "Nothing was read in the last 5 min."
        assert silent(sight, of=self.QUEUE, at_least=1, by="label") == "Nothing was read in the last 5 min."

    def test_each_label_is_judged_and_what_was_not_read_is_not(self) -> None:
        read = [(NOON - 60, 80.0, "mail"), (NOON - 60, 1.0, "sms"), (NOON - 900, 99.0, "fax")]
        found = judged(FakeSight(read={self.QUEUE: read}), of=self.QUEUE, at_least=50, by="label")
        assert {key: one.wrong for key, one in found.items()} == {ALL: False, "mail": True, "sms": False}

    def test_readings_are_said_in_their_unit(self) -> None:
        measure = gauge(metrics.MEMORY_SHARE)
        found = judged(FakeSight(read={measure: [(NOON - 60, 0.934)]}), of=measure, at_least=0.9)[ALL]
        assert (found.words, found.usual) == ("93.4% in the last 5 min", "the limit is 90%")


def test_hours_are_asked_in_the_form_that_the_project_has() -> None:
    asked: list[datetime] = []

    def hours(moment: datetime) -> bool:
        asked.append(moment)
        return True

    judged(FakeSight({ERRORS: [NOON - DAY]}), at_most=0, hours=hours)
    assert asked
    assert all(moment.tzinfo is not None for moment in asked)
