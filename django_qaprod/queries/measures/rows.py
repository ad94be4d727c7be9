"""What is counted from rows: steps of journeys, breaches."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Count, F, Func, IntegerField, Min, QuerySet, Value
from django.db.models.expressions import Combinable
from django.db.models.fields.json import KeyTextTransform
from django.db.models.sql.compiler import SQLCompiler

from ... import clock, registry
from ...exceptions import DeclarationError, UnknownStepError
from ...models import Breach, Bucket, Event, Series
from ...specs import Measure
from ...store import event_rollups
from .. import buckets
from ..window import DAY, HOUR, HOURS_KEPT
from .base import Counts, Hours, Lookups, capped, few_runs, row, size

#: Seconds beyond which the whole hours of a stretch are taken from the roll-ups.
_ROLLED_UP_FROM = 3 * HOUR
_ROLLED_UP_BY = ("", "variant", "browser")


class StepOf(Func):
    """In which step of a stretch a time is, from 0 on. SQLite has text for times: it counts whole seconds."""

    output_field = IntegerField()

    def __init__(self, at: str, start: datetime, step: float) -> None:
        super().__init__(F(at), Value(start), Value(step))

    def as_postgresql(
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **extra_context: Any
    ) -> tuple[str, tuple[Any, ...]]:
        """Return the seconds between, divided."""
        return self._filled(compiler, "CAST(FLOOR(EXTRACT(EPOCH FROM ({0} - {1})) / {2}) AS INTEGER)")

    def as_sqlite(
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **extra_context: Any
    ) -> tuple[str, tuple[Any, ...]]:
        """Return the whole seconds between, divided."""
        return self._filled(compiler, "CAST((strftime('%%s', {0}) - strftime('%%s', {1})) / {2} AS INTEGER)")

    def _filled(self, compiler: SQLCompiler, template: str) -> tuple[str, tuple[Any, ...]]:
        parts = [compiler.compile(expression) for expression in self.get_source_expressions()]
        return template.format(*(sql for sql, _ in parts)), tuple(
            one for _, values in parts for one in values
        )


class Rows:
    """Rows, each of which has happened once, at a time."""

    at = ""
    by: frozenset[str] = frozenset()

    def __init__(self, measure: Measure, lookups: Lookups) -> None:
        self.measure, self.lookups = measure, lookups

    def rows(self) -> QuerySet[Any]:
        """Return all rows of the measure."""
        raise NotImplementedError

    def key(self, by: str) -> str | Combinable:
        """Return the column, or the expression, by which rows are told apart."""
        if by not in self.by:
            known = ", ".join(sorted(self.by))
            raise DeclarationError(f"{self.measure.kind.title()} are told apart by {known}, not {by!r}.")
        return by

    def counts(self, start: float, end: float, *, step: float, by: str) -> Counts:
        """Return how often it happened, exactly. One query."""
        found: Counts = {} if by else {"": [0.0] * size(start, end, step)}
        self._add(found, start, end, step=step, by=by, steps=size(start, end, step))
        return capped(found)

    def hours(self, starts: Sequence[int], *, by: str) -> Hours:
        """Return how often it happened in hours. A query for each stretch of them."""
        found: Hours = {} if by else {"": {}}
        wanted = set(starts)
        for start, end in few_runs(starts):
            counted: Counts = {}
            self._add(counted, start, end, step=HOUR, by=by, steps=size(start, end, HOUR))
            for key, counts in capped(counted).items():
                hours = found.setdefault(key, {})
                hours.update(
                    (start + place * HOUR, count)
                    for place, count in enumerate(counts)
                    if count and start + place * HOUR in wanted
                )
        return found

    def last(self, since: float) -> float | None:
        """Return when it happened last. One query."""
        return self._first(self._between(since).order_by(f"-{self.at}"))

    def first(self) -> float | None:
        """Return when it happened first. One query."""
        return self._first(self.rows().order_by(self.at))

    def grain(self, at: float) -> int:
        """Return 1: rows have times."""
        return 1

    def _between(self, start: float, end: float | None = None) -> QuerySet[Any]:
        found = self.rows().filter(**{f"{self.at}__gte": clock.moment(start)})
        return found if end is None else found.filter(**{f"{self.at}__lt": clock.moment(end)})

    def _first(self, rows: QuerySet[Any]) -> float | None:
        found = rows.values_list(self.at, flat=True).first()
        return None if found is None else clock.epoch(found)

    def _add(
        self,
        found: Counts,
        start: float,
        end: float,
        *,
        step: float,
        by: str,
        steps: int,
        before: int = 0,
    ) -> None:
        """Add the rows of a stretch to counts of so many ``steps``, of which some are ``before`` it."""
        of = self.key(by) if by else Value("")
        columns: dict[str, Any] = {"of": F(of) if isinstance(of, str) else of}
        if step:
            columns["place"] = StepOf(self.at, clock.moment(start), step)
        rows = self._between(start, end).order_by().values(**columns).annotate(times=Count("pk"))
        for one in rows:
            place = min(before + one.get("place", 0), steps - 1)
            key = "" if one["of"] is None else str(one["of"])
            row(found, key, steps)[place] += one["times"]


class Breaches(Rows):
    """Breaches, when they were found."""

    at = "found_at"
    by = frozenset({"expectation", "journey", "kind"})

    def rows(self) -> QuerySet[Breach]:
        """Return the breaches of the expectation, or all; ``where`` are columns."""
        found = Breach.objects.filter(**dict(self.measure.where))
        return found.filter(expectation=self.measure.name) if self.measure.name else found


class Steps(Rows):
    """The events of a step; closed hours from the roll-ups, where they can tell apart what is asked for."""

    at = "at"

    def rows(self) -> QuerySet[Event]:
        """Return the events of the step."""
        return Event.objects.filter(journey=self.measure.journey, step=self.measure.name)

    def key(self, by: str) -> str | Combinable:
        """Return a column, or the value of a property."""
        by = self._column(by)
        return by if by in {"variant", "browser", "release"} else KeyTextTransform(by, "properties")

    def counts(self, start: float, end: float, *, step: float, by: str) -> Counts:
        """Return how often it was taken. One query; five for a long stretch, whose hours are rolled up."""
        column = self._column(by)
        low, high = -int(-start // HOUR) * HOUR, int(end // HOUR) * HOUR
        fits = not step or (step % HOUR == 0 and start == low)
        if fits and column in _ROLLED_UP_BY and end - start > _ROLLED_UP_FROM:
            low, high = self._rolled_up(low, high)
            if low < high:
                return self._partly_rolled_up(start, end, low, high, step=step, by=column)
        return super().counts(start, end, step=step, by=by)

    def hours(self, starts: Sequence[int], *, by: str) -> Hours:
        """Return how often it was taken in hours: three queries, and one for each stretch not rolled up."""
        column = self._column(by)
        if column not in _ROLLED_UP_BY:
            return super().hours(starts, by=by)
        low, high = self._rolled_up(starts[0], starts[-1] + HOUR)
        covered = [start for start in starts if low <= start < high]
        rest = [start for start in starts if not low <= start < high]
        found: Hours = {} if by else {"": {}}
        if covered:
            wanted = set(covered)
            pieces = [buckets.Piece(HOUR, begin, end, unrolled=False) for begin, end in few_runs(covered)]
            for key, at, count in self._of_roll_ups(pieces, column):
                if at in wanted:
                    hours = found.setdefault(key, {})
                    hours[at] = hours.get(at, 0.0) + count
        if rest:
            for key, counted in super().hours(rest, by=by).items():
                found.setdefault(key, {}).update(counted)
        return found

    def first(self) -> float | None:
        """Return when it was taken first. Four queries that read few rows: the roll-ups say where."""
        covered = self._covered_until()
        rolled = Bucket.objects.filter(
            series__in=list(self._series("")), resolution__in=(HOUR, DAY), rolled__in=(False, True)
        )
        hour = rolled.aggregate(at=Min("start"))["at"]
        begin = covered if hour is None else clock.epoch(hour)
        found = self._first(self._between(begin).order_by(self.at))
        if hour is None or (found is not None and found < begin + DAY):
            return found
        # Its rows are gone, and the roll-ups know it still.
        return begin

    def _column(self, by: str) -> str:
        try:
            variant = registry.journey(self.measure.journey).variant
        except UnknownStepError:
            return by
        return "variant" if by and by == variant else by

    def _rolled_up(self, low: int, high: int) -> tuple[int, int]:
        """Return the part of some hours that is rolled up and kept."""
        kept = clock.epoch(clock.now()) - HOURS_KEPT.total_seconds()
        covered = self._covered_until()
        return max(low, -int(-kept // HOUR) * HOUR), min(high, covered - covered % HOUR)

    def _covered_until(self) -> int:
        journey = self.measure.journey
        return self.lookups.once(("covered", journey), lambda: event_rollups.covered_until(journey))

    def _partly_rolled_up(
        self, start: float, end: float, low: int, high: int, *, step: float, by: str
    ) -> Counts:
        steps = size(start, end, step)
        found: Counts = {} if by else {"": [0.0] * steps}
        resolution = DAY if not step and high - low > 2 * DAY else HOUR
        for key, at, count in self._of_roll_ups(buckets.cover(low, high, resolution, HOUR), by):
            place = int((at - start) // step) if step else 0
            row(found, key, steps)[place] += count
        for begin, until in ((start, low), (high, end)):
            if begin < until:
                before = int((begin - start) // step) if step else 0
                self._add(found, begin, until, step=step, by=by, steps=steps, before=before)
        return found

    def _series(self, by: str) -> dict[int, str]:
        journey = self.measure.journey
        series = Series.objects.filter(name=event_rollups.STEP, label=journey).values_list("pk", "attributes")
        return {
            pk: str(attributes.get(by, "")) if by else ""
            for pk, attributes in self.lookups.once(("steps", journey), lambda: list(series))
            if attributes.get("step") == self.measure.name
        }

    def _of_roll_ups(self, pieces: Any, by: str) -> list[tuple[str, int, int]]:
        keys = self._series(by)
        rows = buckets.added_up(keys.keys(), pieces, by={"one": F("series_id")}) if keys else ()
        return [(keys[int(row.key[0])], row.start, row.count) for row in rows]
