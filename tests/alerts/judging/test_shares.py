"""Shares: ratios, and counts that should agree."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from django_qaprod.alerts.declaration import OutOfSync, Ratio
from django_qaprod.alerts.judging import out_of_sync, ratio
from django_qaprod.alerts.judging.base import ALL, Judgement, Verdict
from django_qaprod.alerts.measures import requests, series
from tests.alerts.sight import NOON, FakeSight

ALL_OF_THEM, ERRORS = requests(), requests().errors()
SENT, TAKEN = series("sent"), series("taken")
MINUTE = 60.0


def counted(of: int, per: int, key: str = "") -> tuple[list[Any], list[Any]]:
    one: Any = (NOON - 120, key) if key else NOON - 120
    return [one] * of, [one] * per


def shared(*pairs: tuple[list[Any], list[Any]], **options: Any) -> Judgement:
    of = [one for pair in pairs for one in pair[0]]
    per = [one for pair in pairs for one in pair[1]]
    rule = Ratio("errors", of=ERRORS, per=ALL_OF_THEM, **options)
    return ratio.judge(rule.spec, FakeSight({ERRORS: of, ALL_OF_THEM: per}))


def test_a_share_above_its_limit_is_wrong() -> None:
    (found,) = shared(counted(12, 40), above=0.05).verdicts
    assert found == Verdict(
        ALL,
        wrong=True,
        value=0.3,
        words="12 of 40 (30%) in the last hour",
        limit=0.05,
        usual="the limit is 5%",
    )
    assert not shared(counted(2, 40), above=0.05).verdicts[0].wrong


def test_a_share_below_its_limit_is_wrong() -> None:
    (found,) = shared(counted(2, 40), below=0.3).verdicts
    assert (found.wrong, found.usual) == (True, "at least 30% is expected")
    assert not shared(counted(12, 40), below=0.3).verdicts[0].wrong


def test_three_requests_in_the_night_are_no_error_rate() -> None:
    found = shared(counted(1, 3), above=0.05)
    assert found == Judgement(silent="3 in the last hour; it is judged from 20 on.", few=True)
    assert shared(counted(0, 0), above=0.05, min_count=0).silent


def test_the_route_that_fails_is_told_and_one_that_is_rare_is_not_judged() -> None:
    pairs = counted(30, 40, "apply"), counted(0, 400, "home"), counted(3, 3, "rare")
    found = {one.key: one.wrong for one in shared(*pairs, above=0.05, by="route").verdicts}
    assert found == {ALL: False, "apply": True, "home": False}


def test_when_all_routes_fail_it_is_one_alert() -> None:
    pairs = counted(30, 40, "apply"), counted(200, 400, "home")
    (found,) = shared(*pairs, above=0.05, by="route").verdicts
    assert (found.key, found.wrong, found.words) == (ALL, True, "230 of 440 (52.3%) in the last hour")


def compared(sent: list[Any], taken: list[Any], **options: Any) -> Judgement:
    given = {"within": timedelta(minutes=10), "window": timedelta(minutes=30), **options}
    rule = OutOfSync("taken", one=SENT, other=TAKEN, **given)
    return out_of_sync.judge(rule.spec, FakeSight({SENT: sent, TAKEN: taken}))


@pytest.mark.parametrize(
    ("sent", "taken", "wrong"),
    [
        ([15, 20], [14, 18], False),
        ([15, 20], [15, 0.5], False),
        ([15, 20], [14], True),
        ([15, 5], [14], False),
    ],
)
def test_what_falls_behind_is_wrong_once_it_has_had_its_time(
    sent: list[float], taken: list[float], wrong: bool
) -> None:
    """In minutes ago: what was sent less than ten minutes ago may still be on its way."""
    found = compared([NOON - ago * MINUTE for ago in sent], [NOON - ago * MINUTE for ago in taken])
    assert [one.wrong for one in found.verdicts] == [wrong]


def test_it_says_how_many_are_lacking() -> None:
    (found,) = compared([NOON - 20 * MINUTE] * 4, [NOON - 19 * MINUTE] * 3, at_least=0.8).verdicts
    assert (found.words, found.usual) == (
        "3 taken for 4 sent of 30 min, 10 min later",
        "at least 80% is expected",
    )
    assert (found.value, found.limit, found.wrong) == (0.75, 0.8, True)


def test_with_nothing_to_compare_it_says_nothing() -> None:
    assert compared([NOON - 5 * MINUTE], []).silent == "0 to compare with; it is judged from 1 on."
    assert compared([NOON - 20 * MINUTE], [], min_count=5).silent


def test_the_variant_that_falls_behind_is_told() -> None:
    sent = [(NOON - 20 * MINUTE, key) for key in "aab"]
    taken = [(NOON - 15 * MINUTE, key) for key in "aa"]
    assert {one.key: one.wrong for one in compared(sent, taken, by="variant").verdicts} == {
        ALL: False,
        "a": False,
        "b": True,
    }
