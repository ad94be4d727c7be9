"""What a rule would have done with other numbers, as its page shows it before they are stored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from ..alerts import backtest
from ..alerts.backtest import Backtest
from ..alerts.rerun import TooLongError
from ..dashboard import charts, measures, rules, words
from ..dashboard.charts import Chart, Line
from ..exceptions import DeclarationError
from ..queries import circumstances
from ..specs import RuleSpec
from ..store.rules import NUMBERS

#: Seconds that it may take, of a request: servers end those that take half a minute.
WITHIN = 10.0
#: Firings that are listed, the latest.
MOST = 50
_MOST_MARKS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Fired:
    """One time that it would have fired; ``until`` is ``None`` while it goes on."""

    key: str
    since: datetime
    until: datetime | None
    lasted: str
    words: str
    usual: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Other:
    """What one limit would have done; ``chosen`` is the one that was tried."""

    value: str
    firings: int
    lasted: str
    chosen: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """What came of it, or why nothing did (``refused``). ``notes`` say what it could not see."""

    refused: str = ""
    summary: str = ""
    notes: list[str] = field(default_factory=list)
    chart: Chart | None = None
    fired: list[Fired] = field(default_factory=list)
    hidden: int = 0
    limit: str = ""
    others: list[Other] = field(default_factory=list)


def tried(rule: RuleSpec, *, days: int, numbers: Mapping[str, float]) -> Tried:
    """Return when a rule would have fired in the last days with these numbers, and with others."""
    try:
        found = backtest.backtest(rule, days=days, numbers=numbers, every=_pace(rule, numbers), within=WITHIN)
    except TooLongError:
        return Tried(refused=_("It takes too long for a page: manage.py qaprod_backtest has the time."))
    except DeclarationError as error:
        return Tried(refused=words.cut(error, 300))
    return Tried(
        summary=_summary(found),
        notes=_notes(found),
        chart=_chart(found),
        fired=[
            Fired(
                key=one.key,
                since=one.fired,
                until=one.ended,
                lasted=words.seconds(one.seconds),
                words=one.words,
                usual=one.usual,
            )
            for one in reversed(found.firings[-MOST:])
        ],
        hidden=max(len(found.firings) - MOST, 0),
        limit=rules.name_of(f"{NUMBERS}{found.main}"),
        others=_others(found),
    )


def _pace(rule: RuleSpec, numbers: Mapping[str, float]) -> float | None:
    """Return the seconds between two looks: somebody waits, and in a fifth few windows move much."""
    if rule.kind in backtest.PACES:
        return None
    return min(max(numbers.get("window", 0.0) / 5, 60.0), 900.0)


def _summary(found: Backtest) -> str:
    if not found.firings:
        return _("It would not have fired.")
    times = len(found.firings)
    said = ngettext(
        "It would have fired once, for %(span)s.",
        "It would have fired %(n)s times, for %(span)s in all.",
        times,
    )
    return said % {"n": words.number(times), "span": words.seconds(found.seconds)}


def _notes(found: Backtest) -> list[str]:
    notes = []
    if found.begun is not None:
        notes.append(
            _("What it watches has never happened, as far as is known.")
            if found.first is None
            else _("What it watches happened first on %(day)s, as far as is known.")
            % {"day": date_format(words.local(found.first), "SHORT_DATE_FORMAT")}
        )
    if found.silent:
        share = words.percent(found.silent / found.looks)
        told = {"share": share, "why": words.cut(found.why, 200)}
        notes.append(_("In %(share)s of the looks it could say nothing, mostly because: %(why)s") % told)
    if found.coarse:
        told = {"at": words.moment(found.fine_from)}
        notes.append(
            _("Before %(at)s only hours are known: what lasted minutes seems to have lasted an hour.") % told
        )
    return notes


def _others(found: Backtest) -> list[Other]:
    if not found.alternatives:
        return []
    here = (found.rule.numbers[found.main], len(found.firings), found.seconds, True)
    known = [(one.value, one.firings, one.seconds, False) for one in found.alternatives]
    return [
        Other(
            value=rules.in_words(found.main, value),
            firings=firings,
            lasted=words.seconds(seconds) if firings else words.NOTHING,
            chosen=chosen,
        )
        for value, firings, seconds, chosen in sorted([here, *known])
    ]


def _chart(found: Backtest) -> Chart | None:
    if not found.points:
        return None
    unit = measures.unit_of(found.rule)

    def scaled(value: float | None) -> float | None:
        return None if value is None else value * unit.factor

    # Where it would have been wrong the line is drawn once more, in red.
    wrong = [scaled(point.value) if point.wrong else None for point in found.points]
    lines = [
        Line(label=_("value"), values=[scaled(point.value) for point in found.points]),
        Line(
            label=_("limit"),
            values=[scaled(point.limit) for point in found.points],
            colour="quiet",
            dashed=True,
        ),
        Line(label=_("wrong"), values=wrong, colour="error"),
    ]
    deploys = circumstances.deploys(found.start, found.end, most=_MOST_MARKS, flags=_MOST_MARKS)
    return Chart(
        key="qaprod-tried",
        title=unit.titled(_("What it would have seen")),
        starts=[point.at for point in found.points],
        lines=lines,
        marks=charts.marks(reversed(deploys)),
        unit=unit.kind,
        counted=False,
    )
