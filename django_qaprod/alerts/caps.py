"""How many messages a channel may take within an hour: what it takes for others that failed counts as well.

So whom a channel reaches is never flooded, and a channel that was down does not begin with a full hour.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import Q

from ..conf import settings, telemetry_alias
from ..models import Notification
from . import channels

_HOUR = timedelta(hours=1)


def left(name: str, at: datetime, *, urgent: bool) -> int:
    """Return how many messages a channel may take now; what is ``urgent`` may take as many again."""
    return most(name) * (1 + urgent) - _taken(name, at)


def most(name: str) -> int:
    """Return how many messages a channel takes within an hour, but for what is urgent."""
    return channels.options(name).per_hour or settings().notifications_per_hour


def _taken(name: str, at: datetime) -> int:
    """Return how many messages a channel took within the hour before: its own, and those it stood in for."""
    itself = Q(lane=name, via="") | Q(via=name)
    rows = Notification.objects.using(telemetry_alias()).filter(
        itself, state=Notification.State.SENT, sent_at__gt=at - _HOUR
    )
    return rows.order_by().values("message").distinct().count()
