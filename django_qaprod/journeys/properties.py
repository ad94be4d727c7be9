"""The properties of an event: those that its journey allows, as plain and bounded JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping

from ..exceptions import PropertyError
from ..pipeline import guard
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


def kept(journey: JourneySpec, properties: Mapping[str, object]) -> tuple[str, dict[str, JSONValue]]:
    """Return the variant as text, and what may be kept of the properties: cleaned, scrubbed and bounded.

    What is refused is counted.
    """
    # Not at every start of the host: its patterns are many.
    from ..pipeline import scrub

    clean: dict[str, JSONValue] = {}
    variant: JSONValue = None
    refused = 0
    for name, value in properties.items():
        if not _allowed(journey, name):
            refused += 1
            continue
        found = scrub.under(name, value)
        if name in journey.properties:
            clean[name] = found
        if name == journey.variant:
            variant = found
    if _is_too_long(clean):
        refused += len(clean)
        clean = {}
    if refused:
        guard.dropped("journeys.property", refused)
    return "" if variant is None else one_line(str(variant), MAX_VARIANT), clean


def _is_too_long(properties: dict[str, JSONValue]) -> bool:
    for value in properties.values():
        # Scalars are bounded one by one.
        if type(value) not in _SCALARS:
            return len(json.dumps(properties)) > MAX_LENGTH
    return False


def _allowed(journey: JourneySpec, name: str) -> bool:
    return name in journey.properties or (bool(name) and name == journey.variant)
