"""``docs/statsd.md`` and the code say the same."""

from __future__ import annotations

import re
from pathlib import Path

from django_qaprod.sinks.statsd.names import METRICS, part, tag

PAGE = (Path(__file__).parents[3] / "docs/statsd.md").read_text()


def test_every_metric_is_in_the_table_with_its_type_and_attributes() -> None:
    types = {"counter": "c", "timer": "ms"}
    rows = re.findall(r"^\| `([\w.]+)` \| (counter|timer) \| ((?:`[\w.]+`(?:, )?)+) \|", PAGE, re.MULTILINE)
    documented = {
        name: (types[kind], tuple(re.findall("`([^`]+)`", attributes))) for name, kind, attributes in rows
    }
    assert documented == {name: (metric.type, metric.attributes) for name, metric in METRICS.items()}


def test_labels_become_what_the_table_says() -> None:
    table = PAGE.partition("| label | part of a name | value of a tag |")[2].partition("\n\n")[0]
    rows = re.findall(r"^\| `([^`]+)` \| `([^`]+)` \| (?:`([^`]+)`|the same) \|", table, re.MULTILINE)
    assert len(rows) == 3
    for label, name, value in rows:
        assert (part(label), tag(label)) == (name, value or name)
