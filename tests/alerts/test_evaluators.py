"""However many evaluators there are and wherever they die, each alert is told once by each channel."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.db import connection

from tests.alerts.evaluators import LANES

pytestmark = [pytest.mark.django_db(databases="__all__", transaction=True), pytest.mark.slow]

#: A round takes a quarter of a second. A thousand die at every line, and take longer than a test may:
#: ``QAPROD_ROUNDS=1000 pytest -o faulthandler_timeout=0``.
ROUNDS = int(os.environ.get("QAPROD_ROUNDS", "60"))


def test_four_evaluators_one_of_which_dies_tell_once(tmp_path: Path) -> None:
    """One message for each alert and channel; two, with the same id, only after a death in mid-send."""
    if connection.vendor != "postgresql":
        pytest.skip("SQLite in memory has one writer; the suite runs on PostgreSQL too")
    command = [sys.executable, "-m", "tests.alerts.evaluators", str(tmp_path / "receipts"), str(ROUNDS)]
    environment = {**os.environ, "QAPROD_TEST_NAME": str(connection.settings_dict["NAME"])}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=1800)
    assert done.returncode == 0, done.stderr[-3000:]
    ends = json.loads(done.stdout)
    assert ends.keys() <= {"died", "all ended", "once", "twice, in mid-send"}, (ends, done.stderr[-3000:])
    assert ends["once"] + ends.get("twice, in mid-send", 0) == ROUNDS * len(LANES)
    assert ends["died"] > ROUNDS / 2
