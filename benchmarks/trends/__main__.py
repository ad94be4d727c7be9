"""``python -m benchmarks.trends``: how well ``Trend`` tells that a gauge fills, beside plain thresholds."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from ..report import aligned
from .gauges import SHAPES, generate
from .scoring import METHODS, Score, score

COLUMNS = ("gauge", "method", "told before", "how long before", "false a year")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and print the table."""
    options = _parser().parse_args(arguments)
    rows: list[tuple[str, ...]] = []
    for shape in SHAPES[:: 6 if options.quick else 1]:
        if options.only and not any(word in shape.name for word in options.only):
            continue
        weeks = 1 if options.quick else options.weeks
        gauges = [generate(shape, seed, weeks=weeks) for seed in options.seed]
        for method in METHODS:
            rows.append(_row(shape.name, method, _summed([score(gauge, method) for gauge in gauges])))
            print("  ".join(rows[-1]), file=sys.stderr, flush=True)
    print(markdown(rows) if options.markdown else "\n".join(aligned([COLUMNS, *rows])))
    return 0


def markdown(rows: Sequence[Sequence[str]]) -> str:
    """Return the table as it stands in ``docs/dips.md``."""
    lines = [COLUMNS, tuple("---" for _ in COLUMNS), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _summed(scores: Sequence[Score]) -> Score:
    return Score(
        told=sum(one.told for one in scores),
        all=sum(one.all for one in scores),
        leads=tuple(lead for one in scores for lead in one.leads),
        false=sum(one.false for one in scores),
        days=sum(one.days for one in scores),
    )


def _row(name: str, method: str, found: Score) -> tuple[str, ...]:
    return (
        name,
        method,
        f"{found.told}/{found.all}" if found.all else "",
        "" if found.lead is None else f"{found.lead:.1f} h",
        f"{found.false_a_year:.0f}",
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.trends", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="two short gauges; that it runs")
    parser.add_argument("--only", nargs="+", metavar="WORD", help="gauges whose name has one of these words")
    parser.add_argument("--seed", type=int, nargs="+", default=[1], help="a row is the sum over all of them")
    parser.add_argument("--weeks", type=int, default=26, help="so long is each gauge watched (default: 26)")
    parser.add_argument("--markdown", action="store_true", help="print the table as it stands in the docs")
    return parser


if __name__ == "__main__":
    sys.exit(main())
