"""A channel that keeps what it is told."""

from __future__ import annotations

from datetime import datetime

from django_qaprod import clock
from django_qaprod.alerts.channels.base import Message

#: What was told, in its order, with the simulated moment.
heard: list[tuple[datetime, Message]] = []


class Listening:
    """Takes every message at once."""

    #: Nothing is waited for: it needs no thread that a deadline could end.
    bounded = True

    def __init__(self, name: str) -> None:
        self.name = name

    def send(self, message: Message, /) -> None:
        """Keep the message."""
        heard.append((clock.now(), message))
