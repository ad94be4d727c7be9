"""Fewer than at the same hours of the weeks before, by more than chance explains.

``docs/dips.md`` says how, after whom, and how well.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from operator import mul
from typing import NamedTuple

from django.utils import timezone
from django.utils.translation import gettext as _

from ...specs import RuleSpec
from .. import phrases
from ..statistics.looks import DAY, HOUR, LONG, SHORT, STEP, Course, Look, cells
from ..statistics.slots import day, slots
from ..statistics.tails import binomial_fewer, most_with, usual_range
from ..statistics.weeks import WEEK, usual
from .base import ALL, Judgement, Sight, Verdict

#: Weeks of the same hours without which nothing is said.
_WEEKS_NEEDED = 2
#: From so many a day on a day is the longest window, and else a week.
_OFTEN = 15.0
#: Before a rule fires things have been wrong for a while: this is not usual either.
_BEFORE_FIRING = 2 * HOUR
#: Where this share of the history is lost to incidents, what they were has become usual.
_LOST = 0.75
#: So many of a key are expected before the first of it, until that is when it came into being.
_NEW = 10.0
#: Only so many keys are judged: those with the most.
_MOST_KEYS = 20
#: A key has fallen alone when its share of the present total is that improbable.
_SHARE_ALLOWED = 1e-3
#: Less than so many expected between the beginning of a dip and a deploy: the one may be for the other.
_NEAR = 3.0


class _Span(NamedTuple):
    """The hours that are looked at, oldest first: ``top`` is the begin of the present one.

    ``slots`` go on to the hour after it. ``known_from``, ``off`` (holidays), ``incidents`` and
    ``told``, which are those that are over, are places in them. ``deploy`` is the last one, and ``aligned``
    the begin of the first cell after it. ``calm_until`` is when what the rule fires of may have begun.
    """

    top: int
    number: int
    slots: tuple[int, ...]
    known_from: int
    off: frozenset[int]
    incidents: frozenset[int]
    told: frozenset[int]
    deploy: float | None
    aligned: float
    calm_until: float


class _Series(NamedTuple):
    """Counts: by hours, by steps from an hour before ``top``, and from the deploy to ``aligned``."""

    hours: list[float]
    steps: list[float]
    at_deploy: float

    def less(self, other: _Series) -> _Series:
        """Return what is left without the other."""
        return _Series(
            [max(one - its, 0.0) for one, its in zip(self.hours, other.hours, strict=True)],
            [max(one - its, 0.0) for one, its in zip(self.steps, other.steps, strict=True)],
            max(self.at_deploy - other.at_deploy, 0.0),
        )


class _Seen(NamedTuple):
    """What came of looking: the look to point at, if any can tell; or how many days of history are there."""

    course: Course | None = None
    look: Look | None = None
    wrong: bool = False
    last: float | None = None
    days: float = 0.0
    needed: float = 0.0


def judge(rule: RuleSpec, sight: Sight, /) -> Judgement:
    """Say whether there are fewer than usual, of all and of each that ``by`` tells apart."""
    first = sight.first(rule.of)
    if first is None:
        return Judgement(silent=_("It has not happened yet."))
    span = _span(rule, sight, first)
    whole = _series(rule, sight, span, by="")[ALL]
    seen = _see(rule, sight, span, whole, share=0.5 if rule.by else 1.0, silence=True)
    if seen.course is None:
        words = _("It has %(days)s days of history and needs %(needed)s.")
        return Judgement(silent=words % {"days": int(seen.days), "needed": f"{seen.needed:.0f}"})
    if rule.by:
        keys = _series(rule, sight, span, by=rule.by)
        keys.pop(ALL, None)
        verdicts = _by_key(rule, sight, span, whole, seen, keys)
    else:
        verdicts = () if seen.look is None else (_verdict(ALL, rule, span, sight.now, seen),)
    return Judgement(verdicts, "" if verdicts else _too_few(seen.course))


def _by_key(
    rule: RuleSpec, sight: Sight, span: _Span, whole: _Series, seen: _Seen, keys: Mapping[str, _Series]
) -> tuple[Verdict, ...]:
    """Tell of the keys that fell alone; or of the whole, once, if what is left without them fell, too."""
    busy = sorted(keys, key=lambda key: -sum(keys[key].hours))[:_MOST_KEYS]
    found = {key: _see(rule, sight, span, keys[key], share=0.5 / len(busy)) for key in busy}
    fell = [key for key in busy if found[key].wrong and _is_alone(found[key], seen, span, len(busy))]
    if fell:
        left = whole
        for key in fell:
            left = left.less(keys[key])
        if _see(rule, sight, span, left, share=0.5).wrong:
            fell = []
        else:
            seen = seen._replace(wrong=False)
    verdicts = [] if seen.look is None else [_verdict(ALL, rule, span, sight.now, seen)]
    for key in busy:
        if found[key].look is not None:
            one = found[key]._replace(wrong=key in fell)
            verdicts.append(_verdict(key, rule, span, sight.now, one))
    return tuple(verdicts)


def _is_alone(one: _Seen, whole: _Seen, span: _Span, keys: int) -> bool:
    """Return whether so few are improbable, too, as a share of all that there are now."""
    if one.look is None or one.course is None or whole.course is None:
        return False
    start = span.aligned if one.look.kind == "deploy" else one.look.start
    count, mean = one.course.since(start)
    all_counted, all_mean = whole.course.since(start)
    if mean <= 0 or all_counted <= 0:
        return False
    wide = max(one.look.variance / one.look.mean, 1.0)
    share = min(mean / max(all_mean, mean), 0.999)
    return binomial_fewer(count / wide, all_counted / wide, share) <= _SHARE_ALLOWED / keys


def _see(
    rule: RuleSpec, sight: Sight, span: _Span, series: _Series, *, share: float, silence: bool = False
) -> _Seen:
    """Look at a series through all windows; ``share`` is its part of the false alarms that are allowed."""
    weights = _weights(span, series)
    lengths = _lengths(rule, series, weights)
    # The history ends where the longest window begins, so that what is judged is not taken for usual.
    gap = math.ceil(lengths[-1] / DAY) * 24
    end = span.number - gap
    begin = max(end - round(rule.numbers.get("weeks", 8)) * WEEK, 0)
    if sum(weights[begin:end]) < _WEEKS_NEEDED * WEEK:
        return _Seen(days=sum(weights) / 24, needed=_WEEKS_NEEDED * 7 + gap / 24)
    model = usual(series.hours[begin:end], span.slots[begin:end], weights[begin:end])
    reach = gap + 2
    closed = span.off | _with_silence(span.told, series.hours)
    shown = cells(
        model,
        span.slots[-reach - 2 :],
        series.hours[-reach:],
        series.steps,
        top=span.top,
        now=sight.now,
        off=[at - span.number + reach for at in closed if at >= span.number - reach],
    )
    course = Course(model, shown, now=sight.now, once=rule.numbers.get("once_in_days", 365.0) / share)
    looks = course.windows(lengths, calm_until=span.calm_until)
    zero_since, expected = course.zero_since()
    last = sight.last(rule.of, zero_since - HOUR) if silence and expected > 1 else None
    if last is not None and rule.numbers.get("window") is None:
        looks.append(course.silence(last))
    if span.deploy is not None and span.deploy < sight.now:
        looks.append(course.since_deploy(span.deploy, series.at_deploy + course.since(span.aligned)[0]))
    return _pointed(course, looks, rule.numbers.get("min_count", 0.0), last)


def _pointed(course: Course, looks: Sequence[Look], least: float, last: float | None) -> _Seen:
    """Choose the look that says most: of those that are wrong, or the shortest that could be."""
    able = [look for look in looks if look.mean >= least and look.can_tell]
    wrong = [look for look in able if look.wrong and not course.fall(look).over]
    if wrong:
        worst = min(wrong, key=lambda look: look.probability / look.allowed)
        began = last if last is not None and not worst.counted else course.fall(worst).start
        for look in wrong:
            if look.kind == "deploy" and course.mean_since(began) - look.mean < _NEAR:
                worst = look
        return _Seen(course, worst, wrong=True, last=last)
    windows = [look for look in able if look.kind == "window"]
    return _Seen(course, min(windows, key=lambda look: -look.start, default=None))


def _verdict(key: str, rule: RuleSpec, span: _Span, now: float, seen: _Seen) -> Verdict:
    look, course = seen.look, seen.course
    assert look is not None
    assert course is not None
    words = (
        _("%(number)s in the %(span)s since a release went live")
        if look.kind == "deploy"
        else _("%(number)s in the last %(span)s")
    )
    words %= {"number": phrases.number(look.counted), "span": phrases.lately(now - look.start)}
    usually, since = _usual(look), None
    if seen.wrong:
        usually = _how_often(rule, look, usually)
        if look.kind == "deploy":
            since = look.start
        elif not look.counted and seen.last is not None:
            since = seen.last
        else:
            since = course.fall(look).start
    limit = most_with(look.allowed, look.mean, look.variance)
    return Verdict(
        key, seen.wrong, look.counted, words, limit=float(max(limit, 0)), usual=usually, since=since
    )


def _usual(look: Look) -> str:
    low, high = usual_range(look.mean, look.variance)
    words = (
        _("usually %(low)s–%(high)s by now as today goes")
        if look.kind == "today"
        else _("usually %(low)s–%(high)s by now")
    )
    return words % {"low": phrases.number(low), "high": phrases.number(high)}


def _how_often(rule: RuleSpec, look: Look, usually: str) -> str:
    """Return what is usual with how often it is less by chance."""
    days = rule.numbers.get("once_in_days", 365.0) * look.allowed / max(look.probability, 1e-300)
    if days >= 365_000:
        words, times = _("%(usually)s; chance alone does this less than once in %(number)s years"), 1000.0
    elif days >= 730:
        words, times = _("%(usually)s; chance alone does this once in %(number)s years"), days / 365
    else:
        words, times = _("%(usually)s; chance alone does this once in %(number)s days"), days
    return words % {"usually": usually, "number": phrases.number(float(f"{times:.2g}"))}


def _too_few(course: Course) -> str:
    a_day = course.per_day
    if a_day >= 1:
        words, often = _("There are usually %(number)s a day: too few to tell a dip from chance."), a_day
    else:
        words, often = _("There are usually %(number)s a week: too few to tell a dip from chance."), a_day * 7
    return words % {"number": phrases.number(often)}


def _lengths(rule: RuleSpec, series: _Series, weights: Sequence[float]) -> Sequence[float]:
    given = rule.numbers.get("window")
    if given is not None:
        return (given,)
    counted = sum(map(mul, series.hours, weights))
    return SHORT if counted * 24 >= _OFTEN * (sum(weights) or 1.0) else LONG


def _weights(span: _Span, series: _Series) -> list[float]:
    """Return 1 for the hours from which what is usual can be learnt, else 0."""
    hours = series.hours
    begin = span.known_from
    first = next((at for at in range(begin, span.number) if hours[at]), begin)
    if first > begin and (first - begin) * sum(hours) > _NEW * (span.number - first):
        begin = first
    known = [0.0] * begin + [1.0] * (span.number - begin)
    for at in span.off:
        if at < span.number:
            known[at] = 0.0
    if not span.incidents:
        return known
    lost = _with_silence(span.incidents, hours)
    without = [0.0 if at in lost else weight for at, weight in enumerate(known)]
    return without if sum(without) >= (1 - _LOST) * sum(known) else known


def _with_silence(places: frozenset[int], hours: Sequence[float]) -> frozenset[int]:
    """Return the hours of incidents with those before them in which nothing happened: so they began."""
    found = set(places)
    for at in places:
        before = at - 1
        while before >= 0 and before not in found and not hours[before]:
            found.add(before)
            before -= 1
    return frozenset(found)


def _span(rule: RuleSpec, sight: Sight, first: float) -> _Span:
    top = int(sight.now // HOUR) * HOUR
    window = rule.numbers.get("window") or DAY
    number = round(rule.numbers.get("weeks", 8)) * WEEK + max(math.ceil(window / DAY) * 24, WEEK)
    start = top - number * HOUR
    zone = timezone.get_default_timezone()
    is_holiday = rule.holidays or getattr(rule.hours, "is_holiday", None)
    off = []
    if is_holiday is not None:
        days = [is_holiday(day(start + at * HOUR, zone).date()) for at in range(number + 2)]
        off = [at for at, closed in enumerate(days) if closed]
    incidents: set[int] = set()
    told: set[int] = set()
    calm_until = sight.now
    for begin, over in sight.incidents(rule.name, start, sight.now):
        first_hour = max(math.floor((begin - _BEFORE_FIRING - start) / HOUR), 0)
        end = (min(over, sight.now) - start) / HOUR
        incidents.update(range(first_hour, min(math.ceil(end), number)))
        if over >= sight.now:
            calm_until = min(calm_until, begin - _BEFORE_FIRING)
        else:
            # It has been told, and is over: what was lost then is not told again.
            told.update(range(first_hour, math.floor(end)))
    deploy = max(sight.deploys(sight.now - min(window, DAY), sight.now), default=None)
    size = HOUR if deploy is not None and deploy < top - HOUR else STEP
    return _Span(
        top=top,
        number=number,
        slots=slots(start, number + 2, zone),
        known_from=min(max(math.ceil((first - start) / HOUR), 0), number),
        off=frozenset(off),
        incidents=frozenset(incidents),
        told=frozenset(told),
        deploy=deploy,
        aligned=0.0 if deploy is None else min(math.ceil(deploy / size) * size, sight.now),
        calm_until=calm_until,
    )


def _series(rule: RuleSpec, sight: Sight, span: _Span, *, by: str) -> dict[str, _Series]:
    """Return the counts of each key; of ``ALL`` whether or not there are any."""
    starts = [span.top - (span.number - at) * HOUR for at in range(span.number)]
    hours = sight.hours(rule.of, starts, by=by)
    steps = sight.counts(rule.of, span.top - HOUR, sight.now, step=STEP, by=by)
    number = math.ceil((sight.now - span.top + HOUR) / STEP - 1e-9)
    at_deploy: Mapping[str, list[float]] = {}
    if span.deploy is not None and span.deploy < span.aligned:
        at_deploy = sight.counts(rule.of, span.deploy, span.aligned, by=by)
    found = {}
    for key in {ALL, *hours, *steps}:
        by_hour = hours.get(key, {})
        found[key] = _Series(
            [by_hour.get(start, 0.0) for start in starts],
            steps.get(key) or [0.0] * number,
            at_deploy.get(key, [0.0])[0],
        )
    return found
