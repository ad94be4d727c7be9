"""The state machine of an alert, after that of Prometheus: pending, firing, kept firing, resolved.

Pure: the same for the worker, which keeps what comes of it, and for a back-test.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from ..specs import RuleSpec

#: Seconds between two looks after which a pending alert begins anew: nobody knows what was in between.
GAP = 300.0
#: What of a rule and key fires so often within so many seconds is flapping, until it is over. Hours, for each
#: time takes ``keep_firing`` at least, and what is counted has to leave its window.
FLAPS, FLAPS_WITHIN = 3, 3 * 3600.0
#: Seconds for which what flaps has to be calm.
CALM = 1800.0
#: Seconds after which one of which nothing is said any more is over: that it is too little is no good news.
FORGOTTEN = 3600.0


class Standing(NamedTuple):
    """How an alert stands. ``state`` is ``""`` where there is none; times are seconds since the epoch."""

    state: Literal["", "pending", "firing", "resolved"] = ""
    began: float = 0.0
    wrong: float = 0.0
    fired: float = 0.0


NONE = Standing()


def step(standing: Standing, wrong: bool, now: float, *, for_: float = 0.0, keep: float = 0.0) -> Standing:
    """Return how an alert stands after one more look.

    It is pending until it was wrong for ``for_`` seconds, and kept firing until it was right for ``keep``.
    """
    if standing.state == "firing":
        return _firing(standing, wrong, now, keep)
    if not wrong:
        return NONE
    unseen = standing.state != "pending" or now - standing.wrong > GAP
    began = now if unseen else standing.began
    if now - began >= for_:
        return Standing("firing", began, now, now)
    return Standing("pending", began, now)


def kept_for(spec: RuleSpec, *, said: bool, flapping: bool = False) -> float:
    """Return for how many seconds what fires has to be right; ``said`` is whether it was judged at all."""
    return max(
        spec.numbers.get("keep_firing", 0.0),
        CALM if flapping else 0.0,
        0.0 if said or is_none_right(spec) else FORGOTTEN,
    )


def is_flapping(fired: int) -> bool:
    """Return whether what begins anew flaps, having ``fired`` so often within ``FLAPS_WITHIN``."""
    return fired >= FLAPS


def is_none_right(spec: RuleSpec) -> bool:
    """Return whether one of which nothing is said is known to be right: none of it is not too many."""
    return spec.kind == "threshold" and "at_least" in spec.numbers and spec.of.kind != "gauge"


def _firing(standing: Standing, wrong: bool, now: float, keep: float) -> Standing:
    if wrong:
        return standing._replace(wrong=now)
    if now - standing.wrong >= keep:
        return standing._replace(state="resolved")
    return standing
