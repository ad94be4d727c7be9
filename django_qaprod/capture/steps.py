"""Steps as numbers, for the sinks that have no database in which events could be counted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..pipeline import hooks, numbers

if TYPE_CHECKING:
    from ..records import EventRecord


def install() -> None:
    """Count the steps that are committed. May be called again."""
    if _count not in hooks.step_witnesses:
        hooks.step_witnesses.append(_count)


def _count(event: EventRecord) -> None:
    attributes = [("qaprod.journey", event.journey), ("qaprod.step", event.step)]
    if event.variant:
        attributes.append(("qaprod.variant", event.variant))
    numbers.count(numbers.STEPS, event.journey, tuple(attributes))
