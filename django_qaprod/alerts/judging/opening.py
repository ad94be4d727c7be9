"""Time in which a rule's hours go on: a night in which nobody orders is no absence of orders."""

from __future__ import annotations

from ... import clock
from ...specs import RuleSpec

#: A stretch is gone through in so many pieces, of at least a minute and at most a quarter of an hour.
_PIECES = 60
_LEAST, _MOST = 60.0, 900.0
#: Seconds beyond which nobody looks for hours that go on: a calendar that never opens is a mistake.
_FURTHEST = 28 * 86400.0


def opened(rule: RuleSpec, end: float, length: float) -> float:
    """Return when so many seconds of the rule's hours had yet to pass until ``end``.

    Without hours that is ``length`` earlier.
    """
    if rule.hours is None:
        return end - length
    piece = min(max(length / _PIECES, _LEAST), _MOST, length)
    at, left = end, length
    while left > 0 and end - at < max(_FURTHEST, 5 * length):
        at -= piece
        # The middle of the piece speaks for it.
        if rule.hours(clock.moment(at + piece / 2)):
            left -= piece
    return at
