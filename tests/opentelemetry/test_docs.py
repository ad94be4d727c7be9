"""``docs/opentelemetry.md`` and the code say the same."""

from __future__ import annotations

import re
import typing
from dataclasses import fields
from pathlib import Path

from django_qaprod import conf
from django_qaprod.options import OpenTelemetry
from django_qaprod.sinks.opentelemetry import points

PAGE = (Path(__file__).parents[2] / "docs/opentelemetry.md").read_text()


def test_every_option_is_in_the_table_with_its_type_and_default() -> None:
    rows = re.findall(r"^\| `([A-Z_]+)` \| (.+?) \| `(.+?)` \|", PAGE, re.MULTILINE)
    types, defaults = typing.get_type_hints(OpenTelemetry), OpenTelemetry()
    assert rows == [
        (spec.name.upper(), conf.describe(types[spec.name]), repr(getattr(defaults, spec.name)))
        for spec in fields(OpenTelemetry)
    ]


def test_every_unit_is_in_the_table() -> None:
    rows = dict(re.findall(r"^\| `([\w.]+)` \| sum \| `([^`]+)` \|", PAGE, re.MULTILINE))
    assert rows == points.UNITS
