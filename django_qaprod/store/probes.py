"""Test records of the doctor: found again in the store, and removed."""

from __future__ import annotations

from django.db import transaction

from ..conf import telemetry_alias
from ..models import Failure, Series
from . import numbers

#: The series of the doctor's test numbers, and its label.
SERIES, LABEL = "qaprod.doctor", "test"


def arrived(mark: str) -> bool:
    """Return whether the test failure and the test number with that mark are both stored."""
    alias = telemetry_alias()
    failure = Failure.objects.using(alias).filter(fingerprint=mark, count__gt=0)
    number = Series.objects.using(alias).filter(name=SERIES, label=LABEL, buckets__isnull=False)
    return failure.exists() and number.exists()


def remove(mark: str) -> None:
    """Delete what the records with that mark have left. Nothing else can have the mark."""
    alias = telemetry_alias()
    with transaction.atomic(using=alias):
        failures = Failure.objects.using(alias).filter(fingerprint=mark)
        labels = [str(pk) for pk in failures.values_list("pk", flat=True)]
        Series.objects.using(alias).filter(name=numbers.FAILURES, label__in=labels).delete()
        Series.objects.using(alias).filter(name=SERIES, label=LABEL).delete()
        failures.delete()
