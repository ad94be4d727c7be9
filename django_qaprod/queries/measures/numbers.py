"""What is counted in series: requests, failures, gauges, and whatever else."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from functools import cached_property

from django.db.models import CharField, F, Max, Min, OuterRef, QuerySet, Subquery
from django.db.models.functions import Cast

from ... import clock
from ...exceptions import DeclarationError
from ...models import Bucket, Failure, Series
from ...registry import SEVERITIES
from ...specs import Measure
from ...store.numbers import FAILURES
from .. import buckets
from ..requests import BROWSER, DURATION
from ..window import HOUR, MINUTE
from .base import Counts, Grid, Hours, Lookups, Readings, Sums, capped, few_runs, grain_at, row

# Where rows are looked up one series at a time: the newest, and those that nothing coarser has, which with
# all days are everything there is.
_NEWEST = ((0, False), (MINUTE, False), (MINUTE, True), (HOUR, False), (HOUR, True))
_UNROLLED = ((0, False), (MINUTE, False), (HOUR, False), (HOUR * 24, False))


class Numbers:
    """Any series of a name, of a label, with attributes. Two queries each."""

    gauge = False

    def __init__(self, measure: Measure, lookups: Lookups) -> None:
        self.measure, self.lookups = measure, lookups

    @cached_property
    def wanted(self) -> dict[str, str]:
        """The attributes that a series must have."""
        return {key: value for key, value in self.measure.where if key != "label"}

    def series(self, since: float | None) -> QuerySet[Series]:
        """Return the series that may be meant; ``since`` leaves out what did not happen from then on."""
        found = Series.objects.filter(name=self.measure.name)
        label = dict(self.measure.where).get("label")
        return found if label is None else found.filter(label=label)

    def chosen(self, since: float | None) -> Hashable:
        """Return what ``series`` are chosen by: the same for measures that differ in attributes alone."""
        return self.measure.name, dict(self.measure.where).get("label")

    def attribute(self, by: str) -> str:
        """Return the attribute by which series are told apart."""
        return by

    def keys(self, since: float | None, by: str) -> dict[int, str]:
        """Return the series that are meant, each with the key that it counts for."""
        attribute, wanted = self.attribute(by) if by else "", self.wanted.items()
        series = self.series(since).values_list("pk", "label", "attributes")
        rows = self.lookups.once((type(self), self.chosen(since)), lambda: list(series))
        return {
            pk: label if attribute == "label" else str(attributes.get(attribute, "")) if attribute else ""
            for pk, label, attributes in rows
            if all(str(attributes.get(name)) == value for name, value in wanted)
        }

    def counts(self, start: float, end: float, *, step: float, by: str) -> Counts:
        """Return how often it was counted."""
        grid, keys = Grid(start, end, step), self.keys(start, by)
        found: Counts = {} if by else {"": [0.0] * grid.size}
        for key, one in self._sums(keys, grid.pieces(), starts=bool(step)):
            row(found, key, grid.size)[grid.place(one.start)] += one.count
        return capped(found)

    def hours(self, starts: Sequence[int], *, by: str) -> Hours:
        """Return how often it was counted in hours."""
        wanted, low, high = set(starts), starts[0], starts[-1] + HOUR
        pieces = [buckets.Piece(HOUR, begin, end, unrolled=False) for begin, end in few_runs(starts)]
        pieces += [buckets.Piece(finer, low, high, unrolled=True) for finer in (MINUTE, 0)]
        found: Hours = {} if by else {"": {}}
        for key, one in self._sums(self.keys(low, by), pieces, starts=True):
            hour = one.start - one.start % HOUR
            if hour in wanted:
                hours = found.setdefault(key, {})
                hours[hour] = hours.get(hour, 0.0) + one.count
        return found

    def readings(self, start: float, end: float, *, step: float, by: str) -> Readings:
        """Return the mean of the values in each step."""
        return {
            key: [total / count if count else None for count, total in known]
            for key, known in self.sums(start, end, step=step, by=by).items()
        }

    def sums(self, start: float, end: float, *, step: float, by: str) -> Sums:
        """Return in each step how many values there were, and what they add up to."""
        grid, keys = Grid(start, end, step), self.keys(start, by)
        found: Sums = {} if by else {"": [(0, 0.0)] * grid.size}
        for key, one in self._sums(keys, grid.pieces(), starts=bool(step)):
            if key not in found:
                found[key] = [(0, 0.0)] * grid.size
            known, place = found[key], grid.place(one.start)
            count, total = known[place]
            known[place] = (count + one.count, total + one.total)
        return found

    def last(self, since: float) -> float | None:
        """Return the beginning of the last minute in which it was counted."""
        found = self._edge(since, latest=True)
        return found if found is not None and found >= since - since % grain_at(since, _now()) else None

    def first(self) -> float | None:
        """Return the beginning of the first hour or day in which it was counted."""
        return self._edge(None, latest=False)

    def grain(self, at: float) -> int:
        """Return by how many seconds its numbers of that time are kept."""
        return grain_at(at, _now())

    def _edge(self, since: float | None, *, latest: bool) -> float | None:
        """Return the last or the first row: a look into the index for each series and resolution."""
        keys = list(self.keys(since, ""))
        if not keys:
            return None
        order, pick = ("-start", Max) if latest else ("start", Min)
        rows = Bucket.objects.filter(series=OuterRef("pk"))
        edges = {
            f"edge_{place}": Subquery(
                rows.filter(resolution=resolution, rolled__in=(rolled,)).order_by(order).values("start")[:1]
            )
            for place, (resolution, rolled) in enumerate(_NEWEST if latest else _UNROLLED)
        }
        picked = {name.replace("edge", "picked"): pick(name) for name in edges}
        found = Series.objects.filter(pk__in=keys).annotate(**edges).aggregate(**picked)
        known = [clock.epoch(at) for at in found.values() if at is not None]
        return (max(known) if latest else min(known)) if known else None

    def _sums(
        self, keys: Mapping[int, str], pieces: Sequence[buckets.Piece], *, starts: bool
    ) -> list[tuple[str, buckets.Sum]]:
        if not keys:
            return []
        together = starts and len(set(keys.values())) == 1
        by = {} if together else {"one": F("series_id")}
        one = next(iter(keys.values()))
        rows = buckets.added_up(keys.keys(), pieces, by=by, starts=starts)
        return [(one if together else keys[int(row.key[0])], row) for row in rows]


class Gauges(Numbers):
    """What is read of a gauge, by ``label`` or by an attribute."""

    def series(self, since: float | None) -> QuerySet[Series]:
        """Return the series of the gauge."""
        return super().series(since).filter(gauge=True)


class Requests(Numbers):
    """Requests of a route or all, by route, status, method, outcome or browser family."""

    attributes: Mapping[str, str] = {
        "route": "http.route",
        "status": "http.response.status_code",
        "method": "http.request.method",
        "outcome": "qaprod.outcome",
        "browser": "browser",
    }

    @cached_property
    def wanted(self) -> dict[str, str]:
        """The attributes that a series must have; an ``error`` is a server's."""
        where = {self.attribute(key): value for key, value in self.measure.where}
        outcome = self.attributes["outcome"]
        return {**where, outcome: "server_error"} if where.get(outcome) == "error" else where

    def attribute(self, by: str) -> str:
        """Return the attribute of that name."""
        try:
            return self.attributes[by]
        except KeyError:
            known = ", ".join(self.attributes)
            raise DeclarationError(f"Requests are told apart by {known}, not {by!r}.") from None

    def keys(self, since: float | None, by: str) -> dict[int, str]:
        """Return the series that are meant: those of browsers have no status and no method."""
        self._of_browsers = by == "browser" or "browser" in self.wanted
        return super().keys(since, by)

    def series(self, since: float | None) -> QuerySet[Series]:
        """Return the series of the route, or of all."""
        found = Series.objects.filter(name=BROWSER if self._of_browsers else DURATION)
        return found.filter(label=self.measure.name) if self.measure.name else found

    def chosen(self, since: float | None) -> Hashable:
        """Return the route, and whether it is by browsers."""
        return self.measure.name, self._of_browsers


class Failures(Numbers):
    """How often something failed that is not silenced, by what a failure is or by route or release."""

    columns = frozenset({"name", "kind", "severity", "journey", "error_type"})
    attributes = frozenset({"route", "release", "failure"})

    @cached_property
    def wanted(self) -> dict[str, str]:
        """Nothing: the conditions are the failures'."""
        return {}

    def failures(self, since: float | None) -> QuerySet[Failure]:
        """Return the failures that are meant."""
        where = dict(self.measure.where)
        given = {"journey": self.measure.journey, "name": self.measure.name, "kind": where.get("kind", "")}
        found = Failure.objects.exclude(state=Failure.State.SILENCED)
        found = found.filter(**{key: value for key, value in given.items() if value})
        if where.get("critical"):
            found = found.filter(critical=True)
        if severity := where.get("severity"):
            found = found.filter(severity__in=SEVERITIES[SEVERITIES.index(severity) :])
        # To the minute, as its numbers are.
        return found if since is None else found.filter(last_seen__gte=clock.moment(since - since % MINUTE))

    def series(self, since: float | None) -> QuerySet[Series]:
        """Return the series of the failures."""
        labels = self.failures(since).order_by().annotate(text=Cast("pk", CharField())).values("text")
        return Series.objects.filter(name=FAILURES, label__in=labels)

    def chosen(self, since: float | None) -> Hashable:
        """Return what the failures are, and since when they have happened."""
        return self.measure, since

    def attribute(self, by: str) -> str:
        """Return the attribute of that name, or the column of a failure."""
        if by not in self.attributes | self.columns:
            known = ", ".join(sorted(self.attributes | self.columns))
            raise DeclarationError(f"Failures are told apart by {known}, not {by!r}.")
        return by

    def keys(self, since: float | None, by: str) -> dict[int, str]:
        """Return the series of the failures. Two queries where they are told apart by what they are."""
        if by not in self.columns:
            return super().keys(since, by)
        values = {str(pk): value for pk, value in self.failures(since).values_list("pk", by)}
        return {pk: values.get(label, "") for pk, label in super().keys(since, "failure").items()}

    def last(self, since: float) -> float | None:
        """Return when it failed last, exactly. One query."""
        found = self.failures(since).order_by("-last_seen").values_list("last_seen", flat=True).first()
        return None if found is None or clock.epoch(found) < since else clock.epoch(found)

    def first(self) -> float | None:
        """Return when it failed first, exactly. One query."""
        found = self.failures(None).aggregate(at=Min("first_seen"))["at"]
        return None if found is None else clock.epoch(found)


def _now() -> float:
    return clock.epoch(clock.now())
