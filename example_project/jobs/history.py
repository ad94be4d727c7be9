"""Weeks that never were: applications by the hour of nine weeks, so that rules know what is usual; and of the
last four what charts show: numbers, failures and deploys.

Everything is marked: releases and machines are called "generated", failures say so in their messages,
subjects in their keys, deploys in their notes. It goes the way of real records, through the database sink.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice
from typing import NamedTuple

from django.utils import timezone

from django_qaprod import histogram, metrics
from django_qaprod.conf import telemetry_alias
from django_qaprod.models import Deploy, Event
from django_qaprod.records import Cell, ChainLink, EventRecord, FailureRecord, NumbersRecord, Record, new_id
from django_qaprod.sinks.database import DatabaseSink
from django_qaprod.store import event_rollups, priority, rollups
from django_qaprod.typing import Batch, Entry

from .. import rhythm
from ..rhythm import BROWSERS, HOUR
from .qaprod import FORM, JobApplication, SchoolEmail

MARK = "generated"
NOTE = "Generated history: none of this happened."
WEEKS, WEEKS_OF_EVENTS = 4, 9
#: Applications that are started on a day, on average.
A_DAY = 80.0
RELEASES = ("2.0.0", "2.1.0", "2.2.0", "2.3.0")

_NOON = 12
_BATCH = 500
_ROUTES = (
    # route, method, status, requests for each application that is started, median of the seconds
    ("/", "GET", "200", 1.6, 0.012),
    ("vacancies/", "GET", "200", 2.9, 0.021),
    ("vacancies/<int:pk>/", "GET", "200", 2.4, 0.011),
    ("vacancies/<int:pk>/apply/", "POST", "302", 1.0, 0.009),
    ("schools/", "GET", "200", 0.8, 0.016),
    ("accounts/login/", "POST", "302", 0.6, 0.024),
    (FORM, "GET", "200", 2.5, 0.014),
    (FORM, "POST", "302", 2.3, 0.012),
    ("applications/<uuid:token>/submit/", "POST", "302", 0.7, 0.018),
    ("__unmatched__", "GET", "404", 0.4, 0.003),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Trouble:
    """An error that came on some day, stayed for some hours, and went."""

    kind: str
    error_type: str
    message: str
    name: str
    function: str
    route: str
    #: Days before now, and hours.
    ago: float
    hours: float
    #: How many in an hour.
    often: float
    served: bool


_TROUBLES = (
    _Trouble(
        kind="degraded",
        error_type="TimeoutError",
        message="timed out",
        name="profile prefill",
        function="profiles.fetch",
        route=FORM,
        ago=16.3,
        hours=5,
        often=9,
        served=True,
    ),
    _Trouble(
        kind="unhandled",
        error_type="KeyError",
        message="'years'",
        name="",
        function="forms.clean",
        route=FORM,
        ago=9.4,
        hours=2,
        often=14,
        served=False,
    ),
    _Trouble(
        kind="degraded",
        error_type="SMTPServerDisconnected",
        message="Connection unexpectedly closed",
        name="e-mail to the school",
        function="mail.send_application",
        route="applications/<uuid:token>/submit/",
        ago=23.2,
        hours=30,
        often=0.8,
        served=True,
    ),
    _Trouble(
        kind="degraded",
        error_type="SearchIndexError",
        message="Index schools-v3 is missing on all shards.",
        name="school search",
        function="views.schools",
        route="schools/",
        ago=4.6,
        hours=11,
        often=3,
        served=True,
    ),
)


class _Hour(NamedTuple):
    """An hour: how many came, and how many had come before, since the beginning of the history."""

    start: int
    visits: int
    before: int


def load_events() -> bool:
    """Store the applications of nine weeks, up to this hour; return whether they were not there yet.

    The worker rolls them up in its first minutes; until then rows are read.
    """
    if Event.objects.filter(subject__startswith=f"{MARK}-").exists():
        return False
    chance = random.Random(1911)
    _write(
        record
        for hour in _hours(WEEKS_OF_EVENTS)
        for number in range(hour.before + 1, hour.before + hour.visits + 1)
        for record in _application(chance, f"{MARK}-{number}", hour.start)
    )
    return True


def load() -> bool:
    """Store all of the history; return whether it was not there yet."""
    load_events()
    deploys = Deploy.objects.using(telemetry_alias()).filter(release__startswith=MARK)
    if deploys.filter(note=NOTE).exists():
        return False
    _write(_records(random.Random(2017)))
    deploys.update(note=NOTE)
    _roll_up()
    return True


def _write(records: Iterable[Record]) -> None:
    sink = DatabaseSink()
    # A segment's name is unique for ever; this one has no file.
    segment = f"{MARK}-{new_id()}"
    entries = (Entry(position=place, record=record) for place, record in enumerate(records, 1))
    for batch in batched(entries, _BATCH):
        sink.write(Batch(segment=segment, entries=batch))


def batched(entries: Iterable[Entry], size: int) -> Iterator[tuple[Entry, ...]]:
    """Yield tuples of up to ``size`` entries (``itertools.batched`` came with Python 3.12)."""
    rest = iter(entries)
    while batch := tuple(islice(rest, size)):
        yield batch


def _roll_up() -> None:
    """Do at once what the worker would do in its first minutes."""
    rollups.roll_up(seconds=60)
    while event_rollups.roll_up().hours:
        pass
    priority.refresh(since=timezone.now() - timedelta(weeks=WEEKS + 1))


def _end() -> int:
    return int(timezone.now().timestamp()) // HOUR * HOUR


def _hours(weeks: int) -> Iterator[_Hour]:
    """Yield the hours of so many weeks up to this one, the same ones whatever their number."""
    chance, before, end = random.Random(7), 0, _end()
    for start in range(end - WEEKS_OF_EVENTS * 7 * 24 * HOUR, end, HOUR):
        visits = rhythm.poisson(chance, A_DAY / 24 * rhythm.share(rhythm.local(start)))
        if start >= end - weeks * 7 * 24 * HOUR:
            yield _Hour(start, visits, before)
        before += visits


def _records(chance: random.Random) -> Iterator[Record]:
    end = _end()
    for start, visits, before in _hours(WEEKS):
        yield _numbers(chance, start, visits)
        yield _gauges(chance, start, visits, end)
        for trouble in _TROUBLES:
            yield from _failures(chance, trouble, start, end, before + visits)


def _release(at: float, end: float) -> str:
    """Return the release that was live: a new one each week."""
    week = WEEKS - 1 - int((end - at) / (7 * 24 * HOUR))
    return f"{MARK}-{RELEASES[min(max(week, 0), len(RELEASES) - 1)]}"


def _application(chance: random.Random, subject: str, start: int) -> Iterator[EventRecord]:
    """Yield the events of one application: most get to the end, teachers more often than others."""
    form_type = "teacher" if chance.random() < 0.62 else "support"
    browser = rhythm.browser(chance)
    on = 0.94 if form_type == "teacher" else 0.90
    at = start + chance.random() * HOUR
    end = timezone.now().timestamp()

    def event(step: str, journey: str = JobApplication.spec.name) -> EventRecord:
        return EventRecord(
            id=new_id(at),
            at=at,
            journey=journey,
            step=step,
            subject=subject,
            variant=form_type,
            browser=browser,
            release=_release(at, end),
            properties={"form_type": form_type},
        )

    yield event("started")
    for _ in range(3):
        at += chance.lognormvariate(5.2, 0.7)
        if chance.random() > on or at >= end:
            return
        yield event("updated")
    at += chance.lognormvariate(4.2, 0.8)
    if chance.random() < on and at < end:
        yield event("submitted")
        at += chance.lognormvariate(0, 0.5)
        yield event("sent", SchoolEmail.spec.name)


def _numbers(chance: random.Random, start: int, visits: int) -> NumbersRecord:
    cells = [cell for route in _ROUTES for cell in _cells(chance, route, start, visits)]
    end = timezone.now().timestamp()
    return NumbersRecord(id=new_id(start), at=start, cells=tuple(cells), release=_release(start, end))


def _cells(
    chance: random.Random, row: tuple[str, str, str, float, float], start: int, visits: int
) -> Iterator[Cell]:
    route, method, status, share, median = row
    count = round(visits * share * chance.uniform(0.8, 1.2))
    if not count:
        return
    outcome = "client_error" if status == "404" else "ok"
    values = [chance.lognormvariate(math.log(median), 0.5) for _ in range(count)]
    yield _duration(route, method, status, outcome, start, values)
    if start // HOUR % 24 != _NOON:
        return
    for browser, percent in BROWSERS:
        # One row for the whole day.
        seen = round(count * 14 * percent / 100)
        if seen:
            yield Cell(
                name="qaprod.requests.browser",
                label=route,
                attributes=(("browser", browser), ("http.route", route), ("qaprod.outcome", outcome)),
                start=start,
                count=seen,
            )


def _gauges(chance: random.Random, start: int, visits: int, end: int) -> NumbersRecord:
    """Return what gauges would have read: every ten minutes in the last two days, every hour before."""
    step = HOUR if start < end - 48 * HOUR else 600
    cells = [cell for at in range(start, start + HOUR, step) for cell in _readings(chance, at, visits, end)]
    return NumbersRecord(id=new_id(start), at=start, cells=tuple(cells), release=_release(start, end))


def _readings(chance: random.Random, at: int, visits: int, end: int) -> Iterator[Cell]:
    # While no e-mail leaves, what was submitted waits.
    outage = next(trouble for trouble in _TROUBLES if trouble.name == "e-mail to the school")
    since = at - (end - outage.ago * 24 * HOUR)
    waiting = round(since / HOUR * 1.4) if 0 <= since < outage.hours * HOUR else 0
    yield _reading("applications.unsent", at, [float(waiting + (chance.random() < 0.05))], "{application}")
    for form_type, share in (("teacher", 0.6), ("support", 0.4)):
        number = float(round((220 - (end - at) / (24 * HOUR) * 4) * share + chance.gauss(visits / 4, 1)))
        yield _reading("applications.unfinished", at, [number], "{application}", label=form_type)
    # Each release takes some more, until it is replaced.
    age = (end - at) % (7 * 24 * HOUR) / (7 * 24 * HOUR)
    memory = [(142 - 30 * age + chance.gauss(0, 2) + visits / 3) * 2**20 for _ in range(2)]
    cpu = [min(max(visits * chance.uniform(0.01, 0.03), 0.004), 1.0) for _ in range(2)]
    yield _reading(metrics.MEMORY, at, memory, "By", host=True)
    yield _reading(metrics.CPU, at, cpu, "1", host=True)


def _reading(
    name: str, at: int, values: list[float], unit: str, *, label: str = "", host: bool = False
) -> Cell:
    attributes: tuple[tuple[str, str], ...] = (("label", label),) if label else ()
    if host:
        attributes = (("host.name", MARK), ("qaprod.role", "gunicorn"))
    return Cell(
        name=name,
        label=" ".join(value for _, value in attributes),
        attributes=attributes,
        start=at,
        count=len(values),
        total=sum(values),
        minimum=min(values),
        maximum=max(values),
        gauge=True,
        unit=unit,
    )


def _duration(route: str, method: str, status: str, outcome: str, start: int, values: list[float]) -> Cell:
    return Cell(
        name="http.server.request.duration",
        label=route,
        attributes=(
            ("http.request.method", method),
            ("http.route", route),
            ("http.response.status_code", status),
            ("qaprod.outcome", outcome),
        ),
        start=start,
        count=len(values),
        total=sum(values),
        minimum=min(values),
        maximum=max(values),
        histogram=histogram.encode(histogram.of(values)),
    )


def _failures(
    chance: random.Random, trouble: _Trouble, start: int, end: int, latest: int
) -> Iterator[Record]:
    begin = end - trouble.ago * 24 * HOUR
    if not begin <= start < begin + trouble.hours * HOUR:
        return
    count = max(round(chance.gauss(trouble.often, trouble.often / 3)), 0)
    for _ in range(count):
        yield _failure(chance, trouble, start + chance.random() * HOUR, end, latest)
    if count:
        method, status, outcome = (
            ("GET", "200", "degraded") if trouble.served else ("POST", "500", "server_error")
        )
        values = [chance.lognormvariate(math.log(1.0 if trouble.served else 0.02), 0.2) for _ in range(count)]
        cell = _duration(trouble.route, method, status, outcome, start, values)
        yield NumbersRecord(id=new_id(start), at=start, cells=(cell,), release=_release(start, end))


def _failure(chance: random.Random, trouble: _Trouble, at: float, end: int, latest: int) -> FailureRecord:
    search = trouble.name == "school search"
    return FailureRecord(
        id=new_id(at),
        at=at,
        kind=trouble.kind,  # type: ignore[arg-type]
        severity="error",
        fingerprint=f"{MARK}:{trouble.error_type}",
        error_type=trouble.error_type,
        message=f"{trouble.message} ({MARK})",
        chain=(ChainLink(error_type=trouble.error_type, message=trouble.message, notes=(NOTE,)),),
        culprit=f"example_project.jobs.{trouble.function}",
        name=f"{trouble.name} ({MARK})" if trouble.name else "",
        served=trouble.served,
        journey="" if search else JobApplication.spec.name,
        subject="" if search else f"{MARK}-{max(latest - chance.randrange(12), 1)}",
        route=trouble.route,
        method="GET" if trouble.served else "POST",
        request_id=f"{chance.getrandbits(128):032x}",
        browser=chance.choice(BROWSERS)[0],
        release=_release(at, end),
        host=MARK,
        extra={MARK: True},
    )
