"""Asks for the admin's pages and tells what each takes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from functools import partial
from statistics import median
from time import perf_counter
from typing import Any

from django.contrib.auth import get_user_model
from django.db import connections
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from django_qaprod import clock, conf
from django_qaprod.models import Alert, Failure

from .history import JOURNEY

REPEATS = 5
#: As many as the list has on a page: that many fire, and that many are over.
ALERTS = 50


def measured() -> Iterator[dict[str, Any]]:
    """Yield what each page takes: its queries, the rows read where the database tells, and milliseconds."""
    client = Client()
    user, _ = get_user_model().objects.get_or_create(
        username="bench", defaults={"is_staff": True, "is_superuser": True}
    )
    client.force_login(user)
    Alert.objects.bulk_create(_alerts())
    for name, url in _pages().items():
        _get(client, url)
        times = [_get(client, url) for _ in range(REPEATS)]
        before = rows_read()
        queries = queries_of(partial(_get, client, url))
        after = rows_read()
        rows = None if before is None or after is None else after - before
        yield {"page": name, "queries": queries, "rows": rows, "milliseconds": median(times) * 1000}
    Alert.objects.all().delete()


def _alerts() -> Iterator[Alert]:
    """Yield alerts of a journey that began at different times; those that are over lasted for an hour."""
    now = clock.now()
    for number in range(ALERTS):
        for state, began in (("firing", timedelta(minutes=number)), ("resolved", timedelta(days=number + 1))):
            yield Alert(
                rule="benchmark",
                key=str(number),
                kind="threshold",
                severity="error",
                journey=JOURNEY,
                state=state,
                began_at=now - began,
                wrong_at=now - began,
                fired_at=now - began,
                resolved_at=now - began + timedelta(hours=1) if state == "resolved" else None,
            )


def _pages() -> dict[str, str]:
    failures = reverse("admin:qaprod_failure_changelist")
    worst = Failure.objects.order_by("-priority").first()
    assert worst is not None
    journeys = reverse("admin:qaprod_journeypage_changelist")
    requests = reverse("admin:qaprod_requestpage_changelist")
    return {
        "failures": failures,
        "failures, page 10": f"{failures}?p=10",
        "failures, by journey": f"{failures}?journey={JOURNEY}",
        "failures, a word": f"{failures}?q=number+77",
        "a failure, 24 hours": reverse("admin:qaprod_failure_change", args=(worst.pk,)),
        "a failure, 28 days": reverse("admin:qaprod_failure_change", args=(worst.pk,)) + "?window=28d",
        "journeys, 24 hours": f"{journeys}?window=24h",
        "journeys, 7 days": f"{journeys}?window=7d",
        "journeys, 28 days": f"{journeys}?window=28d",
        "requests, 24 hours": f"{requests}?window=24h",
        "requests, 28 days": f"{requests}?window=28d",
        "events": reverse("admin:qaprod_event_changelist"),
        "alerts": reverse("admin:qaprod_alert_changelist"),
        "alerts that are over": reverse("admin:qaprod_alert_changelist") + "?state=resolved",
    }


def _get(client: Client, url: str) -> float:
    began = perf_counter()
    response = client.get(url)
    seconds = perf_counter() - began
    if response.status_code != 200:
        raise RuntimeError(f"{url} answered {response.status_code}")
    return seconds


def queries_of(work: Callable[[], object]) -> int:
    """Return how many queries something takes."""
    with ExitStack() as stack:
        captured = [
            stack.enter_context(CaptureQueriesContext(connections[alias]))
            for alias in {conf.events_alias(), conf.telemetry_alias()}
        ]
        work()
        return sum(len(found) for found in captured)


def rows_read() -> int | None:
    """Return the rows and index entries read so far; only PostgreSQL keeps count."""
    connection = connections[conf.telemetry_alias()]
    if connection.vendor != "postgresql":
        return None
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_force_next_flush()")
        cursor.execute("SELECT pg_stat_clear_snapshot()")
        cursor.execute(
            "SELECT (SELECT sum(seq_tup_read) FROM pg_stat_user_tables)"
            " + (SELECT sum(idx_tup_read) FROM pg_stat_user_indexes)"
        )
        return int(cursor.fetchone()[0])
