"""Values of gauges are written as people read them, whatever their unit."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from django_qaprod.dashboard import units


@pytest.mark.parametrize(
    ("value", "ucum", "written", "noun"),
    [
        (3, "{message}", "3", "message"),
        (12_345, "{message}", "12,345", "message"),
        (2.5, "{file_descriptor}/s", "2.5", "file descriptor/s"),
        (0.012345, "", "0.0123", ""),
        (1.5, "Cel", "1.5", "Cel"),
        (99.96, "", "100", ""),
        (123.4, "", "123", ""),
        (-4.25, "", "−4.25", ""),
        (0.00002, "", "2e-05", ""),
        (1e18, "", "1e+18", ""),
        (0.453, "1", "45%", ""),
        (45.3, "%", "45%", ""),
        (0, "By", "0 B", ""),
        (512, "By", "512 B", ""),
        (1023.9, "By", "1 KiB", ""),
        (1_610_612_736, "By", "1.5 GiB", ""),
        (250 * 2**20, "By", "250 MiB", ""),
        (1.5, "GiBy", "1.5 GiB", ""),
        (2_000_000, "By/s", "1.9 MiB/s", ""),
        (3, "s/{message}", "3.0 s/message", ""),
        (0.25, "s", "250 ms", ""),
        (250, "ms", "250 ms", ""),
        (90, "min", "1 h 30 min", ""),
        (1, "1/s", "1", "1/s"),
        (None, "By", "–", ""),
    ],
)
def test_values_are_written_with_their_unit(value: float | None, ucum: str, written: str, noun: str) -> None:
    unit = units.of(ucum)
    assert (unit.written(value), unit.noun) == (written, noun)


@given(st.floats(-1e100, 1e100), st.sampled_from(["count", "seconds", "bytes", "share"]))
def test_every_number_can_be_written_on_a_short_line(value: float, kind: units.Kind) -> None:
    assert 0 < len(units.written(value, kind)) <= 30


@given(st.text(max_size=40))
def test_a_hostile_unit_is_one_short_line_of_text(ucum: str) -> None:
    for unit in (units.of(ucum), units.of(f"By/{ucum}")):
        for said in (unit.noun, unit.per):
            assert len(said) <= 40
            assert not any(unicodedata.category(char) in {"Cc", "Cs", "Zl", "Zp"} for char in said)
