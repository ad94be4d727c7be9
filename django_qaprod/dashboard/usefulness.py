"""How useful alerts were, by what people said of them; and which rules cry wolf."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from .. import clock, registry
from ..queries import alerts
from ..queries.alerts import Judged
from . import measures, words

#: A rule cries wolf when of so many that were judged fewer than this share were useful.
LEAST_JUDGED, LEAST_USEFUL = 3, 0.5
#: Months that are shown, the present one included.
MONTHS = 6
_SINCE = timedelta(days=365)


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """Of the alerts of a month that were judged, how many were useful."""

    label: str
    judged: int
    useful: int

    @property
    def precision(self) -> float | None:
        """The share, ``None`` where none were judged."""
        return self.useful / self.judged if self.judged else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Precision:
    """How useful the alerts of a rule were. ``fitting`` says which limit would have been better.

    ``months`` are of the months that the page shows, the latest last.
    """

    rule: str
    declared: bool
    judged: int
    useful: int
    precision: float
    months: list[Share]
    fitting: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UsefulnessPage:
    """What the template shows: each rule of which alerts were judged, those that cry wolf apart."""

    months: list[str]
    rules: list[Precision]
    wolves: list[Precision]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """A limit that leaves out ``spared`` of the ``useless`` alerts, and none of the useful ones."""

    limit: float
    spared: int
    useless: int


def page() -> UsefulnessPage:
    """Return how useful alerts were in the last year, the least useful rules first."""
    by_rule: dict[str, list[Judged]] = {}
    for one in alerts.judged(clock.now() - _SINCE):
        by_rule.setdefault(one.rule, []).append(one)
    months = _months(clock.now())
    rules = [_precision(rule, judged, months) for rule, judged in by_rule.items()]
    rules.sort(key=lambda one: (one.precision, -one.judged, one.rule))
    return UsefulnessPage(
        months=[label for label, _year, _month in months],
        rules=rules,
        wolves=[one for one in rules if one.judged >= LEAST_JUDGED and one.precision < LEAST_USEFUL],
    )


def fitting(judged: Iterable[Judged]) -> Fit | None:
    """Return the limit by which most of the useless alerts would not have been, and all of the useful would.

    1. Alerts say by value and limit on which side it is wrong; where they disagree there is no answer, nor
       where the limits do, since then it moves with what is usual.
    2. No useful alert is to be lost: the limit lies between the least of them and the worst useless one that
       is less than that, at the number with the fewest digits near the middle.
    """
    known = [one for one in judged if one.value is not None and one.limit is not None]
    if not known or len({one.limit for one in known}) > 1:
        return None
    limit = known[0].limit or 0.0
    sides = {math.copysign(1.0, (one.value or 0.0) - limit) for one in known if one.value != limit}
    if len(sides) != 1:
        return None
    # Turned over where low is bad, so that more is always worse.
    side = sides.pop()
    useful = [side * (one.value or 0.0) for one in known if one.useful]
    useless = [side * (one.value or 0.0) for one in known if not one.useful]
    spared = [value for value in useless if useful and value < min(useful)]
    if not spared:
        return None
    between = sorted((side * max(spared), side * min(useful)))
    return Fit(limit=_plain(between[0], between[1]), spared=len(spared), useless=len(useless))


def _precision(rule: str, judged: Sequence[Judged], months: Sequence[tuple[str, int, int]]) -> Precision:
    useful = sum(one.useful for one in judged)
    spec = next((spec for spec in registry.rules() if spec.name == rule), None)
    return Precision(
        rule=rule,
        declared=spec is not None,
        judged=len(judged),
        useful=useful,
        precision=useful / len(judged),
        months=[_share(label, year, month, judged) for label, year, month in months],
        fitting=_in_words(rule, judged, useful),
    )


def _in_words(rule: str, judged: Sequence[Judged], useful: int) -> str:
    if not useful:
        return _("None: no alert of it was useful. Can it be switched off?")
    fit = fitting(judged)
    if fit is None:
        return _("None: no limit tells the useful ones from the others.")
    spec = next((spec for spec in registry.rules() if spec.name == rule), None)
    limit = measures.unit_of(spec).written(fit.limit) if spec is not None else words.number(fit.limit)
    return ngettext(
        "%(limit)s: %(spared)s of %(useless)s that was not useful would not have come, all others would.",
        "%(limit)s: %(spared)s of %(useless)s that were not useful would not have come, all others would.",
        fit.useless,
    ) % {"limit": limit, "spared": words.number(fit.spared), "useless": words.number(fit.useless)}


def _months(now: datetime) -> list[tuple[str, int, int]]:
    local = words.local(now)
    found = []
    for back in reversed(range(MONTHS)):
        year, month = divmod(local.year * 12 + local.month - 1 - back, 12)
        first = local.replace(year=year, month=month + 1, day=1)
        found.append((date_format(first, "YEAR_MONTH_FORMAT"), year, month + 1))
    return found


def _share(label: str, year: int, month: int, judged: Iterable[Judged]) -> Share:
    of_month = [one for one in judged if (at := words.local(one.at)).year == year and at.month == month]
    return Share(label=label, judged=len(of_month), useful=sum(one.useful for one in of_month))


def _plain(low: float, high: float) -> float:
    """Return the number with the fewest digits near the middle between two, neither of them included."""
    middle = (low + high) / 2
    for digits in range(1, 16):
        rounded = float(f"{middle:.{digits - 1}e}")
        if low < rounded < high:
            return rounded
    return middle
