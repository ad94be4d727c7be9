"""``python -m benchmarks.dips``: how well ``Dip`` finds falls, beside a plain threshold and a z-score."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..report import aligned
from . import public
from .rivals import METHODS, Method
from .scoring import LARGE, Score, score, summed
from .series import SHAPES, Series, generate

COLUMNS = ("series", "method", "outages", "of 20 or more", "half", "a fifth", "precision", "false a year")
#: Not the browser that breaks: rivals look at all browsers together, and could not name it.
ALL = "all of these but the browser"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and print the table."""
    options = _parser().parse_args(arguments)
    rows: list[tuple[str, ...]] = []
    data: list[dict[str, Any]] = []
    generated: dict[str, list[Score]] = {}
    for group in _groups(options):
        for name, method in METHODS.items():
            scores = [_scored(method, series) for series in group]
            rows.append(_row(group[0].name, name, summed(scores)))
            data += [_data(series, name, found) for series, found in zip(group, scores, strict=True)]
            print("  ".join(rows[-1]), file=sys.stderr, flush=True)
            if group[0].name in {shape.name for shape in SHAPES if not shape.browsers}:
                generated.setdefault(name, []).extend(scores)
    # Of minutes here and days there is no median.
    rows += [_row(ALL, name, replace(summed(scores), delays={})) for name, scores in generated.items()]
    print(markdown(rows) if options.markdown else "\n".join(aligned([COLUMNS, *rows])))
    if options.json:
        Path(options.json).write_text(json.dumps(data, indent=2) + "\n")
    return 0


def _groups(options: argparse.Namespace) -> Iterator[tuple[Series, ...]]:
    """Yield the series that make one row: the same by each of the seeds."""
    shapes = [shape for shape in SHAPES if not options.only or any(one in shape.name for one in options.only)]
    for shape in shapes[:: 5 if options.quick else 1]:
        made = replace(shape, weeks=1) if options.quick else shape
        yield tuple(generate(made, seed) for seed in options.seed)
    if not options.quick and options.public:
        yield from zip(*(public.read(Path(options.public), seed=seed) for seed in options.seed), strict=True)


def _scored(method: Method, series: Series) -> Score:
    begin = series.start + series.learn + series.tune
    return score(series, method(series, begin=begin), begin=begin)


def markdown(rows: Sequence[Sequence[str]]) -> str:
    """Return the table as it stands in ``docs/dips.md``."""
    lines = [COLUMNS, tuple("---" for _ in COLUMNS), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _row(series: str, method: str, found: Score) -> tuple[str, ...]:
    precision = found.precision
    return (
        series,
        method,
        *(_found(found, kind) for kind in ("outage", LARGE, "−50%", "−20%")),
        "–" if precision is None else f"{precision:.0%}",
        f"{found.false_a_year:.1f}",
    )


def _found(found: Score, kind: str) -> str:
    """Return how many were found of how many, and after how long in the median."""
    if kind not in found.found:
        return ""
    some, all_ = found.found[kind]
    delay = found.delay(kind)
    return f"{some}/{all_}" if delay is None else f"{some}/{all_}, {_time(delay)}"


def _time(minutes: float) -> str:
    return f"{minutes:.0f} min" if minutes < 120 else f"{minutes / 60:.0f} h"


def _data(series: Series, method: str, found: Score) -> dict[str, Any]:
    return {
        "series": series.name,
        "per_day": series.per_day,
        "method": method,
        "found": found.found,
        "delays": found.delays,
        "right": found.right,
        "false": found.false,
        "days": found.days,
    }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.dips", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="some short series; that it runs")
    parser.add_argument("--only", nargs="+", metavar="WORD", help="series whose name has one of these words")
    parser.add_argument("--seed", type=int, nargs="+", default=[1], help="a row is the sum over all of them")
    parser.add_argument("--public", metavar="DIRECTORY", help=public.__doc__)
    parser.add_argument("--markdown", action="store_true", help="print the table as it stands in the docs")
    parser.add_argument("--json", metavar="FILE", help="write the figures there, too")
    return parser


if __name__ == "__main__":
    sys.exit(main())
