"""The properties of an event: those that its journey allows, as plain and bounded JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping

from ..exceptions import PropertyError
from ..pipeline import guard, scrub
from ..registry import JourneySpec
from ..text import JSONValue, one_line

#: Characters of JSON that the properties of an event may take together.
MAX_LENGTH = 10_000
MAX_VARIANT = 100

_SCALARS = frozenset({str, int, float, bool, type(None)})


def checked(journey: JourneySpec, properties: Mapping[str, object]) -> None:
    """Raise ``PropertyError`` for a property that the journey does not allow or that is not JSON."""
    for name, value in properties.items():
        if not _allowed(journey, name):
            known = ", ".join(journey.properties) or "none"
            raise PropertyError(
                f"{journey.name} does not allow the property {name!r}; allowed are: {known}. "
                "Add it to the journey's `properties` if it may be kept.",
                name=name,
            )
        try:
            json.dumps(value, allow_nan=False)
        except (TypeError, ValueError, RecursionError) as error:
            raise PropertyError(
                f"The property {name!r} of {journey.name} is not JSON: {error}. Pass text, numbers, "
                "booleans, None, or lists and dicts of them.",
                name=name,
            ) from error


def kept(journey: JourneySpec, properties: Mapping[str, object]) -> dict[str, JSONValue]:
    """Return what may be kept of the properties: cleaned, scrubbed, bounded; what is refused is counted."""
    allowed = {name: value for name, value in properties.items() if name in journey.properties}
    refused = sum(not _allowed(journey, name) for name in properties)
    if refused:
        guard.dropped("journeys.property", refused)
    if not allowed:
        return {}
    clean = scrub.json(allowed)
    if not isinstance(clean, dict) or _is_too_long(clean):
        guard.dropped("journeys.property", len(allowed))
        return {}
    return clean


def variant(journey: JourneySpec, properties: Mapping[str, object]) -> str:
    """Return the value of the property that tells variants apart, as text."""
    value = properties.get(journey.variant) if journey.variant else None
    return "" if value is None else one_line(str(scrub.json(value)), MAX_VARIANT)


def _is_too_long(properties: dict[str, JSONValue]) -> bool:
    # Scalars are bounded one by one.
    nested = any(type(value) not in _SCALARS for value in properties.values())
    return nested and len(json.dumps(properties)) > MAX_LENGTH


def _allowed(journey: JourneySpec, name: str) -> bool:
    return name in journey.properties or (bool(name) and name == journey.variant)
