"""The worker's sight of the numbers: the present, read as cheaply as two hundred rules a pass allow."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Any, Final, TypeAlias, TypeVar

from django.utils.translation import gettext as _

from .. import clock, registry
from ..conf import in_test_run, settings
from ..models import Alert, Deploy
from ..queries import health, measures
from ..specs import Measure
from . import phrases

T = TypeVar("T")
#: From when to when.
Stretch: TypeAlias = tuple[float, float]
#: Hours by their beginning, each with how often it happened by key.
Known: TypeAlias = dict[int, dict[str, float]]

#: Seconds that numbers and events may be on their way: a process has them for five before it flushes, a
#: drainer passes every two and a half, and most transactions have ended by then.
SETTLE: Final = 15.0
#: Seconds between two looks after which something was down.
GAP: Final = 150.0
#: Seconds after such a gap in which drainers, which try again every half a minute, bring what they kept.
CATCH_UP: Final = 120.0
#: Seconds without anything stored after which it is late, and after which nothing more is waited for.
QUIET, QUIET_AT_MOST = 90.0, 900.0

_HOUR, _DAY = 3600, 86400
# Transactions commit late: the hour that goes on and the two before it are read anew.
_UNSETTLED = 2 * _HOUR
_MOST_HOURS = 100_000
_MOST_FIRSTS = 2_000
# The kinds of rules that ask for incidents.
_ASKS = frozenset({"dip", "trend"})


class Memory:
    """What a process keeps from look to look: hours that have passed, first times, the last gap.

    Hours are read anew once a day: events that come very late are seen by then.
    """

    def __init__(self) -> None:
        self.gap_ended: float | None = None
        self.gap = 0.0
        self.firsts: OrderedDict[Measure, float] = OrderedDict()
        self._hours: OrderedDict[tuple[Measure, str], tuple[float, Known]] = OrderedDict()

    def hours(self, measure: Measure, by: str, now: float) -> Known:
        """Return the hours that are known of a measure, to be added to."""
        read_at, found = self._hours.pop((measure, by), (now, {}))
        if not 0 <= now - read_at < _DAY:
            read_at, found = now, {}
        self._hours[measure, by] = (read_at, found)
        return found

    def trim(self) -> None:
        """Let go of what was not asked for the longest, where it is much."""
        held = sum(_size(hours) for _, hours in self._hours.values())
        while held > _MOST_HOURS and len(self._hours) > 1:
            _, (_, dropped) = self._hours.popitem(last=False)
            held -= _size(dropped)
        while len(self.firsts) > _MOST_FIRSTS:
            self.firsts.popitem(last=False)


_memory = Memory()


class LiveSight:
    """The present as rules see it, for one pass: what two rules ask for is read once.

    ``now`` is ``SETTLE`` before ``taken_at``. Answers are shared: they are not to be changed.
    """

    def __init__(
        self, *, previous: float | None = None, at: float | None = None, memory: Memory | None = None
    ) -> None:
        self.taken_at = clock.epoch(clock.now()) if at is None else at
        self.now = self.taken_at - SETTLE
        self.previous = previous
        # Of a test, nothing is kept for the next.
        self._memory = memory or (Memory() if in_test_run() else _memory)
        self._known: dict[Any, Any] = {}
        self._lookups = measures.Lookups()
        self._note_gap()

    def counts(
        self, measure: Measure, start: float, end: float, *, step: float = 0, by: str = ""
    ) -> dict[str, list[float]]:
        """Return how often it happened."""
        key = ("counts", measure, start, end, step, by)
        known = self._lookups
        return self._once(key, lambda: measures.counts(measure, start, end, step=step, by=by, lookups=known))

    def hours(self, measure: Measure, starts: list[int], *, by: str = "") -> dict[str, dict[int, float]]:
        """Return how often it happened in hours; those that have passed are read once."""
        return self._once(("hours", measure, tuple(starts), by), lambda: self._hours(measure, starts, by))

    def readings(
        self, measure: Measure, start: float, end: float, *, step: float, by: str = ""
    ) -> dict[str, list[float | None]]:
        """Return what was read."""
        key = ("readings", measure, start, end, step, by)
        known = self._lookups
        return self._once(
            key, lambda: measures.readings(measure, start, end, step=step, by=by, lookups=known)
        )

    def last(self, measure: Measure, since: float) -> float | None:
        """Return when it happened last."""
        return self._once(
            ("last", measure, since), lambda: measures.last(measure, since, lookups=self._lookups)
        )

    def first(self, measure: Measure) -> float | None:
        """Return when it was counted first; that does not change any more."""
        known = self._memory.firsts.get(measure)
        if known is None:
            known = self._once(("first", measure), lambda: measures.first(measure, lookups=self._lookups))
            if known is not None:
                self._memory.firsts[measure] = known
                self._memory.trim()
        return known

    def deploys(self, start: float, end: float) -> list[float]:
        """Return when releases went live; not when flags were changed."""
        rows = Deploy.objects.filter(flag=False, at__gte=clock.moment(start), at__lt=clock.moment(end))
        key = ("deploys", start, end)
        times = rows.order_by("at").values_list("at", flat=True)
        return self._once(key, lambda: [clock.epoch(at) for at in times])

    def incidents(self, rule: str, start: float, end: float) -> list[tuple[float, float]]:
        """Return the stretches in which the rule fired, but for those that people called useless."""
        asking = self._once(
            "asking", lambda: frozenset(spec.name for spec in registry.rules() if spec.kind in _ASKS)
        )
        # Of all of those at once, and of whoever else asks by itself.
        of = asking if rule in asking else frozenset({rule})
        key = ("incidents", of, start, end)
        return self._once(key, lambda: incidents(of, start, end, self.now)).get(rule, [])

    def incomplete(self) -> str:
        """Return why numbers may be missing, for rules that are wrong when something is; empty if none is.

        Known are a gap between the looks (the worker or the database was down: drainers bring what they kept
        within ``CATCH_UP``), and that nothing at all is stored, where every process tells how it is
        (``QAPROD["RESOURCE_GAUGES"]``); after ``QUIET_AT_MOST`` it is taken for missing. Not known is that a
        machine of several cannot reach the database: from there it looks as if it were taken away.
        """
        return self._once("incomplete", self._incomplete)

    def _incomplete(self) -> str:
        ended = self._memory.gap_ended
        if ended is not None and 0 <= self.taken_at - ended < CATCH_UP:
            gap = {"span": phrases.span(self._memory.gap)}
            return _("Nobody looked for %(span)s: what was recorded then is waited for.") % gap
        stored = health.stored_at() if settings().resource_gauges else None
        quiet = 0.0 if stored is None else self.taken_at - clock.epoch(stored)
        if QUIET <= quiet < QUIET_AT_MOST:
            since = {"span": phrases.span(quiet)}
            return _("Nothing was stored for %(span)s: what drainers keep is waited for.") % since
        return ""

    def _note_gap(self) -> None:
        if self.previous is not None and self.taken_at - self.previous > GAP:
            self._memory.gap_ended, self._memory.gap = self.taken_at, self.taken_at - self.previous

    def _hours(self, measure: Measure, starts: list[int], by: str) -> dict[str, dict[int, float]]:
        known = self._memory.hours(measure, by, self.taken_at)
        settled = int(self.taken_at // _HOUR) * _HOUR - _UNSETTLED
        fetched: Known = {start: {} for start in starts if start not in known}
        if fetched:
            for key, hours in measures.hours(measure, fetched, by=by, lookups=self._lookups).items():
                for start, count in hours.items():
                    fetched[start][key] = count
            known.update((start, of) for start, of in fetched.items() if start < settled)
            self._memory.trim()
        found: dict[str, dict[int, float]] = {} if by else {"": {}}
        for start in starts:
            for key, count in (known.get(start) or fetched.get(start) or {}).items():
                found.setdefault(key, {})[start] = count
        return found

    def _once(self, key: Any, read: Callable[[], T]) -> T:
        if key not in self._known:
            self._known[key] = read()
        found: T = self._known[key]
        return found


def incidents(rules: Iterable[str], start: float, end: float, now: float) -> dict[str, list[Stretch]]:
    """Return the stretches in which rules fired, those that people called useless left out. One query.

    One that still goes on ends ``now``.
    """
    fired = Alert.objects.filter(rule__in=list(rules), fired_at__lt=clock.moment(end)).exclude(useful=False)
    rows = fired.exclude(resolved_at__lt=clock.moment(start)).order_by("fired_at")
    found: dict[str, list[Stretch]] = {}
    for rule, begun, ended in rows.values_list("rule", "fired_at", "resolved_at"):
        if begun is not None:
            until = now if ended is None else clock.epoch(ended)
            found.setdefault(rule, []).append((clock.epoch(begun), until))
    return found


def _size(hours: Known) -> int:
    """Return how many numbers are kept in hours, an hour without any counted as one."""
    return sum(len(of) or 1 for of in hours.values())
