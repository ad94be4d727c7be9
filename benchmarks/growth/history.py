"""Makes a history: always the same traffic a day, for more and more days.

Events go in by one statement, everything else by ``bulk_create``. The events' newest days are rolled up by
the product itself; the days before are copies of one of those, as roll-ups of equal days would be.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from django.db import connections, models

from django_qaprod import conf, histogram, registry
from django_qaprod.models import (
    Affected,
    Bucket,
    Cursor,
    Deploy,
    Event,
    Failure,
    Occurrence,
    Series,
    Stack,
    Transition,
)
from django_qaprod.store import event_rollups
from django_qaprod.store.numbers import digest_of

#: As ``benchmarks.project.qaprod`` declares it: the pages show no other.
JOURNEY = "job_application"
EVENTS_A_DAY = 10_000
#: Days whose events the product rolls up itself.
LATEST_DAYS = 10
#: Days for which rows by the minute and by the hour are kept by default.
MINUTE_DAYS, HOUR_DAYS = 2, 60
#: One failure in so many is still happening.
LIVE_ONE_IN = 20

_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_BATCH = 5000

_EVENTS = {
    "postgresql": """
        INSERT INTO qaprod_event
            (id, at, journey, step, subject, variant, browser, request_id, release, properties)
        SELECT (lpad(to_hex(((%(newest)s - n * %(every)s) * 1000)::bigint), 12, '0') || '70008000'
                || lpad(to_hex(n), 12, '0'))::uuid,
            to_timestamp(%(newest)s - n * %(every)s), 'job_application',
            (ARRAY['submitted', 'updated', 'started'])[n %% 3 + 1], (n / 3)::text,
            (ARRAY['short', 'long'])[n / 3 %% 2 + 1],
            (ARRAY['Chrome', 'Safari', 'Firefox', 'Edge'])[n / 3 %% 4 + 1], '', '', '{}'
        FROM generate_series(%(begin)s::bigint, %(end)s::bigint - 1) AS n
    """,
    "sqlite": """
        WITH RECURSIVE numbers(n) AS (
            SELECT %(begin)s UNION ALL SELECT n + 1 FROM numbers WHERE n < %(end)s - 1
        )
        INSERT INTO qaprod_event
            (id, at, journey, step, subject, variant, browser, request_id, release, properties)
        SELECT printf('%%012x70008000%%012x', cast((%(newest)s - n * %(every)s) * 1000 AS integer), n),
            strftime('%%Y-%%m-%%d %%H:%%M:%%f', %(newest)s - n * %(every)s, 'unixepoch'), 'job_application',
            CASE n %% 3 WHEN 0 THEN 'submitted' WHEN 1 THEN 'updated' ELSE 'started' END, n / 3,
            CASE n / 3 %% 2 WHEN 0 THEN 'short' ELSE 'long' END,
            CASE n / 3 %% 4 WHEN 0 THEN 'Chrome' WHEN 1 THEN 'Safari' WHEN 2 THEN 'Firefox' ELSE 'Edge' END,
            '', '', '{}'
        FROM numbers
    """,
}


class History:
    """A history that ends when it was begun, and is made longer towards the past."""

    def __init__(self, *, failures: int, routes: int) -> None:
        self.failures = failures
        self._routes = [f"schools/{number}/<int:pk>/" for number in range(routes)]
        self._live = max(failures // LIVE_ONE_IN, 1)
        self.now = time.time()
        self.events = 0
        self._days = 0
        self._random = random.Random(1)

    def begin(self) -> None:
        """Make what there is whatever the length: failures, and the requests of the latest days."""
        assert JOURNEY in {declared.name for declared in registry.journeys()}
        self._add_failures()
        self._add_requests(0, MINUTE_DAYS, _MINUTE)
        self._add_requests(0, HOUR_DAYS, _HOUR)

    def grow(self, events: int) -> None:
        """Make the history as long as so many events are."""
        newest, every = self.now - 1, _DAY / EVENTS_A_DAY
        connection = connections[conf.events_alias()]
        with connection.cursor() as cursor:
            values = {"begin": self.events, "end": events, "newest": newest, "every": every}
            cursor.execute(_EVENTS[connection.vendor], values)
        self.events = events
        days = -(-events // EVENTS_A_DAY)
        if not self._days:
            self._roll_up(min(days, LATEST_DAYS))
            self._days = LATEST_DAYS
            self._add_requests(MINUTE_DAYS, LATEST_DAYS, _DAY)
        if days > self._days:
            self._copy_days(self._days, days)
            self._add_requests(self._days, days, _DAY)
            self._days = days
        self._analyze()

    def _roll_up(self, days: int) -> None:
        start = int((self.now - days * _DAY) // _DAY * _DAY)
        Cursor.objects.create(segment=f"events/{JOURNEY}", position=start, updated_at=_at(self.now))
        event_rollups.roll_up(seconds=3600)

    def _copy_days(self, begin: int, end: int) -> None:
        """Fill days ``begin`` to before ``end``, counted back from today, with copies of one."""
        day = int(self.now // _DAY - 2) * _DAY
        hours = Bucket.objects.filter(
            series__in=Series.objects.filter(name__in=event_rollups.DERIVED).values("pk"),
            resolution=_HOUR,
            start__gte=_at(day),
            start__lt=_at(day + _DAY),
        )
        rows = list(hours)
        sums: dict[int, Bucket] = {}
        for row in rows:
            known = sums.setdefault(row.series_id, Bucket(series_id=row.series_id, resolution=_DAY, count=0))
            known.count += row.count
            known.total += row.total
            known.histogram = histogram.encode(
                histogram.merge(
                    histogram.decode(bytes(known.histogram)), histogram.decode(bytes(row.histogram))
                )
            )
        for back in range(begin, end):
            move = timedelta(days=back - 2)
            copies = [_copy(known, _at(day) - move) for known in sums.values()]
            if back < HOUR_DAYS:
                copies += [_copy(row, row.start - move, rolled=True) for row in rows]
            Bucket.objects.bulk_create(copies)

    def _add_requests(self, begin: int, end: int, resolution: int) -> None:
        series = self._request_series()
        encoded = histogram.encode(histogram.of([self._random.lognormvariate(-3, 0.6) for _ in range(60)]))
        newest = int(self.now // resolution * resolution)
        # The latest hour is not rolled up into hours yet, nor today into a day.
        open_since = {_MINUTE: self.now // _HOUR * _HOUR, _HOUR: self.now // _DAY * _DAY}
        _create(
            Bucket(
                series_id=pk,
                resolution=resolution,
                start=_at(start),
                count=60,
                total=4.0,
                minimum=0.01,
                maximum=0.4,
                histogram=encoded if timed else b"",
                rolled=resolution in open_since and start < open_since[resolution],
            )
            for start in range(newest - begin * _DAY, newest - end * _DAY, -resolution)
            for pk, timed in series
        )

    def _request_series(self) -> list[tuple[int, bool]]:
        rows = [
            _series(
                "http.server.request.duration",
                route,
                {
                    "http.request.method": "GET",
                    "http.route": route,
                    "http.response.status_code": status,
                    "qaprod.outcome": outcome,
                },
            )
            for route in self._routes
            for status, outcome in (("200", "ok"), ("500", "server_error"))
        ] + [
            _series(
                "qaprod.requests.browser",
                route,
                {
                    "http.route": route,
                    "browser": "Chrome",
                    "qaprod.outcome": "ok",
                },
            )
            for route in self._routes
        ]
        Series.objects.bulk_create(rows, ignore_conflicts=True)
        found = Series.objects.filter(name__in={row.name for row in rows}).order_by("pk")
        return [(row.pk, row.name == "http.server.request.duration") for row in found]

    def _add_failures(self) -> None:
        _create(self._failures())
        pks = list(Failure.objects.order_by("pk").values_list("pk", flat=True))
        frames = json.dumps([[_frame(number) for number in range(20)]])
        Stack.objects.create(digest="0" * 32, frames=frames, last_used=_at(self.now))
        _create(self._occurrences(pks))
        _create(self._affected(pks))
        _create(
            Transition(failure_id=pk, at=_at(self.now - 5 * _DAY), who="ada", before="open", after="resolved")
            for pk in pks
        )
        _create(Deploy(release=f"2025.{number}", at=_at(self.now - number * _DAY)) for number in range(100))
        _create(_series("qaprod.failures", str(pk), {"failure": str(pk)}) for pk in pks)
        _create(self._failure_buckets(pks))

    def _failures(self) -> Iterator[Failure]:
        for number in range(self.failures):
            live = number < self._live
            last = self.now - (number * 7 if live else _DAY + number * 600)
            yield Failure(
                fingerprint=f"{number:032x}",
                kind=("unhandled", "degraded", "logged", "task")[number % 4],
                error_type=f"jobs.errors.Problem{number}Error",
                message=f"vacancy has problem number {number}",
                culprit="jobs.views.apply",
                journey=JOURNEY if number % 3 == 0 else "",
                route=self._routes[number % len(self._routes)],
                state="open" if live or number % 5 else "resolved",
                state_since=_at(last),
                count=200,
                people=20,
                subjects=20,
                first_seen=_at(last - 20 * _DAY),
                last_seen=_at(last),
                last_release=f"2025.{number % 100}",
                priority=1000 / (number + 1),
                priority_parts={},
            )

    def _occurrences(self, pks: list[int]) -> Iterator[Occurrence]:
        for number, pk in enumerate(pks):
            for at in range(50 if number < self._live else 5):
                yield Occurrence(
                    id=f"{number:016x}{at:016x}",
                    failure_id=pk,
                    at=_at(self.now - at * 3600 - number),
                    severity="error",
                    message=f"vacancy {at} has problem number {number}",
                    chain=[
                        {"error_type": "ProblemError", "message": "no school", "notes": [], "relation": ""}
                    ],
                    stack="0" * 32,
                    route=self._routes[number % len(self._routes)],
                    method="GET",
                    browser="Chrome",
                    release=f"2025.{at}",
                    rank=self._random.getrandbits(62),
                )

    def _affected(self, pks: list[int]) -> Iterator[Affected]:
        for number, pk in enumerate(pks):
            for at in range(20):
                yield Affected(
                    failure_id=pk,
                    who="subject",
                    journey=JOURNEY,
                    key=str(number * 20 % 30_000 + at),
                    at=_at(self.now - at * 3600),
                )

    def _failure_buckets(self, pks: list[int]) -> Iterator[Bucket]:
        series = dict(Series.objects.filter(name="qaprod.failures").values_list("label", "pk"))
        hour, day = int(self.now // _HOUR * _HOUR), int(self.now // _DAY * _DAY)
        for number, pk in enumerate(pks):
            found = series[str(pk)]
            if number < self._live:
                for back in range(24 * 14):
                    start = hour - back * _HOUR
                    yield Bucket(
                        series_id=found, resolution=_HOUR, start=_at(start), count=2, rolled=start < day
                    )
            for back in range(1, 30):
                yield Bucket(series_id=found, resolution=_DAY, start=_at(day - back * _DAY), count=3)

    def _analyze(self) -> None:
        for alias in {conf.events_alias(), conf.telemetry_alias()}:
            with connections[alias].cursor() as cursor:
                cursor.execute("ANALYZE")


def counts() -> dict[str, int]:
    """Return how many rows there are of what grows."""
    return {
        model._meta.model_name or "": model.objects.count() for model in (Event, Bucket, Failure, Occurrence)
    }


def _copy(row: Bucket, start: datetime, *, rolled: bool = False) -> Bucket:
    names = ("series_id", "resolution", "count", "total", "minimum", "maximum", "histogram")
    return Bucket(**{name: getattr(row, name) for name in names}, start=start, rolled=rolled)


def _create(rows: Iterator[models.Model]) -> None:
    batch: list[models.Model] = []
    for row in rows:
        batch.append(row)
        if len(batch) == _BATCH:
            type(row)._default_manager.bulk_create(batch)
            batch.clear()
    if batch:
        type(batch[0])._default_manager.bulk_create(batch)


def _series(name: str, label: str, attributes: dict[str, str]) -> Series:
    return Series(
        digest=digest_of(name, label, attributes.items()).hex(), name=name, label=label, attributes=attributes
    )


def _frame(number: int) -> dict[str, object]:
    return {
        "file": "jobs/views.py",
        "line": number,
        "function": "apply",
        "module": "jobs.views",
        "in_app": number % 2 == 0,
        "before": ["def apply(request):"],
        "code": "    raise ProblemError",
        "after": [],
    }


def _at(epoch: float) -> datetime:
    return datetime.fromtimestamp(epoch, UTC)
