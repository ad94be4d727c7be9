"""That trends are measured, and that the page shows what the measuring prints."""

from __future__ import annotations

import re

import pytest

from benchmarks.dips.rivals import Told
from benchmarks.trends import scoring
from benchmarks.trends.__main__ import COLUMNS, markdown
from benchmarks.trends.gauges import DAY, HOUR, LEARN, LIMIT, MONDAY, SHAPES, STEP, Filling, Gauge, generate
from benchmarks.trends.scoring import METHODS, score
from benchmarks.trends.sight import RecordedSight
from tests.benchmarks.running import ROOT, run


def test_the_page_has_the_table_that_the_command_prints() -> None:
    """Its columns, and a row for each method and gauge; the figures are not looked at."""
    page = (ROOT / "docs" / "dips.md").read_text()
    rows = [line.strip("| ").split(" | ") for line in page.splitlines() if line.startswith("|")]
    assert markdown([]).splitlines()[0] in page
    for shape in SHAPES:
        for method in METHODS:
            (row,) = [row for row in rows if row[:2] == [shape.name, method]]
            assert len(row) == len(COLUMNS)
            assert re.fullmatch(r"|\d+/\d+", row[2].strip()), row
            assert re.fullmatch(r"|[\d.]+ h", row[3].strip()), row
            assert row[4].isdigit()


def test_the_same_seed_makes_the_same_gauge() -> None:
    """And another one another."""
    made = [generate(SHAPES[0], seed, weeks=1) for seed in (1, 1, 2)]
    assert made[0].values == made[1].values != made[2].values


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name)
def test_only_what_is_said_to_fill_comes_to_the_limit(shape: object) -> None:
    """The fillings are where it does."""
    gauge = generate(shape, 3, weeks=2)  # type: ignore[arg-type]
    assert len(gauge.values) == (LEARN + 14 * DAY) // STEP
    full = [MONDAY + at * STEP for at, value in enumerate(gauge.values) if value >= LIMIT]
    # One that goes on at the end of the gauge is not among them.
    known = [at for at in full if MONDAY + LEARN <= at < gauge.now - 2 * DAY]
    assert all(any(abs(one.end - at) <= 12 * HOUR for one in gauge.fillings) for at in known)


def test_what_was_told_before_how_long_before_and_what_was_false(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two fillings one is told three hours before; one is told when it is full, and once for nothing."""
    begin = MONDAY + LEARN
    fillings = [Filling(start=begin + at * HOUR, end=begin + (at + 10) * HOUR) for at in (10, 80)]
    gauge = Gauge(
        name="made", within=12 * HOUR, values=[1.0] * ((LEARN + 7 * DAY) // STEP), fillings=fillings
    )
    told = [Told(at=begin + int(at * HOUR), wrong=("",)) for at in (17, 17.5, 40, 90.2)]
    monkeypatch.setitem(scoring.METHODS, "made", lambda gauge: iter(told))
    found = score(gauge, "made")
    assert (found.told, found.all, found.lead) == (1, 2, 3.0)
    assert (found.false, round(found.days)) == (1, 7)


def test_nothing_is_seen_of_what_lies_ahead() -> None:
    """A reading is there once it has been made."""
    gauge = Gauge(name="made", within=HOUR, values=[float(at) for at in range(24)])
    sight = RecordedSight(gauge)
    sight.now = MONDAY + HOUR
    (row,) = sight.readings(scoring.MEASURE, MONDAY, MONDAY + 2 * HOUR, step=HOUR).values()
    assert row == [5.5, None]


@pytest.mark.slow
def test_a_quick_run_ends_with_the_table() -> None:
    """Every method on two short gauges."""
    done = run("benchmarks.trends", "--quick", "--markdown")
    assert all(f"| {method} |" in done for method in METHODS)
