"""The journeys page: funnels, conversions, times and trends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from django.utils.translation import gettext as _

from .. import clock, registry
from ..models import Deploy
from ..queries import journeys
from ..queries.journeys import BigNumber, Funnel, StepCount
from ..registry import JourneySpec
from . import charts, windows
from .charts import Chart, Line

# More variants than these are a table that nobody reads.
_MOST_COMPARED = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A step of the funnel; ``width`` is its bar, a fraction of the widest."""

    count: StepCount
    width: float
    lost: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """The journey that was chosen."""

    spec: JourneySpec
    today: list[BigNumber]
    funnel: Funnel
    rows: list[Row]
    by_variant: list[Funnel]
    by_browser: list[Funnel]
    trends: list[Chart]
    variants: list[str]
    browsers: list[str]
    variant: str | None
    browser: str | None

    @property
    def empty(self) -> bool:
        """Whether nobody took a step in the window, or the one before it."""
        return not any(row.count.events or row.count.previous_events for row in self.rows)

    @property
    def compared(self) -> bool:
        """Whether the window before has any numbers: else everything would be new."""
        return any(row.count.previous_events for row in self.rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class JourneyPage:
    """What the template shows; ``shown`` is ``None`` when no journey is declared."""

    declared: Sequence[JourneySpec]
    chosen: windows.Chosen
    shown: Shown | None = field(default=None)


def page(given: Mapping[str, str]) -> JourneyPage:
    """Return the page for the journey, window, variant and browser that the query string asks for."""
    declared = registry.journeys()
    chosen = windows.choose(given, default="7d")
    spec = next((spec for spec in declared if spec.name == given.get("journey")), None)
    spec = spec or (declared[0] if declared else None)
    return JourneyPage(
        declared=declared, chosen=chosen, shown=_shown(spec, chosen, given) if spec and spec.steps else None
    )


def _shown(spec: JourneySpec, chosen: windows.Chosen, given: Mapping[str, str]) -> Shown:
    measured = journeys.Measured(spec, chosen.window)
    by_variant, by_browser = measured.compare(by="variant"), measured.compare(by="browser")
    variants = sorted(funnel.variant or "" for funnel in by_variant)
    browsers = sorted(funnel.browser or "" for funnel in by_browser)
    variant, browser = _one_of(given.get("variant"), variants), _one_of(given.get("browser"), browsers)
    funnel = measured.funnel(variant=variant, browser=browser)
    return Shown(
        spec=spec,
        today=journeys.today(spec),
        funnel=funnel,
        rows=_rows(funnel),
        by_variant=by_variant[:_MOST_COMPARED] if len(by_variant) > 1 else [],
        by_browser=by_browser[:_MOST_COMPARED] if len(by_browser) > 1 else [],
        trends=_trends(spec, chosen),
        variants=variants,
        browsers=browsers,
        variant=variant,
        browser=browser,
    )


def _one_of(wanted: str | None, known: Sequence[str]) -> str | None:
    return wanted if wanted in known else None


def _rows(funnel: Funnel) -> list[Row]:
    widest = max((step.reached for step in funnel.steps), default=0)
    rows = []
    for position, step in enumerate(funnel.steps):
        before = funnel.steps[position - 1].reached if position else 0
        rows.append(
            Row(
                count=step,
                width=step.reached / widest if widest else 0.0,
                lost=step.dropped / before if before else None,
            )
        )
    return rows


def _trends(spec: JourneySpec, chosen: windows.Chosen) -> list[Chart]:
    """Return the first step's and the last step's trend against the week before."""
    steps = dict.fromkeys((spec.steps[0], spec.steps[-1]))
    deploys = Deploy.objects.filter(at__gte=chosen.window.start, at__lt=chosen.window.end).order_by("at")
    marks = charts.marks(deploys)
    return [_trend(spec, step, chosen, marks) for step in steps]


def _trend(
    spec: JourneySpec, step: registry.StepSpec, chosen: windows.Chosen, marks: Sequence[charts.Mark]
) -> Chart:
    points = journeys.trend(spec, step.name, chosen.window)
    now = clock.now()
    return Chart(
        key=f"qaprod-trend-{spec.steps.index(step)}",
        title=step.title,
        starts=[point.start for point in points],
        lines=[
            Line(
                label=_("this time"),
                values=[point.count if point.start <= now else None for point in points],
                filled=True,
            ),
            Line(
                label=_("a week before"),
                values=[point.week_before for point in points],
                colour="quiet",
                dashed=True,
            ),
        ],
        marks=marks,
    )
