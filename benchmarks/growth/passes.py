"""Makes the worker's pass over an expectation and tells what a minute of it takes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from statistics import median
from time import perf_counter
from typing import Any

from django_qaprod.models import Breach, Cursor, Event
from django_qaprod.specs import ExpectationSpec
from django_qaprod.store import breaches

from .history import JOURNEY
from .pages import REPEATS, queries_of, rows_read

_SPEC = ExpectationSpec(
    name="benchmark",
    when=(JOURNEY, "started"),
    then=(JOURNEY, "submitted"),
    due=lambda at: at + timedelta(minutes=30),
    least=timedelta(minutes=30),
)


def measured() -> Iterator[dict[str, Any]]:
    """Yield what the first pass takes, which goes back a day, and what one a minute later does."""
    last = Event.objects.filter(journey=JOURNEY).order_by("-at").values_list("at", flat=True)[0]
    began = perf_counter()
    breaches.look(_SPEC, now=last - timedelta(minutes=1), seconds=600)
    first = (perf_counter() - began) * 1000
    yield {"page": "an expectation, the first pass", "queries": 0, "rows": None, "milliseconds": first}
    cursors = list(Cursor.objects.filter(segment__startswith=breaches.SEGMENT))
    known = list(Breach.objects.values_list("pk", flat=True))

    def a_minute_later() -> float:
        Cursor.objects.bulk_update(cursors, ["position"])
        Breach.objects.exclude(pk__in=known).delete()
        began = perf_counter()
        breaches.look(_SPEC, now=last)
        return perf_counter() - began

    times = [a_minute_later() for _ in range(REPEATS)]
    before = rows_read()
    queries = queries_of(a_minute_later)
    after = rows_read()
    rows = None if before is None or after is None else after - before
    yield {
        "page": "an expectation, a minute later",
        "queries": queries,
        "rows": rows,
        "milliseconds": median(times) * 1000,
    }
    Breach.objects.all().delete()
    Cursor.objects.filter(segment__startswith=breaches.SEGMENT).delete()
