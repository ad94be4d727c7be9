"""What is compared, and what came of it: what was told in time, how long before, how often for nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from statistics import median

from django_qaprod.alerts.judging import trend
from django_qaprod.specs import Measure, RuleSpec

from ..dips.rivals import Told
from ..dips.scoring import alerts
from .gauges import DAY, HOUR, LEARN, LIMIT, MONDAY, Gauge, looks
from .sight import RecordedSight

MEASURE = Measure(kind="gauge", name="trends")
#: What is told so long before it is full, as a multiple of ``within``, is no news of that.
_EARLY = 2.0
EVERY = 1800


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """How many were told before they were full, of how many; hours before; false ones in ``days``."""

    told: int
    all: int
    leads: tuple[float, ...]
    false: int
    days: float

    @property
    def lead(self) -> float | None:
        return median(self.leads) if self.leads else None

    @property
    def false_a_year(self) -> float:
        return self.false / self.days * 365


def by_trend(gauge: Gauge) -> Iterator[Told]:
    """Judge the rule at each look, as it is declared without options."""
    numbers = {"reaches": LIMIT, "within": float(gauge.within)}
    rule, sight = RuleSpec(name="full soon", kind="trend", of=MEASURE, numbers=numbers), RecordedSight(gauge)
    before = False
    for at in looks(gauge, every=EVERY):
        sight.now = float(at)
        wrong = tuple(verdict.key for verdict in trend.judge(rule, sight).verdicts if verdict.wrong)
        if wrong and before:
            sight.fired[-1] = (sight.fired[-1][0], float(at))
        elif wrong:
            sight.fired.append((float(at), float(at)))
        before = bool(wrong)
        yield Told(at=at, wrong=wrong)


def _above(share: float) -> Callable[[Gauge], Iterator[Told]]:
    def by_threshold(gauge: Gauge) -> Iterator[Told]:
        sight = RecordedSight(gauge)
        for at in looks(gauge, every=EVERY):
            sight.now = float(at)
            (value,) = sight.readings(MEASURE, at - 300, at, step=300)[""]
            yield Told(at=at, wrong=("",) if value is not None and value >= share * LIMIT else ())

    return by_threshold


METHODS: dict[str, Callable[[Gauge], Iterator[Told]]] = {
    "Trend": by_trend,
    "80% of the limit": _above(0.8),
    "90% of the limit": _above(0.9),
}


def score(gauge: Gauge, method: str) -> Score:
    """Return how well a method did."""
    stretches = alerts(METHODS[method](gauge))
    leads, right = [], set()
    for filling in gauge.fillings:
        first = max(filling.start, filling.end - _EARLY * gauge.within)
        hits = [alert for alert in stretches if first <= alert.start < filling.end]
        # Once it is full the next look may come late: it is told of the same.
        right |= {alert.start for alert in stretches if first <= alert.start <= filling.end + HOUR}
        if hits:
            leads.append((filling.end - hits[0].start) / HOUR)
    return Score(
        told=len(leads),
        all=len(gauge.fillings),
        leads=tuple(leads),
        false=sum(alert.start >= MONDAY + LEARN and alert.start not in right for alert in stretches),
        days=(gauge.now - MONDAY - LEARN) / DAY,
    )
