"""A failure's page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from .. import clock
from ..models import Affected, Failure, Occurrence, Transition
from ..queries import failures
from ..queries.failures import FailureDetail, Frame, Impact, OccurrencePage
from ..records import REPLAY_OF, SENTRY_EVENT
from . import charts, events, priority, served, windows, words
from .charts import Chart, Line

PER_PAGE = 10
_PEOPLE_SHOWN = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """Frames that follow each other: the host's own, or a run of library frames that is folded."""

    in_app: bool
    frames: list[Frame]


@dataclass(frozen=True, slots=True, kw_only=True)
class Raised:
    """An exception of the chain, the first one first."""

    error_type: str
    message: str
    notes: list[str]
    relation: str
    stretches: list[Stretch]


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedLine:
    """A log line of the same request."""

    at: datetime | None
    level: str
    logger: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Happened:
    """An occurrence with everything known about it."""

    occurrence: Occurrence
    chain: list[Raised]
    lines: list[LoggedLine]
    extra: list[tuple[str, str]]
    #: What the visitor got, and what of a served form's view failed, if it was one.
    visitor: str
    part: str
    #: Where Sentry shows it, nothing if that is not known.
    event_url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FailurePage:
    """What the template shows."""

    failure: Failure
    chosen: windows.Chosen
    detail: FailureDetail
    chart: Chart
    parts: list[priority.Part]
    impact: list[str]
    occurrences: OccurrencePage
    shown: Happened | None
    transitions: list[Transition]
    #: Whether no visitor met it, but staff who replayed something.
    in_replay: bool
    affected: list[Affected] = field(default_factory=list)


def page(failure: Failure, given: Mapping[str, str]) -> FailurePage:
    """Return a failure's page for the window, the page and the occurrence that the query string asks for."""
    chosen = windows.choose(given, default="7d")
    detail = failures.detail(failure.pk, chosen.window)
    found = failures.occurrences(failure.pk, page=_page_number(given), per_page=PER_PAGE)
    in_replay = failure.kind == Failure.Kind.REPLAY or failure.name.startswith(REPLAY_OF)
    return FailurePage(
        failure=failure,
        chosen=chosen,
        detail=detail,
        chart=_chart(detail),
        parts=priority.parts(failure),
        impact=[] if in_replay else [in_words(impact) for impact in detail.impact],
        occurrences=found,
        shown=happened(occurrence) if (occurrence := _occurrence(failure, found, given)) else None,
        transitions=list(failure.transitions.all()[:50]),
        in_replay=in_replay,
        affected=list(failure.affected.order_by("-at")[:_PEOPLE_SHOWN]),
    )


def latest(failure: Failure) -> Happened | None:
    """Return the latest occurrence that is kept."""
    found = failures.occurrences(failure.pk, per_page=1).items
    return happened(found[0]) if found else None


def happened(occurrence: Occurrence) -> Happened:
    """Return an occurrence with its trace and its lines."""
    return Happened(
        occurrence=occurrence,
        chain=[
            Raised(
                error_type=link.error_type,
                message=link.message,
                notes=link.notes,
                relation=_relation(link.relation),
                stretches=folded(link.frames),
            )
            for link in failures.chain(occurrence)
        ],
        lines=_lines(occurrence.lines),
        extra=_extra(occurrence.extra),
        visitor=served.visitor(occurrence),
        part=served.part(occurrence),
        event_url=events.url_of(occurrence),
    )


def folded(frames: list[Frame]) -> list[Stretch]:
    """Return the frames in stretches of the host's own and of libraries'.

    Where no frame is the host's own, all are shown open: there would be nothing to read otherwise.
    """
    known = any(frame.in_app for frame in frames)
    stretches: list[Stretch] = []
    for frame in frames:
        ours = frame.in_app or not known
        if not stretches or stretches[-1].in_app != ours:
            stretches.append(Stretch(in_app=ours, frames=[]))
        stretches[-1].frames.append(frame)
    return stretches


def in_words(impact: Impact) -> str:
    """Return what a failure did to a journey, as "12 of 40 that were started met it; 9 were served"."""
    return " ".join(filter(None, (_met(impact), _since(impact))))


def _since(impact: Impact) -> str:
    if impact.went_on is None or not impact.served:
        return ""
    if impact.served == 1:
        went_on = impact.went_on
        return _("It has taken a later step since.") if went_on else _("It has taken no later step since.")
    if not impact.went_on:
        return _("None of those has taken a later step since.")
    return ngettext(
        "%(n)s of those has taken a later step since.",
        "%(n)s of those have taken a later step since.",
        impact.went_on,
    ) % {"n": words.number(impact.went_on)}


def _met(impact: Impact) -> str:
    names = {"journey": words.cut(impact.title, 80), "met": words.number(impact.met)}
    if impact.started is None:
        met = ngettext("%(journey)s: %(met)s met it", "%(journey)s: %(met)s met it", impact.met) % names
    else:
        names["started"] = words.number(impact.started)
        met = (
            ngettext(
                "%(journey)s: %(met)s of %(started)s that was started met it",
                "%(journey)s: %(met)s of %(started)s that were started met it",
                impact.started,
            )
            % names
        )
    if not impact.served:
        return _("%(met)s; none of them was served.") % {"met": met}
    if impact.served == impact.met:
        return _("%(met)s; every one of them was served anyway.") % {"met": met}
    some = ngettext(
        "%(served)s of them was served anyway", "%(served)s of them were served anyway", impact.served
    ) % {"served": words.number(impact.served)}
    return _("%(met)s; %(served)s.") % {"met": met, "served": some}


def _chart(detail: FailureDetail) -> Chart:
    return Chart(
        key="qaprod-trend",
        title=_("Occurrences"),
        starts=[point.start for point in detail.points],
        lines=[
            Line(
                label=_("occurrences"),
                values=[point.count for point in detail.points],
                colour="error",
                filled=True,
            )
        ],
        marks=charts.marks(detail.deploys),
    )


def _page_number(given: Mapping[str, str]) -> int:
    text = given.get("page", "1")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 7 else 1


def _occurrence(failure: Failure, found: OccurrencePage, given: Mapping[str, str]) -> Occurrence | None:
    wanted = given.get("occurrence", "")
    chosen = failure.occurrences.filter(pk=wanted[:32]).first() if wanted and "\x00" not in wanted else None
    return chosen or (found.items[0] if found.items else None)


def _relation(relation: str) -> str:
    known = {
        "cause": _("caused by"),
        "context": _("while handling"),
        "group": _("in the group"),
    }
    return known.get(relation, "")


def _lines(stored: object) -> list[LoggedLine]:
    lines = [line for line in stored if isinstance(line, dict)] if isinstance(stored, list) else []
    return [
        LoggedLine(
            at=clock.moment(at) if isinstance(at := line.get("at"), (int, float)) else None,
            level=str(line.get("level", "")),
            logger=str(line.get("logger", "")),
            message=str(line.get("message", "")),
        )
        for line in lines[:100]
    ]


def _extra(stored: object) -> list[tuple[str, str]]:
    if not isinstance(stored, dict):
        return []
    told = {SENTRY_EVENT, *served.TOLD}
    return [(str(key), _flat(value)) for key, value in stored.items() if key not in told]


def _flat(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key}: {part}" for key, part in value.items())
    return str(value)
