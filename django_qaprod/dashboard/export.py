"""Failures as CSV and JSON."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable
from datetime import datetime

from ..models import Failure
from . import priority

COLUMNS = (
    "id", "kind", "severity", "state", "error_type", "message", "culprit", "name", "journey", "route",
    "method", "critical", "regression", "count", "served", "people", "subjects", "rate", "priority",
    "first_seen", "last_seen", "first_release", "last_release", "fingerprint",
)  # fmt: skip

# A spreadsheet takes a cell that begins like this for a formula and runs it (OWASP, "CSV Injection").
# The last four are the full-width forms of the first.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", *"\uff1d\uff0b\uff0d\uff20")


def as_csv(failures: Iterable[Failure]) -> str:
    """Return the failures as CSV, with a header; no cell can be a formula."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow((*COLUMNS, "priority_explained"))
    for failure in failures:
        explained = f"{failure.priority:g} = {priority.explained(failure)}"
        values = (*(_plain(getattr(failure, column)) for column in COLUMNS), explained)
        writer.writerow([cell(value) for value in values])
    return out.getvalue()


def as_json(failures: Iterable[Failure]) -> str:
    """Return the failures as a JSON list."""
    rows = [
        {
            **{column: _plain(getattr(failure, column)) for column in COLUMNS},
            "priority_parts": failure.priority_parts,
        }
        for failure in failures
    ]
    return json.dumps(rows, ensure_ascii=False, indent=1)


def cell(value: object) -> object:
    """Return a cell that no spreadsheet runs: text that looks like a formula gets an apostrophe before it."""
    if not isinstance(value, str):
        return value
    # White space that a spreadsheet trims must not hide the sign behind it.
    return f"'{value}" if value.startswith(_FORMULA) or value.lstrip().startswith(_FORMULA) else value


def _plain(value: object) -> object:
    return value.isoformat() if isinstance(value, datetime) else value
