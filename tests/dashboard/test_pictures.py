"""Pictures drawn on the server, and the numbers that the browser draws."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from xml.etree import ElementTree

from django_qaprod import clock
from django_qaprod.dashboard import charts, svg
from django_qaprod.dashboard.charts import Chart, Line, Mark
from django_qaprod.models import Deploy


def test_a_sparkline_shows_what_is_not_zero() -> None:
    drawn = svg.sparkline([0, 1, 1000], title="24 hours")
    heights = [float(height) for height in re.findall(r'<rect[^>]*height="([\d.]+)"', drawn)]
    assert heights == [0, 2, 22]
    assert "24 hours: 1,001, at most 1,000" in drawn


def test_a_fortnight_is_drawn_as_wide_as_a_day() -> None:
    day, fortnight = (ElementTree.fromstring(svg.sparkline([1] * number)) for number in (24, 14))
    assert day.get("width") == fortnight.get("width") == "72"
    for drawn in (day, fortnight):
        last = drawn.findall("rect")[-1]
        assert int(last.get("x", "")) + int(last.get("width", "")) == 71


def test_a_sparkline_of_nothing() -> None:
    for values in ([], [0, 0, 0]):
        ElementTree.fromstring(svg.sparkline(values))


def test_hostile_titles_stay_text() -> None:
    for drawn in (
        svg.sparkline([1], title="</title><script>"),
        svg.bar(0.5, title="</title><script>", name='"><script>'),
        svg.lines([0, 60], [('"><script>', [1, 2])], title="</title><script>"),
    ):
        assert "<script>" not in drawn
        ElementTree.fromstring(drawn)
        assert "style=" not in drawn


def test_a_bar_stays_within_its_track() -> None:
    for fraction, width in ((-1, "0.00"), (0.423, "42.30"), (7, "100.00"), (None, "0.00")):
        assert f'class="qaprod-fill" width="{width}"' in svg.bar(fraction)


def test_a_line_has_a_gap_where_there_is_no_value() -> None:
    drawn = svg.lines([0, 60, 120, 180], [("qaprod-main", [1, 2, None, 4])], marks=[60], title="t")
    (path,) = re.findall(r'class="qaprod-line qaprod-main" d="([^"]*)"', drawn)
    assert path.count("M") == 2
    assert 'class="qaprod-mark" d="M266.7 0V160"' in drawn


def chart(*values: float | None) -> Chart:
    return Chart(
        key="k",
        title="Times",
        starts=[clock.moment(60 * position) for position in range(len(values))],
        lines=[Line(label="a", values=values)],
        marks=[Mark(at=60, label="r1")],
        unit="seconds",
    )


def test_a_deploy_during_the_last_step_is_marked_at_its_start() -> None:
    drawn = replace(chart(1, 2, 3), marks=[Mark(at=150, label="r2")])
    assert drawn.data["marks"] == [{"at": 120, "label": "r2"}]
    assert 'class="qaprod-mark" d="M800.0 0V160"' in drawn.picture


def test_a_flag_is_marked_as_one() -> None:
    """By its label and in the legend; where only flags were changed, nothing went live."""
    release = Deploy(release="r1", at=clock.moment(60))
    flag = Deploy(release="short form", at=clock.moment(120), flag=True)
    found = charts.marks([release, flag])
    assert [mark.label for mark in found] == ["r1", "flag short form"]
    assert replace(chart(1), marks=found).marked == ["deploy", "flag changed"]
    assert replace(chart(1), marks=found[1:]).marked == ["flag changed"]
    assert replace(chart(1), marks=()).marked == []


def test_flags_that_are_changed_all_day_do_not_hide_the_lines() -> None:
    """The last ones are marked, and each release."""
    changed = [Deploy(release=f"f{at}", at=clock.moment(at), flag=True) for at in range(60)]
    release = Deploy(release="r1", at=clock.moment(0))
    found = charts.marks([release, *changed])
    assert [mark.label for mark in found[:2]] == ["r1", "flag f10"]
    assert len(found) == 1 + charts.MOST_FLAGS


def test_a_chart_as_data_and_as_a_table() -> None:
    made = chart(0, 1.5, None, 2)
    data = json.loads(json.dumps(made.data))
    assert data["times"] == [0, 60, 120, 180]
    assert data["lines"][0]["values"] == [0, 1.5, None, 2]
    assert data["marks"] == [{"at": 60, "label": "r1"}]
    assert [values for _start, values in made.rows] == [[1.5], [2]]
    assert not made.empty


def test_a_chart_of_nothing_is_empty() -> None:
    assert chart().empty
    assert chart(0, None).empty
    ElementTree.fromstring(chart().picture)
