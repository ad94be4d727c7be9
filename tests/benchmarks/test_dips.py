"""That dips are measured, and that the page shows what the measuring prints."""

from __future__ import annotations

import re

import pytest

from benchmarks.dips.__main__ import COLUMNS, markdown
from benchmarks.dips.chance import simulate
from benchmarks.dips.rivals import METHODS, Told
from benchmarks.dips.scoring import LARGE, alerts, score, summed
from benchmarks.dips.series import HOUR, MONDAY, SHAPES, STEP, Fault, Series, Shape, generate, inject
from tests.benchmarks.running import ROOT, run


def test_the_page_has_the_table_that_the_command_prints() -> None:
    """Its columns, and a row for each method and generated series; the figures are not looked at."""
    page = (ROOT / "docs" / "dips.md").read_text()
    rows = [line.strip("| ").split(" | ") for line in page.splitlines() if line.startswith("|")]
    assert list(COLUMNS) in rows
    for shape in SHAPES:
        for method in METHODS:
            (row,) = [row for row in rows if row[:2] == [shape.name, method]]
            assert len(row) == len(COLUMNS)
            assert all(re.fullmatch(r"|\d+/\d+(, \d+ (min|h))?", cell.strip()) for cell in row[2:6]), row
            assert re.fullmatch(r"–|\d+%", row[6])
            assert re.fullmatch(r"[\d.]+", row[7])
    assert markdown([]).splitlines()[0] in page


def test_the_same_seed_makes_the_same_series() -> None:
    """And another one another."""
    shape = Shape(name="short", rate=3, weeks=1)
    assert generate(shape, 1).counts == generate(shape, 1).counts != generate(shape, 2).counts


def test_faults_leave_events_out() -> None:
    """Nothing is left of what is out, all of the rest."""
    series = Series(name="flat", start=MONDAY, counts=[5] * (12 * 24 * 7 * 20))
    for fault in inject(series, seed=1).faults:
        begin, end = ((at - MONDAY) // STEP for at in (fault.start, fault.end))
        left = sum(series.counts[begin:end]) / (5 * (end - begin))
        assert left == pytest.approx(fault.left, abs=0.2)
        assert fault.lost == 5 * (end - begin) - sum(series.counts[begin:end])
        assert series.counts[begin - 1] == 5


def _told(*hours: float, key: str = "") -> list[Told]:
    return [Told(at=int(MONDAY + hour * HOUR), wrong=(key,)) for hour in hours]


def test_what_was_found_how_late_and_what_was_false() -> None:
    """Of two faults one is found, an hour after it began; and once nothing was wrong."""
    series = Series(
        name="flat",
        start=MONDAY,
        counts=[1] * (12 * 100),
        faults=[
            Fault(start=MONDAY + begin * HOUR, end=MONDAY + (begin + 4) * HOUR, left=0.0)
            for begin in (10, 50)
        ],
    )
    found = score(series, _told(11, 11.25, 13, 80), begin=MONDAY)
    assert found.found == {"outage": (1, 2)}
    assert found.delay("outage") == 60
    assert (found.right, found.false, found.precision) == (1, 1, 0.5)
    assert len(alerts(_told(11, 11.25, 13, 80))) == 2


def test_a_fault_does_not_make_right_what_was_told_before() -> None:
    """The alert goes on until the fault; nobody looks at it any more."""
    fault = Fault(start=MONDAY + 10 * HOUR, end=MONDAY + 14 * HOUR, left=0.0)
    series = Series(name="flat", start=MONDAY, counts=[1] * (12 * 100), faults=[fault])
    found = score(series, _told(*(5 + place for place in range(8))), begin=MONDAY)
    assert (found.found, found.right, found.false) == ({"outage": (0, 1)}, 0, 1)


def test_outages_that_cost_much_are_told_apart_and_scores_add_up() -> None:
    """Of twenty events and more, where an outage is no chance."""
    faults = [
        Fault(start=MONDAY + at * HOUR, end=MONDAY + (at + 4) * HOUR, left=0.0, lost=lost)
        for at, lost in ((10, 3.0), (50, 30.0))
    ]
    series = Series(name="flat", start=MONDAY, counts=[1] * (12 * 100), faults=faults)
    found = score(series, _told(51, 80), begin=MONDAY)
    assert found.found == {"outage": (1, 2), LARGE: (1, 1)}
    both = summed([found, found])
    assert (both.found, both.delays[LARGE]) == ({"outage": (2, 4), LARGE: (2, 2)}, [60, 60])
    assert (both.right, both.false, both.days) == (2, 2, 2 * found.days)


def test_where_one_key_broke_another_is_not_it() -> None:
    """Nor are all of them."""
    fault = Fault(start=MONDAY + HOUR, end=MONDAY + 5 * HOUR, left=0.0, key="safari")
    series = Series(name="keys", start=MONDAY, counts=[1] * 120, faults=[fault])
    assert score(series, _told(2, key="safari"), begin=MONDAY).found == {"outage": (1, 1)}
    assert score(series, _told(2), begin=MONDAY).found == {"outage": (0, 1)}


@pytest.mark.parametrize("rate", [3.0, 100.0])
def test_chance_alone_is_told_no_more_often_than_is_promised(rate: float) -> None:
    """Looked at each minute through all windows: once in two days at most, here for a hundred days."""
    _, alerted = simulate(rate, days=100, once=2.0)
    assert alerted <= 50


@pytest.mark.slow
def test_a_quick_run_ends_with_the_table() -> None:
    """Every method on some short series."""
    done = run("benchmarks.dips", "--quick", "--markdown")
    assert all(f"| {method} |" in done for method in METHODS)
