"""Alerts of which somebody is told."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import Any

from django_qaprod import clock
from django_qaprod.models import Alert, Notification


def alert(rule: str = "applications fail", *, minutes: float = 10, **fields: Any) -> Alert:
    """Return an alert that fires since so many minutes."""
    began = clock.now() - timedelta(minutes=minutes)
    values: dict[str, Any] = {
        "kind": "threshold", "severity": "critical", "rank": 0, "state": "firing", "journey": "apply",
        "began_at": began, "wrong_at": clock.now(), "fired_at": began, "value": 14.0, "limit": 1.0,
        "words": "14 in 5 min", "usual": "usually 0–2",
    }  # fmt: skip
    return Alert.objects.create(rule=rule, **{**values, **fields})


def over(rule: str = "applications fail", *, minutes: float = 125, **fields: Any) -> Alert:
    """Return an alert that began so many minutes ago and has just ended."""
    return alert(rule, minutes=minutes, state="resolved", resolved_at=clock.now(), **fields)


def notification(of: Alert, kind: str = "firing", **fields: Any) -> Notification:
    """Return a notification of an alert that is being sent."""
    values: dict[str, Any] = {
        "lane": "chat", "made_at": clock.now(), "due_at": clock.now(), "message": os.urandom(16).hex(),
    }  # fmt: skip
    return Notification.objects.create(alert=of, kind=kind, **{**values, **fields})


def message(*alerts: Alert, channel: str = "chat") -> str:
    """Return the id of a message that was sent of alerts to a channel."""
    sent, number = os.urandom(16).hex(), Notification.objects.count()
    for one in alerts:
        notification(one, message=sent, lane=channel, state="sent", number=number)
    return sent
