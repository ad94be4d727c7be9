"""Four simulated weeks, two days of them: the same program that makes the table of the docs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_of_two_days_two_faults_are_told_and_nothing_else() -> None:
    """A nightly job that does not run, a deploy that brings errors; the exit status says all is right."""
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("EXAMPLE_", "DJANGO_"))
    }
    result = subprocess.run(
        [sys.executable, "-W", "error", "-m", "example_project.weeks", "--first", "15", "--days", "2"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    rows = [line for line in result.stdout.splitlines() if line.startswith("| ")][1:]
    assert ["nightly import" in rows[0], "500s on the form" in rows[1]] == [True, True]
    assert "**never**" not in result.stdout
    assert "False alarms: 0, of " in result.stdout
    # A burst of errors is one message, and one that it is over.
    assert rows[1].split(" | ")[-1] == "2 |"
