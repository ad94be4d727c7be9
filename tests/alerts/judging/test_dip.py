"""Fewer than at the same hours of the weeks before."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime
from typing import Any

import pytest

from django_qaprod.alerts.judging.base import ALL, Judgement, Verdict
from django_qaprod.alerts.judging.dip import judge
from django_qaprod.specs import Measure, RuleSpec
from tests.alerts.sight import NOON, FakeSight

SUBMITTED = Measure(kind="step", name="submitted", journey="Application")
HOUR = 3600.0
DAY = 24 * HOUR
WEEKS = 10 * 7 * DAY


def _rule(*, by: str = "", hours: Callable[[datetime], bool] | None = None, **numbers: float) -> RuleSpec:
    given = {"once_in_days": 365.0, "weeks": 8.0, **numbers}
    return RuleSpec(name="fewer", kind="dip", of=SUBMITTED, numbers=given, by=by, hours=hours)


def _every(
    seconds: float, *, since: float = NOON - WEEKS, until: float = NOON, at: float = 7.0
) -> list[float]:
    return [since + at + step * seconds for step in range(int((until - since - at) / seconds) + 1)]


def _judged(happened: Iterable[Any], rule: RuleSpec | None = None, **given: Any) -> Judgement:
    return judge(rule or _rule(), FakeSight({SUBMITTED: list(happened)}, **given))


def _whole(judgement: Judgement) -> Verdict:
    return {verdict.key: verdict for verdict in judgement.verdicts}[ALL]


def test_none_where_there_are_usually_some_is_wrong_and_says_what_is_usual() -> None:
    """Fourteen an hour, and none for two hours."""
    verdict = _whole(_judged(_every(257, until=NOON - 2 * HOUR)))
    assert verdict.wrong
    assert verdict.value == 0
    assert verdict.words.startswith("0 in the last 2 h")
    assert verdict.usual.startswith("usually ")
    assert "by now; chance alone does this less than once in 1,000 years" in verdict.usual
    assert verdict.since == pytest.approx(NOON - 2 * HOUR, abs=600)


def test_as_many_as_usual_is_right() -> None:
    """The limit says how few would be wrong."""
    verdict = _whole(_judged(_every(257)))
    assert not verdict.wrong
    assert verdict.since is None
    assert verdict.value is not None
    assert verdict.limit is not None
    assert 0 <= verdict.limit < verdict.value


def test_half_of_them_for_long_enough_is_wrong_from_when_it_began() -> None:
    """And half an hour of it is not, of so few."""
    half = _every(257, until=NOON - 12 * HOUR) + _every(514, since=NOON - 12 * HOUR)
    verdict = _whole(_judged(half))
    assert verdict.wrong
    assert verdict.since == pytest.approx(NOON - 12 * HOUR, abs=2 * HOUR)
    short = _every(257, until=NOON - HOUR / 2) + _every(514, since=NOON - HOUR / 2)
    assert not _whole(_judged(short)).wrong


def _by_day(since: float = NOON - WEEKS) -> list[float]:
    """Sixty an hour from 8 to 18 UTC, none at night and on Saturdays and Sundays."""
    return [
        at
        for at in _every(60, since=since)
        if 8 <= at % DAY / HOUR < 18 and datetime.fromtimestamp(at, UTC).weekday() < 5
    ]


def test_a_silent_night_and_weekend_are_as_usual() -> None:
    """Zeros count as zeros."""
    midnight = NOON - NOON % DAY
    for now in (midnight, midnight + 6 * HOUR, midnight - 3.5 * DAY):
        seen = [at for at in _by_day() if at < now]
        assert not any(verdict.wrong for verdict in _judged(seen, now=now).verdicts)


def test_a_morning_that_does_not_begin_is_noticed_within_the_hour() -> None:
    """At 8:50 there should have been fifty."""
    now = NOON - NOON % DAY + 8 * HOUR + 3000
    seen = [at for at in _by_day() if at < now - 3600]
    verdict = _whole(_judged(seen, now=now))
    assert verdict.wrong
    assert not _whole(_judged([at for at in _by_day() if at < now], now=now)).wrong


def test_too_short_a_history_says_so_and_nothing_else() -> None:
    """Nine days are not enough to know a week."""
    judgement = _judged(_every(257, since=NOON - 9 * DAY - HOUR, until=NOON - DAY))
    assert judgement == Judgement(silent="It has 9 days of history and needs 15.")
    assert "It has 0 days of history" in _judged([NOON - 60]).silent


def test_what_never_happened_is_not_missed() -> None:
    """A rule of a step that nobody has taken yet."""
    assert _judged([]).verdicts == ()
    assert "not happened yet" in _judged([]).silent


def test_what_is_too_rare_says_so() -> None:
    """Of three a week, a week without any is chance."""
    silent = _judged(_every(56 * HOUR)).silent
    assert silent.startswith("There are usually 3")
    assert silent.endswith("a week: too few to tell a dip from chance.")


def test_two_a_day_are_enough_to_miss_them_within_a_week() -> None:
    """Small sites, too."""
    assert not _whole(_judged(_every(DAY / 2))).wrong
    verdict = _whole(_judged(_every(DAY / 2, until=NOON - 7 * DAY)))
    assert verdict.wrong
    assert verdict.since == pytest.approx(NOON - 7 * DAY, abs=DAY / 2)


BROWSERS = {"chrome": 120.0, "safari": 240.0, "firefox": 300.0}


def _browsers(**until: float) -> list[tuple[float, str]]:
    return [
        (at, key)
        for key, seconds in BROWSERS.items()
        for at in _every(seconds, until=until.get(key, NOON), at=seconds / 3)
    ]


def test_the_browser_in_which_it_broke_is_told_and_not_all() -> None:
    """Safari's button is gone for three hours, by which there are fewer in all, too."""
    judgement = _judged(_browsers(safari=NOON - 3 * HOUR), _rule(by="browser"))
    assert {verdict.key for verdict in judgement.verdicts if verdict.wrong} == {"safari"}
    assert {verdict.key for verdict in judgement.verdicts} == {ALL, *BROWSERS}


def test_when_all_fall_it_is_told_once() -> None:
    """None in any browser, and half in each."""
    none = _judged(_browsers(**dict.fromkeys(BROWSERS, NOON - 3 * HOUR)), _rule(by="browser"))
    assert {verdict.key for verdict in none.verdicts if verdict.wrong} == {ALL}
    half = [
        (at, key)
        for place, (at, key) in enumerate(sorted(_browsers()))
        if at < NOON - 9 * HOUR or place % 2 or (key == "firefox" and place % 4)
    ]
    told = _judged(half, _rule(by="browser"))
    assert {verdict.key for verdict in told.verdicts if verdict.wrong} == {ALL}


def test_a_new_browser_is_not_missed_in_the_weeks_before_it_was_there() -> None:
    """It has too short a history of its own; the others are judged."""
    new = [(at, "edge") for at in _every(60, since=NOON - 4 * DAY)]
    judgement = _judged(_browsers() + new, _rule(by="browser"))
    assert {verdict.key for verdict in judgement.verdicts} == {ALL, *BROWSERS}


def test_what_a_rule_fired_of_in_other_weeks_is_not_usual() -> None:
    """Wednesdays were lost three times; today's half is a dip all the same."""
    lost = [(NOON - weeks * 7 * DAY - 6 * HOUR, NOON - weeks * 7 * DAY) for weeks in (1, 2, 3, 4, 5)]
    seen = [at for at in _every(60) if not any(begin <= at < over for begin, over in lost)]
    half = [at for at in seen if at < NOON - 4 * HOUR or at // 60 % 2]
    assert _whole(_judged(half, incidents=lost)).wrong
    assert not _whole(_judged(seen, incidents=lost)).wrong


def test_what_was_told_and_is_over_is_not_told_again() -> None:
    """The day still lacks a third of what twenty hours should have had."""
    lost = (NOON - 22 * HOUR, NOON - 2 * HOUR)
    seen = [at for at in _every(257) if not (lost[0] <= at < lost[1] and int(at / 257) % 3 == 0)]
    assert _whole(_judged(seen)).wrong
    assert not _whole(_judged(seen, incidents=[lost])).wrong


def test_it_is_over_when_they_come_again() -> None:
    """Even before anything has been noted: the window still lacks them, its end does not."""
    lost = (NOON - 4 * HOUR, NOON - HOUR / 4)
    seen = [at for at in _every(60) if not lost[0] <= at < lost[1]]
    assert not _whole(_judged(seen)).wrong
    assert _whole(_judged([at for at in seen if at < lost[0]])).wrong


def test_a_dip_that_goes_on_stays_one_while_the_rule_fires() -> None:
    """Five days without any: what the rule fires of does not become what is usual."""
    begun = NOON - 5 * DAY
    seen = _every(257, until=begun)
    assert _whole(_judged(seen, incidents=[(begun + HOUR, NOON)])).wrong


def test_a_break_by_a_deploy_is_found_sooner_and_put_down_to_it() -> None:
    """Fifty minutes without any are too few to say so, but for the release."""
    deploy = NOON - 3000
    seen = _every(257, until=deploy)
    assert not _whole(_judged(seen)).wrong
    verdict = _whole(_judged(seen, deploys=[deploy]))
    assert verdict.wrong
    assert verdict.words == "0 in the 50 min since a release went live"
    assert verdict.since == deploy
    assert not _whole(_judged(_every(257), deploys=[deploy])).wrong


def test_a_deploy_in_the_middle_of_an_outage_is_not_to_blame() -> None:
    """It began hours before."""
    verdict = _whole(_judged(_every(257, until=NOON - 4 * HOUR), deploys=[NOON - 2 * HOUR]))
    assert verdict.wrong
    assert "release" not in verdict.words


class _Holidays:
    """As ``WorkingHours`` knows them."""

    def __init__(self, *days: date) -> None:
        self._days = days

    def __call__(self, moment: datetime) -> bool:
        return moment.date() not in self._days

    def is_holiday(self, day: date) -> bool:
        return day in self._days


def test_a_holiday_of_the_rules_hours_is_not_missed_on_the_day_after() -> None:
    """The window of a day still reaches into it."""
    today = NOON - NOON % DAY
    now = min(at for at in _every(257) if at >= today) + 10
    seen = [at for at in _every(257) if not today - DAY <= at < today and at < now]
    yesterday = datetime.fromtimestamp(today - DAY, UTC).date()
    assert _whole(_judged(seen, now=now)).wrong
    assert not _whole(_judged(seen, _rule(hours=_Holidays(yesterday)), now=now)).wrong
    assert not _whole(_judged(seen, _rule()._replace(holidays=lambda day: day == yesterday), now=now)).wrong


def test_the_clock_on_the_wall_counts(settings: Any) -> None:
    """The week after the clocks went forward, mornings begin an hour of UTC earlier."""
    settings.TIME_ZONE = "Europe/London"
    changed = datetime(2025, 3, 30, 1, tzinfo=UTC).timestamp()
    now = datetime(2025, 4, 2, 15, 30, tzinfo=UTC).timestamp()
    start = now - WEEKS

    def opens(at: float) -> bool:
        return 9 <= (at + (HOUR if at >= changed else 0)) % DAY / HOUR < 17

    seen = [at for at in _every(60, since=start, until=now) if opens(at)]
    # At 16:30 by the clock it is as usual, and after 17:00, when all are at home.
    assert not _whole(_judged(seen, now=now)).wrong
    later = now + 5400
    seen = [at for at in _every(60, since=start, until=later) if opens(at)]
    assert not any(verdict.wrong for verdict in _judged(seen, now=later).verdicts)


@pytest.mark.parametrize("change", [0.95, 1.05])
def test_a_site_that_slowly_shrinks_or_grows_has_no_dip(change: float) -> None:
    """By a twentieth each week."""
    seen, at = [], NOON - WEEKS
    while at < NOON:
        at += 60.0 / change ** ((at - NOON) / (7 * DAY))
        seen.append(at)
    assert not _whole(_judged([one for one in seen if one < NOON])).wrong


def test_a_window_that_is_given_is_the_only_one() -> None:
    """Of an hour: three quarters without any are no such window."""
    verdict = _whole(_judged(_every(60, until=NOON - 60), _rule(window=HOUR)))
    assert not verdict.wrong
    assert "in the last hour" in verdict.words
    assert _whole(_judged(_every(60, until=NOON - HOUR), _rule(window=HOUR))).wrong


def test_fewer_than_the_minimum_are_not_judged() -> None:
    """In no window are as many expected."""
    seen = _every(257, until=NOON - 2 * HOUR)
    assert not any(verdict.wrong for verdict in _judged(seen, _rule(min_count=1000)).verdicts)


def test_how_rare_it_has_to_be_is_said_by_the_rule() -> None:
    """Once in a week is more easily reached than once in ten years."""
    seen = _every(257, until=NOON - 2700)
    assert _whole(_judged(seen, _rule(once_in_days=7.0))).wrong
    assert not _whole(_judged(seen, _rule(once_in_days=3650.0))).wrong
    assert "once in" in _whole(_judged(seen, _rule(once_in_days=7.0))).usual
