"""Steps of journeys as lines, by which the use of what they are about can be drawn from the log store."""

from __future__ import annotations

import logging

from ..pipeline import hooks
from ..records import EventRecord
from .lines import ATTRIBUTE, Fields
from .surroundings import scrubbed

logger = logging.getLogger("qaprod.step")


def install() -> None:
    """Log each step that is committed. May be called again."""
    if log not in hooks.step_witnesses:
        hooks.step_witnesses.append(log)


def log(event: EventRecord) -> None:
    """Log a step, with the properties that its journey allows."""
    if not logger.isEnabledFor(logging.INFO):
        return
    fields = Fields(
        event=f"{event.journey}.{event.step}",
        journey=event.journey,
        step=event.step,
        subject=scrubbed(event.subject),
        at=event.at,
    )
    for name in ("variant", "browser", "request_id", "properties"):
        if value := getattr(event, name):
            fields[name] = value
    logger.info("%s.%s", event.journey, event.step, extra={ATTRIBUTE: fields})
