"""``python -m benchmarks``: what a request costs with django-qaprod, and what it costs without."""

from __future__ import annotations

import argparse
import json
import platform
import sys
from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import django

from . import measures
from .report import Line, render
from .workspace import Workspace


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and print the table."""
    options = _parser().parse_args(arguments)
    plan = measures.QUICK if options.quick else measures.FULL
    given = {field.name: getattr(options, field.name) for field in fields(measures.Plan)}
    plan = replace(plan, **{name: value for name, value in given.items() if value is not None})
    lines: list[Line] = []
    with Workspace() as workspace:
        run = measures.Run(workspace, plan, _say if sys.stderr.isatty() or options.verbose else _be_silent)
        measures.calibrate(run)
        for name, section in measures.SECTIONS.items():
            if not options.only or name in options.only:
                lines += section(run)
    head = (
        f"Django {django.get_version()}, Python {platform.python_version()}. "
        f"A plain view takes {run.speed:.2f} of what it took where the budgets were written (column “here”)."
    )
    print(f"{head}\n\n{render(lines, run.speed)}")
    if options.json:
        data = _data(run, lines)
        Path(options.json).write_text(json.dumps(data, indent=2) + "\n")
    return 0


def _data(run: measures.Run, lines: list[Line]) -> dict[str, Any]:
    return {
        "django": django.get_version(),
        "python": platform.python_version(),
        "speed": run.speed,
        "plan": {field.name: getattr(run.plan, field.name) for field in fields(run.plan)},
        "lines": [line.data(run.speed) for line in lines],
    }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="about a minute; for a first look")
    parser.add_argument(
        "--only",
        nargs="+",
        choices=list(measures.SECTIONS),
        metavar="SECTION",
        help=", ".join(measures.SECTIONS),
    )
    parser.add_argument("--json", metavar="FILE", help="write the figures there, too")
    parser.add_argument("--verbose", action="store_true", help="tell what is being measured")
    sizes = parser.add_argument_group("sizes")
    for field in fields(measures.Plan):
        sizes.add_argument(f"--{field.name}", type=int if field.type == "int" else float)
    return parser


def _say(words: str) -> None:
    print(words, file=sys.stderr, flush=True)


def _be_silent(words: str) -> None:
    """Nobody looks."""


if __name__ == "__main__":
    sys.exit(main())
