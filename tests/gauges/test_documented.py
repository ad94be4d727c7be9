"""What the page about gauges says is what the code does."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

from django_qaprod import gauge, metrics
from django_qaprod.dashboard import units
from django_qaprod.gauges import asking, declaration, reading, resources
from django_qaprod.store import gone

PAGE = (Path(__file__).parents[2] / "docs" / "gauges.md").read_text()


def test_every_gauge_of_ours_is_documented_with_its_unit() -> None:
    rows = re.findall(r"^\| `([\w.]+)` \| `([^`]+)` \|", PAGE, re.MULTILINE)
    assert dict(rows) == dict(metrics.UNITS)


def test_options_are_documented_with_their_defaults() -> None:
    parameters = inspect.signature(gauge).parameters.values()
    defaults = [
        f"{one.name}={one.default!r}".replace("'", '"') for one in parameters if one.kind is one.KEYWORD_ONLY
    ]
    assert f"`@gauge(name, *, {', '.join(defaults)})`" in PAGE
    section = PAGE.partition("## Declare one")[2].partition("\n## ")[0]
    assert re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE) == [one.name for one in parameters]


def test_units_are_documented_as_they_are_shown() -> None:
    section = PAGE.partition("### Units")[2].partition("\n## ")[0]
    lines = re.findall(r"^\| (`.+?) \| (.+?) \|", section, re.MULTILINE)
    named = {unit for written, _ in lines for unit in re.findall(r"`([^`]+)`", written)}
    assert set(units.KNOWN) - named == set(), "each that is known"
    examples = re.findall(r"`([\d.]+)` in `([^`]+)` is `([^`]+)`", section)
    assert len(examples) >= 6
    for value, unit, written in examples:
        assert units.of(unit).written(float(value)) == written
        gauge("a", unit=unit)


def test_limits_are_documented() -> None:
    words = " ".join(PAGE.split())
    for said in (
        f"{declaration.SHORTEST} to {declaration.LONGEST:,}",
        f"up to {declaration.LONGEST_TIMEOUT} |",
        f"At most {declaration.LONGEST_UNIT} printable ASCII characters",
        f"At most {reading.MOST_LABELS} labels",
        f"at most {asking.MOST_AT_ONCE} at once",
        f"every {resources.EVERY:.0f} seconds",
        f"more than {gone.FEW} series",
    ):
        assert said in words, said
