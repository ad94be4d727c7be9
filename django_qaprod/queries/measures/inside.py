"""What is wrong inside us now: jobs of the worker, drainers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import timedelta

from ... import clock
from ...exceptions import DeclarationError
from ...models import Health, JobRun
from ...specs import Measure
from ...store import jobruns
from .base import Counts, Hours, Lookups, size

#: Seconds for which what went wrong is the present. Machines tell of it once a minute.
RECENT = 300.0
# Every job runs at least once a day: one that has not since is no job any more.
_FORGOTTEN = timedelta(days=2)


class Troubles:
    """How much is wrong now, whatever the stretch: ``jobs`` by job, ``drainers`` by machine. One query."""

    def __init__(self, measure: Measure, lookups: Lookups) -> None:
        self.measure = measure

    def counts(self, start: float, end: float, *, step: float, by: str) -> Counts:
        """Return what is wrong, in the last step."""
        found = self._now()
        steps = size(start, end, step)
        before = [0.0] * (steps - 1)
        if not by:
            return {"": [*before, float(sum(found.values()))]}
        return {key: [*before, float(count)] for key, count in found.items()}

    def hours(self, starts: Sequence[int], *, by: str) -> Hours:
        """Return nothing: what was wrong is not kept."""
        return {} if by else {"": {}}

    def last(self, since: float) -> float | None:
        """Return the present if anything is wrong."""
        return clock.epoch(clock.now()) if self._now() else None

    def first(self) -> float | None:
        """Return the present if anything is wrong."""
        return self.last(0.0)

    def grain(self, at: float) -> int:
        """Return 1."""
        return 1

    def _now(self) -> Counter[str]:
        try:
            return _PARTS[self.measure.name]()
        except KeyError:
            raise DeclarationError(f"Nothing inside is named {self.measure.name!r}.") from None


def _jobs() -> Counter[str]:
    rows = JobRun.objects.exclude(error="").exclude(name__startswith=jobruns.GAUGE)
    lately = rows.filter(started_at__gte=clock.now() - _FORGOTTEN)
    return Counter(lately.values_list("name", flat=True))


def _drainers() -> Counter[str]:
    rows = Health.objects.filter(part="drainer", at__gte=clock.now() - timedelta(seconds=RECENT))
    return Counter(rows.values_list("host", flat=True))


_PARTS: dict[str, Callable[[], Counter[str]]] = {"jobs": _jobs, "drainers": _drainers}
