"""``docs/sentry.md`` and the code say the same."""

from __future__ import annotations

import re
import typing
from dataclasses import fields
from pathlib import Path

from django_qaprod import conf
from django_qaprod.options import Sentry
from django_qaprod.sinks.sentry import flood, transport

PAGE = (Path(__file__).parents[3] / "docs/sentry.md").read_text()


def test_every_option_is_in_the_table_with_its_type_and_default() -> None:
    rows = re.findall(r"^\| `([A-Z_]+)` \| (.+?) \| `(.+?)` \|", PAGE, re.MULTILINE)
    types, defaults = typing.get_type_hints(Sentry), Sentry()
    assert rows == [
        (spec.name.upper(), conf.describe(types[spec.name]), repr(getattr(defaults, spec.name)))
        for spec in fields(Sentry)
    ]


def test_the_numbers_are_those_of_the_code() -> None:
    assert flood.MOST == 10
    assert "ten events of a failure and minute" in PAGE
    assert f"for more than {transport.ANSWER_WITHIN:.0f} seconds" in PAGE
    assert transport.LEFT_ALONE_MOST == 3600
