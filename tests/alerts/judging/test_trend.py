"""A gauge that will reach a limit."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import Any

import pytest

from django_qaprod import metrics, registry
from django_qaprod.alerts.judging.base import Judgement, Verdict
from django_qaprod.alerts.judging.trend import judge
from django_qaprod.registry import GaugeSpec
from django_qaprod.specs import Measure, RuleSpec
from tests.alerts.sight import NOON, FakeSight

MEMORY = Measure(kind="gauge", name="memory")
HOUR = 3600.0
DAY = 24 * HOUR


def _rule(*, reaches: float = 100.0, within: float = 12 * HOUR, by: str = "", **numbers: float) -> RuleSpec:
    given = {"reaches": reaches, "within": within, **numbers}
    return RuleSpec(name="full soon", kind="trend", of=MEMORY, numbers=given, by=by)


def _read(
    course: Callable[[float], float], *, days: float = 8, noise: float = 0.5, seed: int = 1
) -> list[tuple[float, float]]:
    """Readings every five minutes, by hours before now (which are below zero)."""
    rng = random.Random(seed)
    number = int(days * DAY / 300)
    return [
        (at, course((at - NOON) / HOUR) + rng.gauss(0, noise))
        for at in (NOON - number * 300 + place * 300 + 1 for place in range(number))
    ]


def _judged(read: list[Any], rule: RuleSpec | None = None) -> Judgement:
    return judge(rule or _rule(), FakeSight(read={MEMORY: read}))


def _one(read: list[Any], rule: RuleSpec | None = None) -> Verdict:
    (verdict,) = _judged(read, rule).verdicts
    return verdict


def test_a_leak_is_told_before_it_is_full() -> None:
    """With the pace, and how sure the guess is."""
    verdict = _one(_read(lambda hour: 74 + 3 * hour))
    assert verdict.wrong
    assert verdict.value == pytest.approx(74, abs=2)
    assert verdict.limit == 100
    assert "now, +3 an hour; reaches 100 in about 9 h" in verdict.words
    assert not _one(_read(lambda hour: 74 + 3 * hour), _rule(within=6 * HOUR)).wrong


def test_the_slowest_pace_that_is_likely_has_to_reach_it() -> None:
    """Where readings scatter, half of the guesses in time are not enough."""
    read = _read(lambda hour: 70 + 2.6 * max(hour, -6), noise=4)
    verdict = _one(read)
    assert not verdict.wrong
    assert "reaches 100 in about 1" in verdict.words
    assert "–" in verdict.words


@pytest.mark.parametrize(
    "course",
    [lambda hour: 60.0, lambda hour: 99.0, lambda hour: 80 - 2 * max(hour, -6)],
    ids=["level", "level below the limit", "away from it"],
)
def test_what_does_not_head_there_is_right(course: Callable[[float], float]) -> None:
    """However near it is."""
    verdict = _one(_read(course, noise=0.2))
    assert not verdict.wrong


def test_the_course_of_a_day_is_no_trend() -> None:
    """It climbs each morning, and at this pace it would be full by the evening."""
    # Up for half a day from 20 to 80, and down again: it is in the middle of the way up.
    assert not _one(_read(lambda hour: 80 - 5 * abs((hour - 6) % 24 - 12))).wrong
    assert not _one(_read(lambda hour: 20 + 5 * abs((hour - 6) % 24 - 12))).wrong
    leak = _read(lambda hour: 30 + 20 * math.sin(2 * math.pi * hour / 24) + 6 * max(hour + 6, 0))
    assert _one(leak).wrong


def test_a_disk_that_has_been_filling_for_days_is_told() -> None:
    """What goes on day by day is not taken for a day's course."""
    assert _one(_read(lambda hour: 95 + 0.5 * hour, noise=0.05)).wrong


def test_after_a_restart_only_what_came_since_counts() -> None:
    """It fell from 90 two hours ago, and will not be there within twelve hours."""

    def course(hour: float) -> float:
        return max(90 + 5 * (hour + 2), 10) if hour < -2 else 20 + 5 * (hour + 2)

    verdict = _one(_read(course))
    assert not verdict.wrong
    assert "an hour; reaches 100 in about 14 h" in verdict.words
    assert _one(_read(course), _rule(within=24 * HOUR)).wrong


def test_just_restarted_it_is_too_early_to_say() -> None:
    """Twenty minutes are no trend."""
    verdict = _one(_read(lambda hour: 90.0 + hour if hour < -0.3 else 20.0 + 40 * (hour + 0.3)))
    assert not verdict.wrong
    assert "too short" in verdict.words


def test_a_gauge_that_sinks_towards_its_limit() -> None:
    """Free space, certificates' days, stock."""
    verdict = _one(_read(lambda hour: 30 - 3 * hour), _rule(reaches=10, within=8 * HOUR))
    assert verdict.wrong
    assert "−3 an hour; reaches 10 in about 7 h" in verdict.words


def test_beyond_the_limit_is_wrong_whatever_the_trend() -> None:
    """From the moment at which it went there."""
    verdict = _one(_read(lambda hour: 60.0 if hour < -10 else 120.0))
    assert verdict.wrong
    assert verdict.words == f"{verdict.words.split(' now')[0]} now, which is beyond 100"
    assert verdict.since == pytest.approx(NOON - 10 * HOUR, abs=HOUR)


def test_each_of_them_is_judged_alone() -> None:
    """The machine that leaks is told, the other is not."""
    read = [(at, value, "leaking") for at, value in _read(lambda hour: 80 + 3 * hour)]
    read += [(at, value, "well") for at, value in _read(lambda hour: 40.0)]
    judgement = _judged(read, _rule(by="machine"))
    assert {verdict.key: verdict.wrong for verdict in judgement.verdicts} == {"leaking": True, "well": False}


def test_what_is_not_read_says_so() -> None:
    """Nothing changes then."""
    assert _judged([]) == Judgement(silent="It was not read in the last 6 h.")


def test_wandering_about_is_no_trend() -> None:
    """A value that follows from the one before: a dozen times, and hardly ever told."""
    told = 0
    for seed in range(12):
        rng, value, read = random.Random(seed), 0.0, []
        for place in range(8 * 288):
            value = 0.98 * value + rng.gauss(0, 1.5)
            read.append((NOON - (8 * 288 - place) * 300 + 1, 60 + value))
        told += _one(read).wrong
    assert told <= 1


@pytest.mark.parametrize(
    ("unit", "full", "said"),
    [
        ("1", 1.0, "% now, +3% an hour; reaches 100%"),
        ("%", 100.0, "% now, +3% an hour; reaches 100%"),
        ("By", 2.0**30, "MiB an hour; reaches 1 GiB in about 9 h"),
        ("s", 100.0, "1 min 14 s now, +3 s an hour"),
    ],
)
def test_values_have_their_unit(unit: str, full: float, said: str) -> None:
    """As the gauge was declared."""
    registry.register_gauge(
        GaugeSpec(name="memory", read=lambda: 0, place="tests.memory", every=60.0, timeout=10.0, unit=unit)
    )
    read = _read(lambda hour: (0.74 + 0.03 * hour) * full, noise=0)
    assert said in _one(read, _rule(reaches=full)).words


def test_values_of_our_own_gauges_have_theirs() -> None:
    """Nobody declares these: a process's memory is in bytes."""
    memory = Measure(kind="gauge", name=metrics.MEMORY)
    sight = FakeSight(read={memory: _read(lambda hour: (0.74 + 0.03 * hour) * 2.0**30, noise=0)})
    (verdict,) = judge(_rule(reaches=2.0**30)._replace(of=memory), sight).verdicts
    assert "MiB an hour; reaches 1 GiB in about 9 h" in verdict.words


def _saw(hour: float, *, hours: float = 1.5, low: float = 30.0, high: float = 70.0) -> float:
    return low + (high - low) * (hour % hours) / hours


def test_garbage_that_is_collected_again_and_again_is_no_trend() -> None:
    """Each tooth alone would be at the limit within two hours; what is left after each tells of a leak."""
    assert not _one(_read(_saw, days=0.25)).wrong
    assert not _one(_read(lambda hour: _saw(hour, low=20, high=40) + 70 * (hour < -4.5), days=0.25)).wrong
    assert _one(_read(lambda hour: _saw(hour, high=50) + 3 * max(hour + 8, 0))).wrong


def test_the_tips_are_at_the_limit_before_the_middle_is() -> None:
    """In eight hours the teeth's tips are there; in ten, their middle."""
    read = _read(lambda hour: _saw(hour, high=50) + 3 * max(hour + 8, 0))
    verdict = _one(read, _rule(within=8 * HOUR))
    assert verdict.wrong
    assert "reaches 100 in about 6 h (4–7 h)" in verdict.words


def test_what_turned_back_by_itself_may_climb_as_high_again() -> None:
    """After each start of the week it went up to 70: the present one is like them, until it is higher."""

    def course(hour: float) -> float:
        since = (hour - 2) % 22 + 0.01
        return 70 - 45 * math.exp(-since / 3)

    def judged(shift: float, more: float = 0.0) -> Verdict:
        return _one(_read(lambda hour: course(hour + shift) + more * max(hour + 3, 0)))

    verdict = judged(4.5)
    assert not verdict.wrong
    assert ", if it does not turn back before 7" in verdict.words
    assert judged(9, more=6).wrong


def test_what_was_told_and_stopped_did_not_turn_back_by_itself() -> None:
    """Leaks of this week were told, and ended where the memory did: the next is told as early."""

    def course(hour: float) -> float:
        return 30 + 6 * max((hour + 42) % 48 - 36, 0)

    read = _read(course)
    told = [(NOON - (48 * times + 2) * HOUR, NOON - (48 * times - 5) * HOUR) for times in (1, 2, 3)]
    for incidents, wrong in (((), False), (told, True)):
        (verdict,) = judge(_rule(), FakeSight(read={MEMORY: read}, incidents=incidents)).verdicts
        assert verdict.wrong == wrong, verdict


def test_what_began_an_hour_ago_is_seen() -> None:
    """The six hours before it were calm. A window that the rule gives is not looked into, it is looked at."""
    read = _read(lambda hour: 40 + 20 * max(hour + 1.2, 0))
    assert _one(read).wrong
    assert not _one(read, _rule(window=6 * HOUR)).wrong
