"""Which limit would have told the useful alerts and left out the others."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from django_qaprod import clock
from django_qaprod.dashboard import usefulness
from django_qaprod.queries.alerts import Judged


def judged(useful: Iterable[float], useless: Iterable[float], *, limit: float | None = 3.0) -> list[Judged]:
    return [
        Judged("a rule", clock.now(), value, limit, is_useful)
        for values, is_useful in ((useful, True), (useless, False))
        for value in values
    ]


def test_the_limit_lies_between_the_useful_and_the_others() -> None:
    """At the number with the fewest digits near the middle."""
    fit = usefulness.fitting(judged([10, 12], [3, 4, 4]))
    assert fit is not None
    assert (fit.limit, fit.spared, fit.useless) == (7.0, 3, 3)


def test_no_useful_alert_is_given_up_for_a_quieter_rule() -> None:
    """What the limit spares is only what lies below all that was useful."""
    fit = usefulness.fitting(judged([5, 12], [3, 9]))
    assert fit is not None
    assert 3 < fit.limit < 5
    assert (fit.spared, fit.useless) == (1, 2)


def test_where_low_is_bad_the_limit_goes_down() -> None:
    """A share that falls below its limit is worse the less it is."""
    fit = usefulness.fitting(judged([0.05, 0.1], [0.25, 0.28], limit=0.3))
    assert fit is not None
    assert 0.1 < fit.limit < 0.25
    assert fit.spared == 2


@pytest.mark.parametrize(
    "given",
    [
        [],
        judged([4], [9]),
        judged([], [3, 4]),
        judged([9], []),
        judged([9], [4], limit=None),
        judged([9, 1], [4]),
        [*judged([9], [4]), *judged([9], [4], limit=5.0)],
        judged([3], [3]),
    ],
)
def test_there_may_be_no_such_limit(given: list[Judged]) -> None:
    """Where they overlap, all or none were useful, the side is not known or the limit moves."""
    assert usefulness.fitting(given) is None


_VALUES = st.lists(st.floats(3.0, 1e9), min_size=1, max_size=20)


@given(useful=_VALUES, useless=_VALUES)
def test_a_limit_never_costs_a_useful_alert_and_always_spares_others(
    useful: list[float], useless: list[float]
) -> None:
    """Whatever they were, at least and above alike."""
    fit = usefulness.fitting(judged(useful, useless))
    if fit is None:
        assert min(useless) >= min(useful) or {*useful, *useless} == {3.0}
        return
    assert all(value >= fit.limit for value in useful)
    assert sum(value < fit.limit or value <= fit.limit < min(useful) for value in useless) == fit.spared > 0
