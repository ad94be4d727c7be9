"""How we are ourselves: who works, how far it is, what was dropped. For the doctor and the health page."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from django.db.models import Max, Q, QuerySet
from django.db.models.functions import Now

from .. import clock
from ..models import Bucket, Cursor, Failure, Lease
from ..models import Health as HealthRow
from ..models import JobRun as JobRunRow
from ..store import jobruns
from ..store.breaches import SEGMENT

#: Older than this, numbers should long have been rolled up, so that lists and charts are behind.
LATE_AFTER = timedelta(minutes=5)
#: How long a machine's troubles are news.
TROUBLES_SINCE = timedelta(days=1)

# How far journeys are rolled up, and expectations looked at.
_NO_SEGMENTS = Q(segment__startswith="events") | Q(segment__startswith=SEGMENT)
# What is given up there is missing in what pages show; what other sinks and logs give up is not.
_OF_NUMBERS = ("spool.", "numbers.", "sink.database", "journeys.subject")


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Who holds the worker's lease. ``alive`` by the database's clock; an expired one names the last."""

    name: str
    expires_at: datetime
    alive: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRun:
    """The last run of a job, or reading of a gauge; ``error`` is empty when it went well."""

    name: str
    started_at: datetime
    finished_at: datetime | None
    succeeded_at: datetime | None
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """What went wrong in a part of ours on a machine, added up for as long as the row is kept."""

    host: str
    part: str
    errors: int
    dropped: int
    last_error: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """The state of the installation at ``at``."""

    at: datetime
    worker: Holder | None
    jobs: tuple[JobRun, ...] = ()
    #: The last readings of declared gauges, those that are no longer declared, too.
    gauges: tuple[JobRun, ...] = ()
    troubles: tuple[Trouble, ...] = field(default=())
    #: When a drainer stored something for the last time.
    stored_at: datetime | None = None
    #: The minute of the last number, and the last failure.
    last_number: datetime | None = None
    last_failure: datetime | None = None
    #: The beginning of the oldest minute that waits to be rolled up.
    oldest_raw: datetime | None = None

    @property
    def dropped(self) -> int:
        """How many records were given up that the database should have, on all machines."""
        return sum(trouble.dropped for trouble in self.troubles if trouble.part.startswith(_OF_NUMBERS))

    @property
    def given_up(self) -> int:
        """How many records were given up in all, by sinks and logs, too."""
        return sum(trouble.dropped for trouble in self.troubles)

    @property
    def failing_jobs(self) -> tuple[JobRun, ...]:
        """The jobs whose last run ended with an error."""
        return tuple(job for job in self.jobs if job.error)

    @property
    def late(self) -> timedelta | None:
        """How far roll-ups are behind, ``None`` when they are not."""
        if self.oldest_raw is None or self.at - self.oldest_raw < LATE_AFTER:
            return None
        return self.at - self.oldest_raw


def health(*, troubles_since: timedelta = TROUBLES_SINCE) -> Health:
    """Return the state of the installation; six short queries."""
    at = clock.now()
    raw = Bucket.objects.filter(resolution=Bucket.Resolution.RAW, rolled=False)
    runs = _runs(JobRunRow.objects.all())
    return Health(
        at=at,
        worker=worker(),
        jobs=tuple(run for run in runs if not run.name.startswith(jobruns.GAUGE)),
        gauges=tuple(_named(run) for run in runs if run.name.startswith(jobruns.GAUGE)),
        troubles=troubles(at - troubles_since),
        stored_at=stored_at(),
        last_number=_last_number(),
        last_failure=Failure.objects.aggregate(at=Max("last_seen"))["at"],
        oldest_raw=raw.order_by("start").values_list("start", flat=True).first(),
    )


def stored_at() -> datetime | None:
    """Return when a drainer stored something for the last time. One query."""
    segments = Cursor.objects.exclude(_NO_SEGMENTS).order_by("-updated_at")
    return segments.values_list("updated_at", flat=True).first()


def worker() -> Holder | None:
    """Return who holds the worker's lease, ``None`` when nobody ever did or the last has let go of it."""
    found = Lease.objects.filter(name="worker").exclude(holder="").first()
    if found is None:
        return None
    alive = Lease.objects.filter(name="worker", expires_at__gt=Now()).exists()
    return Holder(name=found.holder, expires_at=found.expires_at, alive=alive)


def gauges() -> tuple[JobRun, ...]:
    """Return the last reading of each gauge that was ever declared, by name."""
    rows = JobRunRow.objects.filter(name__startswith=jobruns.GAUGE)
    return tuple(_named(run) for run in _runs(rows))


def _runs(rows: QuerySet[JobRunRow]) -> list[JobRun]:
    return [
        JobRun(
            name=row.name,
            started_at=row.started_at,
            finished_at=row.finished_at,
            succeeded_at=row.succeeded_at,
            error=row.error,
        )
        for row in rows.order_by("name")
    ]


def _named(run: JobRun) -> JobRun:
    """Return the reading of a gauge under the gauge's own name."""
    return replace(run, name=run.name.removeprefix(jobruns.GAUGE))


def troubles(since: datetime) -> tuple[Trouble, ...]:
    """Return what went wrong inside us since then, the latest first."""
    return tuple(
        Trouble(
            host=row.host,
            part=row.part,
            errors=row.errors,
            dropped=row.dropped,
            last_error=row.last_error,
            at=row.at,
        )
        for row in HealthRow.objects.filter(at__gte=since).order_by("-at", "host", "part")[:200]
    )


def _last_number() -> datetime | None:
    for resolution in (Bucket.Resolution.RAW, Bucket.Resolution.MINUTE, Bucket.Resolution.HOUR):
        newest = Bucket.objects.filter(resolution=resolution).order_by("-start")
        found = newest.values_list("start", flat=True).first()
        if found is not None:
            return found
    return None
