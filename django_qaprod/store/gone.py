"""Machines that are gone: a container's name is new at every deploy, and its series would be there for years.

When a gauge of machines has many series, those of machines that have been silent for a week become one, under
the label ``OVERFLOW``: their readings stay, no longer told apart.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from time import monotonic

from django.db import transaction
from django.db.models import Count, Exists, OuterRef

from .. import metrics
from ..clock import now
from ..conf import telemetry_alias
from ..models import Bucket, Series
from . import numbers

#: Series of one gauge that are left alone.
FEW = 200
SILENT_FOR = timedelta(days=7)

_ROWS = 500


def fold(*, deadline: float, using: str | None = None) -> int:
    """Give the readings of machines that are gone to one series; return how many series have none left."""
    alias = using or telemetry_alias()
    folded = 0
    for series in _gone(alias):
        if not _move(series, deadline, using=alias):
            break
        folded += 1
    return folded


def _gone(using: str) -> Iterator[Series]:
    series = Series.objects.using(using)
    ours = series.filter(name__in=list(metrics.UNITS)).order_by().values("name")
    many = ours.annotate(n=Count("pk")).filter(n__gt=FEW).values_list("name", flat=True)
    # By all resolutions and both values of ``rolled``, so that the index answers.
    lately = Bucket.objects.using(using).filter(
        series=OuterRef("pk"),
        resolution__in=Bucket.Resolution.values,
        rolled__in=(False, True),
        start__gte=now() - SILENT_FOR,
    )
    for name in list(many):
        found = series.filter(~Exists(lately), name=name).exclude(label=numbers.OVERFLOW)
        yield from found.order_by("pk")[: numbers.CHUNK]


def _move(series: Series, deadline: float, *, using: str) -> bool:
    """Move the rows of a series, some at a time; return whether all are moved."""
    rows = Bucket.objects.using(using).filter(series=series)
    while found := list(rows.order_by().values_list("pk", flat=True)[:_ROWS]):
        if monotonic() > deadline:
            return False
        with transaction.atomic(using=using):
            rows.filter(pk__in=found).update(series=numbers.overflow(series, using=using))
    return True
