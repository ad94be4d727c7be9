"""``docs/opentelemetry.md`` and the code say the same."""

from __future__ import annotations

import re
from pathlib import Path

from django_qaprod.sinks.opentelemetry import points

PAGE = (Path(__file__).parents[2] / "docs/opentelemetry.md").read_text()


def test_every_unit_is_in_the_table() -> None:
    rows = dict(re.findall(r"^\| `([\w.]+)` \| sum \| `([^`]+)` \|", PAGE, re.MULTILINE))
    assert rows == points.UNITS
