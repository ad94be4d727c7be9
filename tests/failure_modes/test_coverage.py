"""The tables of this directory name tests that exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

HERE = Path(__file__).parent
TABLES = sorted(HERE.glob("test_*.py"))


@pytest.mark.parametrize("table", TABLES, ids=lambda path: path.stem)
def test_every_test_that_a_table_names_is_there(table: Path) -> None:
    module = ast.parse(table.read_text())
    rows = re.findall(r"(?:(\S+\.py)::)?(test_\w+)", ast.get_docstring(module) or "")
    for path, name in rows:
        text = (HERE.parent / path if path else table).read_text()
        assert re.search(rf"def {name}\(", text), f"{path or table.name}::{name}"
    named = {name for path, name in rows if not path}
    own = {node.name for node in ast.walk(module) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    if table.name != Path(__file__).name:
        assert {name for name in own if name.startswith("test_")} <= named, "each test has its row"
