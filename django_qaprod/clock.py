"""Between the epoch seconds of records and the datetimes of rows.

Rows hold UTC; in a project with ``USE_TZ = False`` they hold local time without a zone, as Django demands.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime

from django.conf import settings as django_settings


def moment(epoch: float) -> datetime:
    """Return the datetime of that many seconds since the epoch, in the form that the database layer wants."""
    return datetime.fromtimestamp(epoch, UTC if django_settings.USE_TZ else None)


def epoch(value: datetime) -> float:
    """Return the seconds since the epoch of a datetime as ``moment`` gives it."""
    return value.timestamp()


def now() -> datetime:
    """Return the present moment."""
    return moment(time.time())
