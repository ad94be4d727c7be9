"""Usage data: what people do with what was built, for the log store to count."""

from __future__ import annotations

import logging
from decimal import Decimal
from typing import Final

from ..conf import reraising, settings
from ..exceptions import PropertyError
from ..pipeline import guard, scrub
from ..text import JSONValue, one_line
from .lines import ATTRIBUTE, Fields, storable

logger = logging.getLogger("qaprod.usage")

MAX_NAME: Final = 100


def log_usage(event: str, /, **fields: object) -> None:
    """Log that something was used, ``log_usage("payment_limit_changed", amount=500)`` for instance.

    It is one line at INFO by the logger ``qaprod.usage``, with the fields that ``QAPROD["USAGE_FIELDS"]``
    allows for that event, as plain and scrubbed data, and with the request, the user and the journey as every
    line has them. A field that is not allowed raises ``PropertyError`` in development and in tests; elsewhere
    it is counted and left out. Otherwise nothing is raised.
    """
    if not settings().enabled:
        return
    if reraising() and (refused := fields.keys() - _allowed(event)):
        raise _refusal(event, min(refused))
    with guard.guard("logs.usage"):
        _log(event, fields)


def _log(event: str, fields: dict[str, object]) -> None:
    allowed = _allowed(event)
    usage = {name: _value(name, value) for name, value in fields.items() if name in allowed}
    if len(usage) < len(fields):
        guard.dropped("logs.usage", len(fields) - len(usage))
    if logger.isEnabledFor(logging.INFO):
        name = scrub.text(one_line(event, MAX_NAME))
        own = Fields(event=name, **({"usage": usage} if usage else {}))
        logger.info("%s", name, extra={ATTRIBUTE: own})


def _allowed(event: str) -> frozenset[str]:
    return frozenset(settings().usage_fields.get(event, ()))


def _value(name: str, value: object) -> JSONValue:
    if type(value) is Decimal:
        # A log store can only add up what is a number. ``float`` knows no signalling NaN.
        value = float(value) if value.is_finite() else None
    return scrub.under(name, storable(value))


def _refusal(event: str, name: str) -> PropertyError:
    allowed = ", ".join(settings().usage_fields.get(event, ())) or "none"
    return PropertyError(
        f"QAPROD['USAGE_FIELDS'] does not allow the field {name!r} of {event!r}; allowed are: {allowed}. "
        "Add it there if it may be logged.",
        name=name,
    )
