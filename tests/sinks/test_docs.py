"""The page of each adapter and the class of its options say the same."""

from __future__ import annotations

import re
import tomllib
import typing
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from django_qaprod import conf, options

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


@pytest.mark.parametrize("kind", options.KEYS)
def test_every_option_is_in_the_table_with_its_type_and_default(kind: Any) -> None:
    page = (DOCS / f"{options.KEYS[kind].lower()}.md").read_text()
    rows = re.findall(r"^\| `([A-Z_]+)` \| (.+?) \| `(.+?)` \|", page, re.MULTILINE)
    types, defaults = typing.get_type_hints(kind), kind()
    assert rows == [
        (spec.name.upper(), conf.describe(types[spec.name]), repr(getattr(defaults, spec.name)))
        for spec in fields(kind)
    ]


@pytest.mark.parametrize(("page", "package"), [("statsd.md", "statsd"), ("sentry.md", "sentry-sdk")])
def test_what_is_said_to_come_with_the_package_does(page: str, package: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert package in {re.split(r"[>\[]", one)[0] for one in project["dependencies"]}
    words = (DOCS / page).read_text()
    assert "Nothing has to be installed" in words
    assert re.search(rf"`{package}`[^.]* comes with `django-qaprod`", words)
