"""Leases: who does a kind of work now. Taken and kept by the database's clock, so that no machine's matters.

A lease saves work and gives no right: its holder may be stopped longer than it lasts. What is done under it
is correct without it.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from django.conf import settings as django_settings
from django.db.models import DateTimeField, ExpressionWrapper, Q
from django.db.models.functions import Now

from ..conf import telemetry_alias
from ..models import Lease

_LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


def acquire(name: str, holder: str, *, ttl: timedelta, using: str | None = None) -> bool:
    """Take the lease if it is free or expired, prolong it if it is ours; return whether we hold it now."""
    alias = using or telemetry_alias()
    if _take(name, holder, ttl, alias):
        return True
    long_ago = _LONG_AGO if django_settings.USE_TZ else _LONG_AGO.replace(tzinfo=None)
    if Lease.objects.using(alias).filter(name=name).exists():
        return False
    Lease.objects.using(alias).bulk_create([Lease(name=name, expires_at=long_ago)], ignore_conflicts=True)
    return _take(name, holder, ttl, alias)


def release(name: str, holder: str, *, using: str | None = None) -> None:
    """Let go of the lease, if it is ours, so that another need not wait for its end."""
    rows = Lease.objects.using(using or telemetry_alias()).filter(name=name, holder=holder)
    rows.update(holder="", expires_at=Now())


def _take(name: str, holder: str, ttl: timedelta, using: str) -> bool:
    rows = Lease.objects.using(using).filter(Q(holder=holder) | Q(expires_at__lte=Now()), name=name)
    expires = ExpressionWrapper(Now() + ttl, output_field=DateTimeField())
    return bool(rows.update(holder=holder, expires_at=expires))
