"""The one that broke is told, or that all of them did."""

from __future__ import annotations

import pytest

from django_qaprod.alerts.judging import keys
from django_qaprod.alerts.judging.base import ALL, Verdict

WHOLE = Verdict(ALL, wrong=False, value=7, words="7 of all")


def verdicts(*wrong: str, right: str = "") -> tuple[Verdict, ...]:
    found = tuple(Verdict(key, wrong=True, value=1, words="1", since=float(ord(key))) for key in wrong)
    return (*found, *(Verdict(key, wrong=False, value=0, words="0") for key in right))


@pytest.mark.parametrize(
    ("wrong", "right", "volumes", "told"),
    [
        ("a", "bc", {"a": 90, "b": 5, "c": 5}, {"a"}),
        ("ab", "c", {"a": 40, "b": 40, "c": 20}, {ALL}),
        ("ab", "c", {"a": 40, "b": 39, "c": 21}, {"a", "b"}),
        ("a", "", {"a": 100}, {"a"}),
        ("", "ab", {"a": 50, "b": 50}, set()),
        ("", "", {}, set()),
    ],
)
def test_all_are_told_when_most_of_the_volume_is_wrong(
    wrong: str, right: str, volumes: dict[str, float], told: set[str]
) -> None:
    found = keys.together(verdicts(*wrong, right=right), volumes, WHOLE)
    assert {verdict.key for verdict in found if verdict.wrong} == told
    assert {verdict.key for verdict in found if not verdict.wrong} >= set(right)
    assert [verdict.key for verdict in found].count(ALL) == 1


def test_what_is_told_of_all_began_with_the_first_of_them() -> None:
    (whole,) = keys.together(verdicts("b", "a"), {"a": 1, "b": 1}, WHOLE)
    assert (whole.since, whole.words, whole.value) == (float(ord("a")), "7 of all", 7)


def test_who_has_no_key_is_not_taken_for_all() -> None:
    assert keys.named({"": 1, "a": 2}) == {"(none)": 1, "a": 2}
