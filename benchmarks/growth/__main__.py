"""``python -m benchmarks.growth``: what the admin's pages cost when there is more and more history."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from tests.servers import Postgres, postgres_missing

from ..report import aligned
from ..workspace import ROOT, Workspace, run

PARTS = ("pages", "passes", "looks")
SIZES = [100_000, 1_000_000, 10_000_000]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and print one table for each database."""
    options = _parser().parse_args(arguments)
    results: dict[str, list[dict[str, Any]]] = {}
    with Workspace() as workspace:
        for database in options.databases:
            missing = postgres_missing() if database == "postgresql" else ""
            if missing:
                print(f"No {missing}: PostgreSQL is left out.")
                continue
            given = [",".join(options.parts), options.failures, options.routes, *options.events]
            results[database] = list(_measured(workspace, database, [str(one) for one in given]))
            print(f"\n{database}\n\n{_table(results[database])}", flush=True)
    if options.json:
        Path(options.json).write_text(json.dumps(results, indent=2) + "\n")
    return 0


def _measured(workspace: Workspace, database: str, given: list[str]) -> Iterator[dict[str, Any]]:
    if database == "sqlite":
        yield from _lines(workspace.environment("ours", QAPROD_BENCH_QUIET="1"), given)
        return
    with closing(Postgres().start()) as server:
        server.create_database("qaprod")
        environment = workspace.environment(
            "ours", QAPROD_BENCH_QUIET="1", QAPROD_BENCH_POSTGRES=str(server.port)
        )
        run([sys.executable, "-m", "django", "migrate", "--run-syncdb", "--verbosity=0"], environment)
        yield from _lines(environment, given)


def _lines(environment: dict[str, str], given: list[str]) -> Iterator[dict[str, Any]]:
    command = [sys.executable, "-m", "benchmarks.growth.child", *given]
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            found = json.loads(line)
            print(
                f"{found['events']:,} events, loaded in {found['loaded']:.0f} s", file=sys.stderr, flush=True
            )
            yield found
    if process.returncode:
        raise RuntimeError(f"The measuring process ended with {process.returncode}.")


def _table(results: list[dict[str, Any]]) -> str:
    heads = ["", *(f"{result['events']:,} events" for result in results)]
    words = ["queries / rows read / ms", *("" for _ in results)]
    rows = [heads, words]
    for at, page in enumerate(results[0]["pages"]):
        rows.append([page["page"], *(_cell(result["pages"][at]) for result in results)])
    rows += [
        [f"rows of {name}", *(f"{result['rows'][name]:,}" for result in results)]
        for name in results[0]["rows"]
    ]
    return "\n".join(aligned(rows))


def _cell(page: dict[str, Any]) -> str:
    rows = "–" if page["rows"] is None else f"{page['rows']:,}"
    return f"{page['queries']} / {rows} / {page['milliseconds']:.0f}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.growth", description=__doc__)
    parser.add_argument("--events", type=int, nargs="+", default=SIZES, help="the sizes, from small to large")
    parser.add_argument("--failures", type=int, default=10_000, help="how many failures there are")
    parser.add_argument("--routes", type=int, default=50, help="how many routes are asked for")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS, help="what is measured")
    parser.add_argument(
        "--databases", nargs="+", choices=["sqlite", "postgresql"], default=["sqlite", "postgresql"]
    )
    parser.add_argument("--json", metavar="FILE", help="write the figures there, too")
    return parser


if __name__ == "__main__":
    sys.exit(main())
