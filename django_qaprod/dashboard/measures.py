"""What rules watch, in words and as charts."""

from __future__ import annotations

import math
from datetime import datetime, timedelta

from django.utils.translation import gettext as _

from .. import clock, metrics, registry
from ..queries import circumstances, measures
from ..queries.window import MINUTE, Window
from ..specs import Measure, RuleSpec
from . import charts, units, words
from .charts import Chart, Line
from .units import Unit

#: Of a chart. Fewer steps say little, more nobody sees.
_MOST_STEPS = 400
_BEFORE = 12
_MOST_MARKS = 50
_SHORTEST, _LONGEST = timedelta(hours=3), timedelta(days=28)
_STEPS = (60, 300, 600, 1800, 3600, 10_800, 21_600, 86_400)
#: Kinds whose value and limit are shares, and those whose limit is what the chart shows.
_SHARES = frozenset({"ratio", "out_of_sync"})
_COMPARABLE = frozenset({"threshold", "ratio", "trend"})


def watched(measure: Measure) -> str:
    """Return in words what a measure counts or reads."""
    name, journey = words.cut(measure.name, 100), words.cut(measure.journey, 100)
    said = {
        "step": _("the step %(journey)s.%(name)s"),
        "failures": _("failures of %(journey)s") if journey else _("failures"),
        "requests": _("requests of %(name)s") if name else _("requests"),
        "breaches": _("breaches of “%(name)s”") if name else _("breaches of expectations"),
        "gauge": _("the gauge %(name)s"),
    }.get(measure.kind, _("the series %(name)s"))
    conditions = ", ".join(f"{words.cut(key, 40)}: {words.cut(value, 80)}" for key, value in measure.where)
    said %= {"name": name, "journey": journey}
    return f"{said} ({conditions})" if conditions else said


def unit_of(spec: RuleSpec) -> Unit:
    """Return how a rule's values and limits are written."""
    if spec.kind in _SHARES:
        return Unit("share")
    if spec.of.kind != "gauge":
        return Unit("count")
    declared = next((gauge.unit for gauge in registry.gauges() if gauge.name == spec.of.name), "")
    return units.of(metrics.UNITS.get(spec.of.name, declared))


def stretch(spec: RuleSpec, began: datetime, ended: datetime | None) -> Window:
    """Return what is shown around an alert: long enough before to see what was usual, and a little after."""
    span = timedelta(seconds=_BEFORE * spec.numbers.get("window", 0.0))
    span = min(max(span, _SHORTEST), _LONGEST)
    now = clock.now()
    end = min(now, (ended or now) + span / 4)
    return Window(max(began - span, end - 2 * _LONGEST), end)


def chart(
    spec: RuleSpec,
    window: Window,
    *,
    key: str = "",
    limit: float | None = None,
) -> Chart:
    """Return what a rule watched in a window, of one ``key`` where it tells several apart, and its limit.

    The steps are as long as the rule's own window where that fits, so that they compare with the limit. What
    went live is marked. Raises ``DeclarationError`` for what cannot be told apart.
    """
    step, unit = _step(spec, window), unit_of(spec)
    start, end = window.epochs(step)
    values = _values(spec, start, end, step, key)
    lines = [Line(label=_label(spec), values=[_scaled(value, unit) for value in values])]
    deploys = circumstances.deploys(window.start, window.end, most=_MOST_MARKS, flags=_MOST_MARKS)
    same = spec.kind == "trend" or spec.of.kind == "gauge" or step == spec.numbers.get("window")
    if limit is not None and same and spec.kind in _COMPARABLE:
        level = [limit * unit.factor] * len(values)
        lines.append(Line(label=_("limit"), values=level, colour="error", dashed=True))
    return Chart(
        key="qaprod-measure",
        title=unit.titled(_("What it watches")),
        starts=[clock.moment(at) for at in range(start, end, step)],
        lines=lines,
        marks=charts.marks(reversed(deploys)),
        unit=unit.kind,
        counted=spec.of.kind != "gauge" and spec.kind not in _SHARES,
    )


def _label(spec: RuleSpec) -> str:
    if spec.kind in _SHARES:
        return _("share")
    return _("mean") if spec.of.kind == "gauge" else _("how often")


def _step(spec: RuleSpec, window: Window) -> int:
    """Return the seconds of a step: the rule's window if its numbers are kept so finely and it is seen."""
    length = window.length.total_seconds()
    grain = max(measures.grain(spec.of, clock.epoch(window.start)), MINUTE)
    least, wanted = math.ceil(length / _MOST_STEPS), int(spec.numbers.get("window", 0.0))
    if wanted and wanted % grain == 0 and least <= wanted <= length / _BEFORE * 2:
        return wanted
    return next((step for step in _STEPS if step >= max(least, grain) and step % grain == 0), _STEPS[-1])


def _values(spec: RuleSpec, start: int, end: int, step: int, key: str) -> list[float | None]:
    number = len(range(start, end, step))
    nothing: list[float | None] = [None] * number
    # Without a key it is all of them together; the one without a name has a key of its own.
    by, key = (spec.by, "" if key == registry.NO_VALUE else key) if key else ("", "")
    if spec.of.kind == "gauge":
        return measures.readings(spec.of, start, end, step=step, by=by).get(key, nothing)
    of = _counts(spec.of, start, end, step, by, key, number)
    if spec.kind not in _SHARES or spec.per is None:
        return [*of]
    per = _counts(spec.per, start, end, step, by, key, number)
    return [one / all_ if all_ else None for one, all_ in zip(of, per, strict=True)]


def _counts(measure: Measure, start: int, end: int, step: int, by: str, key: str, number: int) -> list[float]:
    return measures.counts(measure, start, end, step=step, by=by).get(key, [0.0] * number)


def _scaled(value: float | None, unit: Unit) -> float | None:
    return value if value is None else value * unit.factor
