"""From what was told, and what was done: what was found, how soon, and how often nothing was wrong."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median

from .rivals import Told
from .series import DAY, HOUR, Fault, Series

#: An outage in which so many events were lost can be told from chance: without any, Poisson's chance of it is
#: one in 10⁹, and even where half of that can be explained otherwise, one in 20,000.
TELLING = 20.0
LARGE = "large"
#: What is told again so soon is the same alert; and so long after a fault it is still told of it.
_APART = 2 * HOUR
_AFTER = 2 * HOUR


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """A stretch in which something was told."""

    start: int
    end: int
    keys: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """How well a method did: of each kind of fault those found and all, delays, false alarms in ``days``.

    Delays are minutes. The kind ``LARGE`` is the outages in which ``TELLING`` events or more were lost.
    """

    found: dict[str, tuple[int, int]]
    delays: dict[str, list[float]]
    right: int
    false: int
    days: float

    @property
    def precision(self) -> float | None:
        told = self.right + self.false
        return self.right / told if told else None

    @property
    def false_a_year(self) -> float:
        return self.false / self.days * 365

    def delay(self, kind: str) -> float | None:
        return median(self.delays[kind]) if self.delays.get(kind) else None


def summed(scores: Iterable[Score]) -> Score:
    """Return how well a method did on several series."""
    found: dict[str, tuple[int, int]] = {}
    delays: dict[str, list[float]] = {}
    right, false, days = 0, 0, 0.0
    for one in scores:
        for kind, (some, all_) in one.found.items():
            before = found.get(kind, (0, 0))
            found[kind] = (before[0] + some, before[1] + all_)
        for kind, minutes in one.delays.items():
            delays.setdefault(kind, []).extend(minutes)
        right, false, days = right + one.right, false + one.false, days + one.days
    return Score(found=found, delays=delays, right=right, false=false, days=days)


def alerts(told: Iterable[Told]) -> list[Alert]:
    """Return the alerts: what is told at looks that follow each other."""
    found: list[Alert] = []
    for one in told:
        if not one.wrong:
            continue
        if found and one.at - found[-1].end <= _APART:
            last = found[-1]
            found[-1] = Alert(start=last.start, end=one.at, keys=last.keys | set(one.wrong))
        else:
            found.append(Alert(start=one.at, end=one.at, keys=frozenset(one.wrong)))
    return found


def score(series: Series, told: Iterable[Told], *, begin: int) -> Score:
    """Return how well it did from ``begin`` on."""
    stretches = alerts(told)
    found: dict[str, tuple[int, int]] = {}
    delays: dict[str, list[float]] = {}
    for fault in series.faults:
        hits = [alert for alert in stretches if _tells(alert, fault)]
        is_large = fault.left == 0 and fault.lost >= TELLING
        for kind in (fault.name, LARGE) if is_large else (fault.name,):
            some, all_ = found.get(kind, (0, 0))
            found[kind] = (some + bool(hits), all_ + 1)
            if hits:
                delays.setdefault(kind, []).append(max(hits[0].start - fault.start, 0) / 60)
    right = sum(any(_about(alert, fault) for fault in series.faults) for alert in stretches)
    strange = sum(
        any(alert.start < end and alert.end > start for start, end in series.strange)
        and not any(_about(alert, fault) for fault in series.faults)
        for alert in stretches
    )
    faulty = sum(fault.end - fault.start for fault in series.faults)
    return Score(
        found=found,
        delays=delays,
        right=right,
        false=len(stretches) - right - strange,
        days=(series.end - begin - faulty) / DAY,
    )


def _tells(alert: Alert, fault: Fault) -> bool:
    """Return whether it began during the fault; where one key broke, whether it tells of this one alone."""
    return fault.start <= alert.start <= fault.end and (not fault.key or alert.keys == {fault.key})


def _about(alert: Alert, fault: Fault) -> bool:
    """Return whether it began in it, or soon after: a fault does not make right what was told before."""
    return fault.start <= alert.start <= fault.end + _AFTER
