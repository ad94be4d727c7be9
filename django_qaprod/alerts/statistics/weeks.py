"""What is usual at an hour of the week, from counts of the weeks before.

After Farrington, Andrews, Beale, Catchpole: A statistical algorithm for the early detection of outbreaks of
infectious disease, JRSS A 159 (1996), and Noufaily et al.: An improved algorithm for outbreak detection in
multiple surveillance systems, Statistics in Medicine 32 (2013): counts with over-dispersion, their level, and
past outliers weighed down by their Anscombe residuals. Here for hours of the week, not weeks of the year.

1. Each hour of the week has a rate: what was counted in it, over how often it was seen. Where few were
   counted, it is drawn towards what the day usually has, spread as days of its kind are: neighbouring hours
   and days lend their strength (gamma-Poisson shrinkage; how far is estimated by moments).
2. Each week has a level: a trend that is followed as far as it is significant, never upwards beyond what has
   been seen, and from it as far as weeks differ by more than chance.
3. Hours and days that are out of line are weighed down, and 1 and 2 are done again.
4. Over-dispersion is estimated for a stretch as long as the one that is judged, by what ended at the same
   time of each day.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import accumulate
from operator import mul
from statistics import median
from typing import NamedTuple

WEEK = 168
DAY = 24
#: Residuals from which on what was counted is weighed down (Noufaily et al.: 2.58).
_OUTLIER = 2.58
#: So many robust deviations count for the dispersion, and no more.
_CLIPPED = 4.0
#: The second lowest of some fifty lies less than so many deviations below the mean, nearly always.
_SECOND_LOWEST = 2.5
#: Of what happens less often than so often in an hour, the residuals say nothing.
_LEAST = 0.05
#: So many rules' and keys' are kept, of some 50 kB each.
_REMEMBERED = 256


class Level(NamedTuple):
    """The level of each week, newest first, as multiples of the rates; ``now`` is what is expected.

    ``variance`` is that of ``now``, relative to its square.
    """

    weeks: list[float]
    now: float
    variance: float


class Usual(NamedTuple):
    """What is usual. ``rates`` are those of the 168 hours of the week, at today's level.

    ``seen`` says how many weeks they are taken from. ``counted`` and ``expected`` are running sums over the
    hours of the history.
    """

    rates: list[float]
    seen: float
    level_variance: float
    counted: Sequence[float]
    expected: Sequence[float]
    known: Sequence[float]

    def dispersion(self, hours: int) -> float:
        """Return the variance of a count over its mean: of so many hours that end when the history does."""
        pairs = []
        for end in self._ends(hours):
            mean = self.expected[end] - self.expected[end - hours]
            if mean > 0:
                pairs.append((self.counted[end] - self.counted[end - hours] - mean, mean))
        return self._wide(pairs)

    def following(self, hours: int, before: int) -> tuple[float, float]:
        """Return how far a stretch follows the hours ``before`` it, and the dispersion of what does not.

        By as much as these were off the usual, times the first, it is off, too: from 0, if days do not differ
        but by chance, to 1. By least squares, outliers clipped.
        """
        found = []
        for end in self._ends(hours + before):
            middle, begin = end - hours, end - hours - before
            mean = self.expected[end] - self.expected[middle]
            there = self.expected[middle] - self.expected[begin]
            if mean > 0 and there > 0:
                off = (self.counted[middle] - self.counted[begin]) / there - 1
                found.append(
                    (self.counted[end] - self.counted[middle] - mean, mean, max(min(off, 0.5), -0.5))
                )
        scale = sum(mean * off * off for _, mean, off in found)
        most = 2 * median(abs(rest) / mean for rest, mean, _ in found) if found else 0.0
        if not scale or not most:
            return 0.0, math.inf
        drawn = sum(max(min(rest, most * mean), -most * mean) * off for rest, mean, off in found) / scale
        drawn = min(max(drawn, 0.0), 1.0)
        return drawn, self._wide([(rest - drawn * off * mean, mean) for rest, mean, off in found])

    def _ends(self, hours: int) -> Iterator[int]:
        """Yield the places in which stretches end, of which most is known, at the same time of each day."""
        known = self.known
        for end in range(len(known) - 1, hours - 1, -DAY):
            if known[end] - known[end - hours] >= 0.75 * hours:
                yield end

    def _wide(self, pairs: Sequence[tuple[float, float]]) -> float:
        """Return the dispersion, from differences and their means."""
        if len(pairs) < 5:
            return 1.5
        squares = [rest * rest / max(mean, _LEAST) for rest, mean in pairs]
        most = _CLIPPED**2 * max(median(squares) / 0.455, 1.0)
        found = sum(min(square, most) for square in squares) / len(squares)
        # What a rate was fitted to lies nearer to it than what is to come; and the estimate has an error.
        found *= self.seen / max(self.seen - 1.0, 0.5) * (1 + 1 / math.sqrt(len(squares)))
        # Rain, or a feast: where days now and then are much lower, the second lowest of them is usual, too.
        low = min(sorted(rest / math.sqrt(max(mean, _LEAST)) for rest, mean in pairs)[1], 0.0)
        return max(found, (low / _SECOND_LOWEST) ** 2, 1.0)

    def variance(self, mean: float, hours: float) -> float:
        """Return the variance of a count to come of that mean: its own, and that of what is known."""
        own = self.dispersion(max(math.ceil(hours - 1e-9), 1))
        return own * mean * (1 + 1 / self.seen) + self.level_variance * mean * mean


def usual(counts: Sequence[float], slots: Sequence[int], weights: Sequence[float]) -> Usual:
    """Return what is usual, from hourly counts, oldest first, up to now.

    ``slots`` are the hours of the week, from 0 to 167. ``weights`` are 0 for hours that do not count (before
    the first, incidents, holidays), else 1.
    """
    return _usual(array("d", counts).tobytes(), tuple(slots), array("d", weights).tobytes())


@lru_cache(maxsize=_REMEMBERED)
def _usual(counted: bytes, slots: tuple[int, ...], weighed: bytes) -> Usual:
    """Find it once an hour, since whole hours are all that goes in, and not at each pass."""
    counts, weights = array("d", counted), array("d", weighed)
    back = [(len(counts) - 1 - at) // WEEK for at in range(len(counts))]
    rates = _rates(counts, slots, weights)
    level = _level(counts, slots, weights, rates, back)
    relative = [week / level.now if level.now > 0 else 1.0 for week in level.weeks]
    levels = [relative[week] for week in back]
    expected = [rates[slot] * level.now * one for slot, one in zip(slots, levels, strict=True)]
    robust = _robust(counts, expected, weights)
    rates = _rates(counts, slots, robust, levels)
    means = [rates[slot] * one for slot, one in zip(slots, levels, strict=True)]
    # Of hours that do not count, what was usual is taken to have happened.
    usable = [1.0 if weight > 0 else 0.0 for weight in weights]
    return Usual(
        rates=rates,
        seen=max(sum(robust) / WEEK, 1.0),
        level_variance=level.variance,
        counted=array("d", accumulate(map(mul, counts, usable), initial=0.0)),
        expected=array("d", accumulate(map(mul, means, usable), initial=0.0)),
        known=array("d", accumulate(usable, initial=0.0)),
    )


def _rates(
    counts: Sequence[float],
    slots: Sequence[int],
    weights: Sequence[float],
    levels: Sequence[float] | None = None,
) -> list[float]:
    """Return the rate of each hour of the week."""
    counted, seen = [0.0] * WEEK, [0.0] * WEEK
    if levels is None:
        for count, slot, weight in zip(counts, slots, weights, strict=True):
            counted[slot] += count * weight
            seen[slot] += weight
    else:
        for count, slot, weight, level in zip(counts, slots, weights, levels, strict=True):
            counted[slot] += count * weight
            seen[slot] += weight * level
    return _shrunk(counted, seen, _spread(counted, seen))


def _spread(counted: list[float], seen: list[float]) -> list[float]:
    """Return the rates that hours would have if days of a kind had one course."""
    days = [sum(counted[at : at + DAY]) for at in range(0, WEEK, DAY)]
    often = [sum(seen[at : at + DAY]) / DAY for at in range(0, WEEK, DAY)]
    prior = [0.0] * WEEK
    for kind in _KINDS:
        mean = sum(days[day] for day in kind) / (sum(often[day] for day in kind) or 1.0)
        theirs = _shrunk([days[day] for day in kind], [often[day] for day in kind], [mean] * len(kind))
        course = _course([sum(counted[day * DAY + hour] for day in kind) for hour in range(DAY)])
        for day, rate in zip(kind, theirs, strict=True):
            prior[day * DAY : (day + 1) * DAY] = [rate * share for share in course]
    return prior


#: The first of the epoch was a Thursday: Thursday, Friday, Monday to Wednesday; Saturday; Sunday.
_KINDS = ((0, 1, 4, 5, 6), (2,), (3,))


def _course(counted: list[float]) -> list[float]:
    """Return the share of the day that each hour has; the fewer there were, the more its neighbours say."""
    total = sum(counted)
    if total <= 0:
        return [1 / DAY] * DAY
    smooth = []
    for hour, own in enumerate(counted):
        around = (counted[hour - 1] + 2 * own + counted[(hour + 1) % DAY]) / 4
        alone = own / (own + 4)
        smooth.append(alone * own + (1 - alone) * around)
    whole = sum(smooth)
    return [one / whole for one in smooth]


def _shrunk(counted: list[float], seen: list[float], prior: list[float]) -> list[float]:
    """Return the rates, drawn towards ``prior`` as far as their differences from it may be chance."""
    means = [often * rate for often, rate in zip(seen, prior, strict=True)]
    more = sum((one - mean) ** 2 - mean for one, mean in zip(counted, means, strict=True))
    scale = sum(mean * mean for mean in means)
    spread = more / scale if scale > 0 else 0.0
    if spread <= 1e-9:
        return prior
    shape = 1 / spread
    return [
        (one + shape) / (often + shape / rate) if rate > 0 else 0.0
        for one, often, rate in zip(counted, seen, prior, strict=True)
    ]


def _level(
    counts: Sequence[float],
    slots: Sequence[int],
    weights: Sequence[float],
    rates: list[float],
    back: list[int],
) -> Level:
    """Return the levels of the weeks: a trend, and what differs from it by more than chance."""
    number = back[0] + 1 if back else 1
    counted, means = [0.0] * number, [0.0] * number
    for count, slot, weight, week in zip(counts, slots, weights, back, strict=True):
        if weight:
            counted[week] += count
            means[week] += rates[slot]
    known = [week for week in range(number) if means[week] > 0.2 * sum(rates)]
    if len(known) < 2 or not sum(counted):
        return Level([1.0] * number, 1.0, 0.04)
    total = sum(counted[week] for week in known) / sum(means[week] for week in known)
    ratio = {week: counted[week] / means[week] / total for week in known}
    chance = {week: 1 / max(total * means[week], 1.0) for week in known}
    middle, slope = _slope(ratio, chance)
    trend = [max(middle + slope * week, 0.05) for week in range(number)]
    rest = {week: ratio[week] - trend[week] for week in known}
    noise = sum(chance.values()) / len(known)
    wander = max(sum(one * one for one in rest.values()) / max(len(known) - 1, 1) - noise, 0.0)
    levels = [trend[week] + rest.get(week, 0.0) * wander / (wander + noise) for week in range(number)]
    # The next week lies ahead: followed downwards, and upwards no further than has been seen.
    newest = known[0]
    drawn = rest[newest] * wander / (wander + chance[newest])
    now = min(max(middle - slope, 0.05) + drawn, max(levels))
    now = max(now, 0.02)
    return Level([one * total for one in levels], now * total, (wander + noise / len(known)) / now**2)


def _slope(ratio: dict[int, float], chance: dict[int, float]) -> tuple[float, float]:
    """Return the trend's height at week 0 and its slope, drawn to nothing as far as it may be chance."""
    heavy = {week: 1 / chance[week] for week in ratio}
    whole = sum(heavy.values())
    at = sum(heavy[week] * week for week in ratio) / whole
    mean = sum(heavy[week] * ratio[week] for week in ratio) / whole
    if len(ratio) < 4:
        return mean, 0.0
    square = sum(heavy[week] * (week - at) ** 2 for week in ratio)
    slope = sum(heavy[week] * (week - at) * ratio[week] for week in ratio) / square
    rest = sum(heavy[week] * (ratio[week] - mean - slope * (week - at)) ** 2 for week in ratio)
    error = max(rest / (len(ratio) - 2), 1.0) / square
    slope *= max(1 - 2.0 * error / (slope * slope), 0.0) if slope else 0.0
    return mean - slope * at, slope


def _robust(counts: Sequence[float], expected: list[float], weights: Sequence[float]) -> list[float]:
    """Return the weights with those of days, and of hours, that are out of line reduced."""
    found = list(weights)
    days = []
    for end in range(len(counts), DAY - 1, -DAY):
        begin = end - DAY
        if min(weights[begin:end]) > 0:
            days.append((begin, sum(counts[begin:end]), sum(expected[begin:end])))
    for begin, weight in zip(
        [begin for begin, _, _ in days],
        _reduced([one for _, one, _ in days], [mean for _, _, mean in days]),
        strict=True,
    ):
        if weight < 1:
            found[begin : begin + DAY] = [one * weight for one in found[begin : begin + DAY]]
    hours = _reduced(counts, expected)
    return list(map(mul, found, hours))


def _reduced(counts: Sequence[float], expected: Sequence[float]) -> list[float]:
    """Return a weight for each: 1, and less where its Anscombe residual is beyond what is usual."""
    if not counts:
        return []
    residuals = [
        1.5 * (count ** (2 / 3) - mean ** (2 / 3)) / mean ** (1 / 6) if mean > _LEAST else 0.0
        for count, mean in zip(counts, expected, strict=True)
    ]
    scale = max(median(map(abs, residuals)) / 0.6745, 1.0) * _OUTLIER
    return [1.0 if -scale <= one <= scale else (scale / one) ** 2 for one in residuals]
