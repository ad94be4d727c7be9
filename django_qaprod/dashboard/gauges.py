"""The gauges page and a gauge's own page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from .. import clock, metrics, registry
from ..queries import gauges
from ..queries.gauges import GaugeDetail, GaugeRow, SeriesRow
from ..queries.health import JobRun
from ..queries.health import gauges as last_readings
from ..queries.series import Total
from ..registry import GaugeSpec
from . import charts, units, windows, words
from .charts import Chart, Line
from .units import Unit

PER_PAGE, SERIES_PER_PAGE = 300, 100
#: A gauge that was not read for so many times as long as it should be is stale; and those of processes.
LATE, QUIET_AFTER = 3, timedelta(minutes=5)

_OURS: Mapping[str, Promise] = {
    metrics.CPU: gettext_lazy("Processor time of a process, as a share of what it may use."),
    metrics.CPU_SHARE: gettext_lazy("Processor time of the container, or of a machine without limits."),
    metrics.MEMORY: gettext_lazy("Memory of a process (resident)."),
    metrics.CONTAINER_MEMORY: gettext_lazy("Memory of the container, cache included."),
    metrics.MEMORY_SHARE: gettext_lazy("Memory of the container, or of a machine without limits."),
    metrics.THREADS: gettext_lazy("Threads of a process."),
    metrics.FILES: gettext_lazy("Files and sockets that a process has open."),
    metrics.FILES_SHARE: gettext_lazy("Open files and sockets, as a share of those that a process may have."),
    metrics.CONNECTIONS: gettext_lazy("Database connections that a process has open."),
    metrics.LAG: gettext_lazy("By how much the worker's most overdue job is late."),
    metrics.SINK_LAG: gettext_lazy("How long a sink has taken nothing although something waits for it."),
    metrics.DISK: gettext_lazy("How full the file system of a machine's spool is."),
    metrics.SPOOL: gettext_lazy("How full the spool is: records that wait to be stored."),
    metrics.BUFFER: gettext_lazy("How full a process's buffer of numbers is."),
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A gauge in the list. ``row`` is ``None`` when it was not read for a day.

    ``most`` is written where several processes read at once; ``error`` is what its last reading ended with.
    """

    name: str
    label: str
    about: str
    row: GaugeRow | None
    unit: Unit
    now: str
    most: str
    low: str
    high: str
    read_at: datetime | None
    stale: bool = False
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class GaugesPage:
    """What the template shows: those that the project declares, and ours. ``hidden`` ones did not fit."""

    declared: list[Shown]
    ours: list[Shown]
    hidden: int
    #: Whether the project declares any, read or not.
    any_declared: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One of the series of a gauge, in words."""

    label: str
    chosen: bool
    mean: str
    low: str
    high: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """An open failure of a gauge."""

    pk: int
    title: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class GaugePage:
    """What the template of a gauge shows. ``label`` is ``None`` for all of its series together."""

    chosen: windows.Chosen
    name: str
    label: str | None
    about: str
    spec: GaugeSpec | None
    unit: Unit
    detail: GaugeDetail
    chart: Chart
    #: The latest, where there is one: not of several labels.
    now: str
    mean: str
    low: str
    high: str
    limit: str
    #: Of the limit, by the highest.
    used: float | None
    parts: list[Part]
    hidden: int
    reading: JobRun | None
    failures: list[Trouble]


def page() -> GaugesPage:
    """Return the gauges at a glance: what is declared, and what was read in the last day."""
    specs = {spec.name: spec for spec in registry.gauges()}
    runs = {run.name: run for run in last_readings()}
    rows = gauges.overview()
    unread = specs.keys() - {row.name for row in rows}
    shown = [_shown(row.name, row, specs, runs) for row in rows]
    shown += [_shown(name, None, specs, runs) for name in unread]
    declared = sorted(
        (one for one in shown if one.name not in metrics.UNITS), key=lambda one: (one.name, one.label)
    )
    order = list(metrics.UNITS)
    ours = sorted((one for one in shown if one.name in metrics.UNITS), key=lambda one: order.index(one.name))
    return GaugesPage(
        declared=declared[:PER_PAGE],
        ours=ours,
        hidden=max(len(declared) - PER_PAGE, 0),
        any_declared=bool(specs),
    )


def gauge_page(given: Mapping[str, str]) -> GaugePage | None:
    """Return the page of the gauge that ``?name=`` names, of one ``label`` or of all.

    ``None`` when no gauge has the name, or none of its readings the label.
    """
    chosen = windows.choose(given)
    name = given.get("name", "")[:100].replace("\x00", "")
    label = given["label"][:300].replace("\x00", "") if "label" in given else None
    spec = next((spec for spec in registry.gauges() if spec.name == name), None)
    expected = label is None and (spec is not None or name in metrics.UNITS)
    if not expected and not gauges.is_known(name, label):
        return None
    detail = gauges.detail(name, label, chosen.window, every=spec.every if spec is not None else 0.0)
    unit = units.of(detail.unit or (spec.unit if spec is not None else ""))
    reading = next((run for run in last_readings() if run.name == name), None)
    limit = spec.limit if spec is not None else None
    most = detail.whole.maximum
    latest = next((row.last.mean for row in gauges.overview(name) if row.label == (label or "")), None)
    return GaugePage(
        chosen=chosen,
        name=name,
        label=label,
        about=_about(name, spec),
        spec=spec,
        unit=unit,
        detail=detail,
        chart=_chart(detail, unit, limit),
        now=unit.written(latest) if latest is not None else "",
        mean=unit.written(detail.whole.mean),
        low=unit.written(detail.whole.minimum),
        high=unit.written(most),
        limit=unit.written(limit) if limit is not None else "",
        used=most / limit if limit and most is not None and limit > 0 else None,
        parts=_parts(detail, unit),
        hidden=max(len(detail.series) - SERIES_PER_PAGE, 0),
        reading=reading if spec is not None else None,
        failures=[
            Trouble(pk=failure.pk, title=words.title(failure), at=failure.last_seen)
            for failure in detail.failures
        ],
    )


def _shown(
    name: str,
    row: GaugeRow | None,
    specs: Mapping[str, GaugeSpec],
    runs: Mapping[str, JobRun],
) -> Shown:
    spec, run = specs.get(name), runs.get(name) if name in specs else None
    unit = units.of(row.unit if row is not None else spec.unit if spec is not None else "")
    last, day = (row.last, row.day) if row is not None else (Total(), Total())
    read_at = _latest(row.read_at if row is not None else None, run.succeeded_at if run is not None else None)
    several = name in metrics.UNITS and last.maximum != last.minimum
    return Shown(
        name=name,
        label=row.label if row is not None else "",
        about=_about(name, spec),
        row=row,
        unit=unit,
        now=unit.written(last.mean),
        most=unit.written(last.maximum) if several else "",
        low=unit.written(day.minimum),
        high=unit.written(day.maximum),
        read_at=read_at,
        stale=_is_stale(read_at, spec),
        error=run.error if run is not None else "",
    )


def _about(name: str, spec: GaugeSpec | None) -> str:
    return str(spec.description) if spec is not None else str(_OURS.get(name, ""))


def _latest(minute: datetime | None, exactly: datetime | None) -> datetime | None:
    """Return when a gauge was read last: rows know the minute, and older ones the hour alone."""
    return max((at for at in (minute, exactly) if at is not None), default=None)


def _is_stale(read_at: datetime | None, spec: GaugeSpec | None) -> bool:
    allowed = QUIET_AFTER if spec is None else max(timedelta(seconds=LATE * spec.every), QUIET_AFTER)
    return read_at is not None and clock.now() - read_at > allowed


def _scaled(values: Iterable[float | None], unit: Unit) -> list[float | None]:
    return [value * unit.factor if value is not None else None for value in values]


def _chart(detail: GaugeDetail, unit: Unit, limit: float | None) -> Chart:
    points = detail.points
    # Where nothing lies between the lowest and the highest, one line says it all.
    spread = any(point.minimum != point.maximum for point in points)
    means = _scaled((point.mean for point in points), unit)
    lines = [Line(label=_("mean") if spread else _("value"), values=means)]
    if spread:
        lines += [
            Line(
                label=_("highest"), values=_scaled((point.maximum for point in points), unit), colour="quiet"
            ),
            Line(
                label=_("lowest"), values=_scaled((point.minimum for point in points), unit), colour="quiet"
            ),
        ]
    if limit is not None and detail.whole.count:
        values = [limit * unit.factor] * len(points)
        lines.append(Line(label=_("limit"), values=values, colour="error", dashed=True))
    return Chart(
        key="qaprod-gauge",
        title=unit.titled(_("Readings")),
        starts=[point.start for point in points],
        lines=lines,
        marks=charts.marks(detail.deploys),
        unit=unit.kind,
        counted=False,
        band=(1, 2) if spread else None,
    )


def _parts(detail: GaugeDetail, unit: Unit) -> list[Part]:
    if [row.label for row in detail.series] in ([], [""]):
        return []
    return [_part(row, unit, chosen=row.label == detail.label) for row in detail.series[:SERIES_PER_PAGE]]


def _part(row: SeriesRow, unit: Unit, *, chosen: bool) -> Part:
    numbers = row.numbers
    return Part(
        label=row.label,
        chosen=chosen,
        mean=unit.written(numbers.mean),
        low=unit.written(numbers.minimum),
        high=unit.written(numbers.maximum),
        count=numbers.count,
    )
