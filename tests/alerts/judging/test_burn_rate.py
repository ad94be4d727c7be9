"""Burn rates: the table of the SRE Workbook, and what is said about the budget."""

from __future__ import annotations

from typing import Any

import pytest

from django_qaprod.alerts.declaration import BurnRate
from django_qaprod.alerts.judging import burn_rate
from django_qaprod.alerts.judging.base import ALL, Judgement, Verdict
from django_qaprod.alerts.measures import requests
from django_qaprod.budgets import WINDOWS
from django_qaprod.specs import Measure
from tests.alerts.sight import FakeSight

REQUESTS, ERRORS = requests(), requests().errors()
MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0


class Traffic(FakeSight):
    """A thousand requests a minute for 30 days, and shares of errors since so long ago, the latest first."""

    def __init__(self, *errors: tuple[float, float], per_minute: float = 1000.0, key: str = "") -> None:
        super().__init__()
        self.errors, self.per_minute, self.key = errors, per_minute, key

    def counts(
        self, measure: Measure, start: float, end: float, *, step: float = 0, by: str = ""
    ) -> dict[str, list[float]]:
        self.asked.append((measure, start, end))
        if measure == REQUESTS:
            return {self.key: [self.per_minute * (end - start) / MINUTE]}
        found, until = 0.0, 0.0
        for ago, share in self.errors:
            begin, over = max(self.now - ago, start), min(self.now - until, end)
            found += max(over - begin, 0.0) / MINUTE * self.per_minute * share
            until = ago
        return {self.key: [found]}

    def hours(self, measure: Measure, starts: list[int], *, by: str = "") -> dict[str, dict[int, float]]:
        found: dict[str, dict[int, float]] = {}
        for start in starts:
            for key, (count,) in self.counts(measure, start, start + HOUR, by=by).items():
                found.setdefault(key, {})[start] = count
        return found


def judged(sight: FakeSight, **options: Any) -> Judgement:
    given = {"of": ERRORS, "per": REQUESTS, "objective": 0.999, **options}
    return burn_rate.judge(BurnRate("objective", **given).spec, sight)


def burning(sight: FakeSight, **options: Any) -> Verdict:
    (found,) = judged(sight, **options).verdicts
    return found


def test_of_thirty_days_the_rates_are_those_of_the_workbook() -> None:
    assert [windows.rate(30 * DAY) for windows in WINDOWS] == pytest.approx([14.4, 6.0, 1.0])


def test_of_a_week_they_use_up_the_same_share_of_the_budget() -> None:
    assert [windows.rate(7 * DAY) for windows in WINDOWS] == pytest.approx([3.36, 1.4, 1.0])


@pytest.mark.parametrize(
    ("errors", "limit"),
    [
        # Enough in an hour, in six, in three days; and just not.
        (((HOUR, 0.0145),), 14.4),
        (((HOUR, 0.0143),), None),
        (((6 * HOUR, 0.0061),), 6.0),
        (((6 * HOUR, 0.0059),), None),
        (((3 * DAY, 0.00105),), 1.0),
        (((30 * DAY, 0.0009),), None),
        # A total outage of three minutes has used up as much.
        (((3 * MINUTE, 1.0),), 14.4),
        # It is over: the short window says so.
        (((10 * MINUTE, 0.0), (HOUR, 0.1)), 6.0),
        (((7 * HOUR, 0.0), (9 * HOUR, 0.1)), None),
    ],
)
def test_it_burns_when_a_long_window_and_its_short_one_say_so(
    errors: tuple[tuple[float, float], ...], limit: float | None
) -> None:
    found = burning(Traffic(*errors))
    assert found.wrong == (limit is not None)
    if limit is not None:
        assert found.limit == pytest.approx(limit)


def test_it_says_how_fast_and_how_long_the_budget_lasts() -> None:
    """Two per cent of errors for an hour are a 36th of the budget of 30 days."""
    found = burning(Traffic((HOUR, 0.02)))
    assert found.words == "2% in the last hour, 2% in the last 5 min: 20 times as fast as is allowed"
    assert found.usual == "0.1% is allowed in 30 d; 2.8% of that is used, gone in 1 d 11 h at this pace"
    assert found.value == pytest.approx(20)


def test_a_budget_that_is_used_up_is_said_to_be() -> None:
    assert burning(Traffic((3 * DAY, 0.02))).usual.endswith("200% of that is used, it is used up")


def test_what_does_not_burn_costs_no_long_look() -> None:
    sight = Traffic((30 * DAY, 0.0001))
    assert not burning(sight).wrong
    assert min(start for _, start, _ in sight.asked) == sight.now - 6 * HOUR


def test_too_few_in_the_short_window_say_nothing_by_it() -> None:
    """Six an hour: one error in five minutes is no outage, and six hours have enough."""
    sight = Traffic((5 * MINUTE, 1.0), per_minute=0.1)
    assert burning(sight, objective=0.99, min_count=20).limit == pytest.approx(1.0)
    assert judged(sight, objective=0.99, min_count=50) == Judgement(
        silent="Fewer than 50 to judge by.", few=True
    )


def test_the_route_that_burns_is_told() -> None:
    found = judged(Traffic((HOUR, 0.02), key="apply"), by="route").verdicts
    assert {one.key: one.wrong for one in found} == {ALL: False, "apply": True}
