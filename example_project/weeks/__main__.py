"""Simulates four weeks and prints what the team was told. Run as ``python -m example_project.weeks``."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path


def main() -> int:
    """Simulate, print the table, and return 1 unless what should come came and nothing else."""
    parser = argparse.ArgumentParser(
        prog="python -m example_project.weeks",
        description="Four weeks of the example with faults, judged by its rules at simulated times.",
    )
    parser.add_argument("--a-day", type=float, default=240, help="applications started a day (default: 240)")
    parser.add_argument("--step", type=float, default=60, help="seconds between two looks (default: 60)")
    parser.add_argument("--first", type=int, default=0, help="begin after so many days (default: 0)")
    parser.add_argument("--days", type=int, default=28, help="end after so many (default: 28)")
    parser.add_argument("--seed", type=int, default=2017, help="other people, or the same ones again")
    parser.add_argument("--told", action="store_true", help="print each message, too")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="weeks-") as directory:
        _prepare(Path(directory))
        return _run(options)


def _prepare(directory: Path) -> None:
    os.environ["EXAMPLE_DIR"] = str(directory)
    os.environ["DJANGO_SETTINGS_MODULE"] = "example_project.weeks.settings"
    os.environ.pop("EXAMPLE_DEMO", None)
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)


def _run(options: argparse.Namespace) -> int:
    from . import table
    from .life import live
    from .listening import heard
    from .troubles import DEPLOYS, TROUBLES, at
    from .world import Plan, generate

    start, end = (at(1, day, 0).timestamp() for day in (options.first, options.first + options.days))
    troubles = tuple(one for one in TROUBLES if start <= one.span[0] and one.span[1] <= end)
    began = time.monotonic()
    plan = Plan(a_day=options.a_day, end=end, troubles=troubles, seed=options.seed)
    numbers = generate(plan)
    lived = live(numbers, start=start, end=end, step=options.step, deploys=DEPLOYS)
    found = table.made(troubles, numbers.hit)
    for line in table.written(found, days=options.days):
        print(line)
    if options.told:
        for moment, message in heard:
            print(f"\n{moment:%a %d %b %H:%M} {message.subject}\n{message.text}")
    took = time.monotonic() - began
    print(
        f"{lived.passes:,} looks in {took / 60:.0f} min; {lived.failed} judgements failed.", file=sys.stderr
    )
    return 0 if found.right and not lived.failed else 1


if __name__ == "__main__":
    sys.exit(main())
