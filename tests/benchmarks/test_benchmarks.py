"""That the benchmarks run; what they find is for people, and is asserted nowhere."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.quantiles import lowest_decile
from benchmarks.report import Line, render
from tests.benchmarks.running import run

TINY = [
    "--rounds=1",
    "--bursts=1",
    "--seconds=0.005",
    "--paced=0.2",
    "--settle=0",
    "--starts=1",
    "--repeats=1",
]


def test_the_lowest_decile_is_what_is_left_when_nothing_disturbs() -> None:
    """Nine disturbed bursts in ten change nothing."""
    assert lowest_decile([9, 8, 1, 7, 6, 5, 4, 3, 2, 10]) == 1
    assert lowest_decile([5.0]) == 5.0


def test_a_line_says_whether_its_budget_is_kept_on_this_machine() -> None:
    """A budget in time grows with a slower machine; where the noise is too wide, nobody knows."""
    line = Line(section="A request", what="plain", unit="µs", bare=99.0, added=15.0, budget=12.0, scales=True)
    assert line.verdict(1.0) == "MISS"
    assert line.verdict(2.0) == "pass"
    noisy = Line(section="A request", what="plain", unit="µs", added=15.0, noise=4.0, budget=12.0)
    assert noisy.verdict(1.0) == "~"
    assert "MISS" in render([line], 1.0)


@pytest.mark.slow
def test_a_quick_run_ends_with_a_table_and_figures(tmp_path: Path) -> None:
    """The processes start, answer and end."""
    file = tmp_path / "figures.json"
    done = run("benchmarks", "--quick", "--only", "plain", "--json", str(file), *TINY)
    assert "plain, WSGI, defaults" in done
    figures = json.loads(file.read_text())
    assert {line["what"] for line in figures["lines"]} >= {"plain, WSGI, defaults", "plain, ASGI, defaults"}
    assert all(line["bare"] > 0 for line in figures["lines"])


@pytest.mark.slow
def test_serve_form_and_a_rescue_can_be_measured() -> None:
    """Each submission is kept."""
    done = run("benchmarks", "--quick", "--only", "serve-form", "rescue", *TINY)
    assert "a POST, over its transaction" in done
    assert "kept in the spool, without one" in done


@pytest.mark.slow
def test_a_failure_a_step_and_degrade_can_be_measured() -> None:
    """The sections that wait for the drainer come to their end."""
    done = run("benchmarks", "--quick", "--only", "failures", "step", "degrade", *TINY)
    assert "the first of its kind" in done
    assert "over its statements" in done
    assert "as a decorator" in done


@pytest.mark.slow
def test_growth_measures_every_page() -> None:
    """A small history is made and every page answers."""
    done = run(
        "benchmarks.growth", "--databases", "sqlite", "--events", "300", "600", "--failures=30", "--routes=2"
    )
    assert "requests, 28 days" in done
    assert "600 events" in done
