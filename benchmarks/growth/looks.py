"""Looks at rules as the worker does, and tells what one look costs, by how many rules there are."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from itertools import cycle, islice
from statistics import median
from time import perf_counter
from typing import Any

from django.conf import settings
from django.test import override_settings

from django_qaprod import clock, registry
from django_qaprod.alerts import passes
from django_qaprod.alerts.sight import LiveSight, Memory
from django_qaprod.models import Alert, Event, Rule
from django_qaprod.specs import Measure, RuleSpec

from .history import JOURNEY
from .pages import queries_of, rows_read

HOW_MANY = (20, 200)
#: A look, thirty seconds later, is repeated so often.
_REPEATS = 5

_SUBMITTED = Measure("step", name="submitted", journey=JOURNEY)
_STARTED = Measure("step", name="started", journey=JOURNEY)
_WINDOWS = (300.0, 600.0, 900.0, 1800.0, 3600.0)


def measured() -> Iterator[dict[str, Any]]:
    """Yield what the first look takes, which reads the weeks before, and what one a little later does."""
    newest = Event.objects.filter(journey=JOURNEY).order_by("-at").values_list("at", flat=True)[0]
    at = clock.epoch(newest)
    alone = override_settings(QAPROD={**settings.QAPROD, "DEFAULT_RULES": False})
    for number in HOW_MANY:
        with alone, registry.isolated():
            registry._rules.clear()
            for spec in islice(_rules(), number):
                registry.register_rule(spec)
            yield from _looks(number, at)


def _looks(number: int, at: float) -> Iterator[dict[str, Any]]:
    memory, moments = Memory(), iter(at + 30 * turn for turn in range(1000))

    def look() -> float:
        sight = LiveSight(at=next(moments), memory=memory)
        began = perf_counter()
        found = passes.look(threading.Event(), sight=sight)
        spent = perf_counter() - began
        if found.failed or found.left:
            raise RuntimeError(f"Not every rule was judged: {found}")
        return spent

    first = look() * 1000
    yield {"page": f"{number} rules, the first look", "queries": 0, "rows": None, "milliseconds": first}
    times = [look() for _ in range(_REPEATS)]
    before = rows_read()
    queries = queries_of(look)
    after = rows_read()
    rows = None if before is None or after is None else after - before
    yield {
        "page": f"{number} rules, half a minute later",
        "queries": queries,
        "rows": rows,
        "milliseconds": median(times) * 1000,
    }
    Alert.objects.all().delete()
    Rule.objects.all().delete()


def _rules() -> Iterator[RuleSpec]:
    """Yield rules of all kinds that watch events and numbers, no two alike."""
    for turn, (kind, window) in enumerate(zip(cycle(_KINDS), cycle(_WINDOWS), strict=False)):
        made = _KINDS[kind](window + turn)
        yield made._replace(name=f"{kind} {turn}", numbers={**made.numbers, "keep_firing": 600.0, "for": 0.0})


def _rule(kind: str, of: Measure, *, per: Measure | None = None, by: str = "", **numbers: float) -> RuleSpec:
    return RuleSpec(name=kind, kind=kind, of=of, per=per, by=by, numbers=numbers)


_ERRORS = Measure("requests", where=(("outcome", "error"),))
_KINDS = {
    "threshold": lambda window: _rule("threshold", _SUBMITTED, at_least=1e6, window=window),
    "ratio": lambda window: _rule(
        "ratio", _SUBMITTED, per=_STARTED, below=0.01, window=window, min_count=20, by="variant"
    ),
    "absence": lambda window: _rule("absence", _SUBMITTED, window=window + 3600),
    "out_of_sync": lambda window: _rule(
        "out_of_sync", _SUBMITTED, per=_STARTED, within=600.0, at_least=0.1, min_count=1, window=window
    ),
    "dip": lambda window: _rule("dip", _SUBMITTED, once_in_days=365.0, weeks=8),
    "burn_rate": lambda window: _rule(
        "burn_rate", _ERRORS, per=Measure("requests"), objective=0.9, period=2_592_000.0, min_count=20
    ),
    "failures": lambda window: _rule(
        "threshold", Measure("failures", journey=JOURNEY), at_least=1e6, window=window
    ),
}
