"""``python -m benchmarks.dips.chance``: how often chance alone looks like a dip, beside what is promised.

What is usual is known here, and looked at each minute; so it shows what the many looks do, which is what
``LOOKS`` of ``django_qaprod.alerts.statistics.looks`` stands for, and nothing else.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Sequence

from django_qaprod.alerts.statistics.looks import LONG, SHORT, allowed_of_silence, allowed_of_window
from django_qaprod.alerts.statistics.tails import most_with

from ..report import aligned
from .series import poisson

_DAY = 1440
_APART = 120
COLUMNS = ("an hour", "promised", "windows alone", "with silence")


def main(arguments: Sequence[str] | None = None) -> int:
    """Simulate, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.dips.chance", description=__doc__)
    parser.add_argument("--days", type=int, default=1500)
    parser.add_argument("--once", type=float, default=10.0, help="the days that are promised")
    parser.add_argument("--rates", type=float, nargs="+", default=[0.1, 1, 3, 14, 100, 1000])
    options = parser.parse_args(arguments)
    rows = [COLUMNS]
    for rate in options.rates:
        windows, silence = simulate(rate, days=options.days, once=options.once)
        rows.append(
            (
                f"{rate:g}",
                f"once in {options.once:g} d",
                _once(options.days, windows),
                _once(options.days, silence),
            )
        )
        print("  ".join(rows[-1]), file=sys.stderr, flush=True)
    print("\n".join(aligned(rows)))
    return 0


def simulate(rate: float, *, days: int, once: float, seed: int = 1) -> tuple[int, int]:
    """Return how many alerts there are of a constant rate an hour: by windows alone, and by silence, too."""
    rng = random.Random(f"{rate} {seed}")
    lengths = SHORT if rate * 24 >= 15 else LONG
    windows = []
    for length in lengths:
        minutes = int(length // 60)
        mean = rate / 60 * minutes
        windows.append((minutes, most_with(allowed_of_window(length, len(lengths), once), mean, mean)))
    silent = 1
    while 2.718281828 ** (-rate / 60 * silent) > allowed_of_silence(rate * 24, once):
        silent += 1
    counts = [poisson(rng, rate / 60) for _ in range(days * _DAY)]
    sums = [0] * len(windows)
    alerts = [0, 0]
    last = [-_APART, -_APART]
    since = 0
    for at, count in enumerate(counts):
        wrong = False
        for place, (minutes, limit) in enumerate(windows):
            sums[place] += count - (counts[at - minutes] if at >= minutes else 0)
            wrong = wrong or (sums[place] <= limit and at >= minutes)
        since = 0 if count else since + 1
        for kind, tells in enumerate((wrong, wrong or since >= silent)):
            if tells:
                alerts[kind] += at - last[kind] > _APART
                last[kind] = at
    return alerts[0], alerts[1]


def _once(days: int, alerts: int) -> str:
    return f"once in {days / alerts:.1f} d" if alerts else f"never in {days} d"


if __name__ == "__main__":
    sys.exit(main())
