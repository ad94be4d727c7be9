"""a directory with ``nyc_taxi.csv`` of the Numenta Anomaly Benchmark and ``hour.csv`` of UCI's Bike Sharing.

The first, passengers of New York's taxis by half-hours (MIT; github.com/numenta/NAB,
``data/realKnownCause/``), has five stretches labelled as out of the ordinary. The second, bicycles hired in
Washington by hours (CC BY 4.0; Fanaee-T and Gama: Event labeling combining ensemble detectors and background
knowledge, 2013; archive.ics.uci.edu/dataset/275), has its holidays marked. Neither is part of this project.
"""

from __future__ import annotations

import csv
import random
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from .series import HOUR, STEP, Series, inject, thinned

#: ``labels/combined_windows.json`` of the Numenta Anomaly Benchmark.
_LABELLED = (
    ("2014-10-30 15:30", "2014-11-03 22:30"),
    ("2014-11-25 12:00", "2014-11-29 19:00"),
    ("2014-12-23 11:30", "2014-12-27 18:30"),
    ("2014-12-29 21:30", "2015-01-03 04:30"),
    ("2015-01-24 20:30", "2015-01-29 03:30"),
)
#: A hurricane, in which the hire was closed.
_SANDY = (("2012-10-29 00:00", "2012-10-31 00:00"),)


def read(directory: Path, *, seed: int) -> Iterator[Series]:
    """Yield the series that are there, as they are and thinned, with faults put into them."""
    taxis, bicycles = directory / "nyc_taxi.csv", directory / "hour.csv"
    for path in (taxis, bicycles):
        if not path.exists():
            raise SystemExit(f"There is no {path}. The directory is {' '.join(str(__doc__).split())}")
    for rate in (None, 30.0, 3.0):
        yield _made("New York's taxis", _taxis(taxis), 1800, _LABELLED, rate, seed)
    rows, holidays = _bicycles(bicycles)
    for rate in (None, 14.0):
        series = _made("Washington's bicycles", rows, HOUR, _SANDY, rate, seed)
        series.holidays, series.tells_holidays = holidays, True
        yield series


def _made(
    name: str,
    rows: dict[int, int],
    step: int,
    strange: tuple[tuple[str, str], ...],
    rate: float | None,
    seed: int,
) -> Series:
    """Return a series, thinned to ``rate`` an hour; each count spread over its time by chance."""
    rng = random.Random(f"{name} {rate} {seed}")
    start, end = min(rows), max(rows) + step
    mean = sum(rows.values()) / ((end - start) / HOUR)
    counts = [0] * ((end - start) // STEP)
    parts = step // STEP
    for at, count in rows.items():
        left = count if rate is None else thinned(rng, count, rate / mean)
        first = (at - start) // STEP
        for part in range(parts, 0, -1):
            one = thinned(rng, left, 1 / part) if part > 1 else left
            counts[first + part - 1] = one
            left -= one
    series = Series(
        name=f"{name}, {mean if rate is None else rate:,.0f} an hour",
        start=start,
        counts=counts,
        look_every=max(step, 1800),
        strange=[(_epoch(begin), _epoch(over)) for begin, over in strange],
    )
    if rate is not None and rate < 10:
        return inject(series, seed=seed, fault_hours=12.0, every_hours=72.0)
    return inject(series, seed=seed)


def _taxis(path: Path) -> dict[int, int]:
    with path.open() as file:
        return {_epoch(row["timestamp"][:16]): int(row["value"]) for row in csv.DictReader(file)}


def _bicycles(path: Path) -> tuple[dict[int, int], frozenset[int]]:
    """Return the counts and the holidays of the second year. Hours that are left out are zeros."""
    rows, holidays = {}, set()
    with path.open() as file:
        for row in csv.DictReader(file):
            if row["yr"] == "1":
                day = _epoch(f"{row['dteday']} 00:00")
                rows[day + int(row["hr"]) * HOUR] = int(row["cnt"])
                if row["holiday"] == "1":
                    holidays.add(day)
    return rows, frozenset(holidays)


def _epoch(text: str) -> int:
    return int(datetime.strptime(text, "%Y-%m-%d %H:%M").replace(tzinfo=UTC).timestamp())
