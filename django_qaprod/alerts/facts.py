"""What a message tells beside the alerts themselves. None of it is needed: what cannot be had is left out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple, TypeVar

from .. import clock, registry
from ..models import Alert, Deploy, Failure, Transition
from ..pipeline.guard import guard
from ..queries import circumstances, people
from ..queries.people import Hit
from ..specs import Measure, RuleSpec

T = TypeVar("T")

# What fired now was going wrong for as long as the rule's window, or shortly.
_LEAST_BEFORE, _MOST_BEFORE = timedelta(minutes=5), timedelta(hours=1)


class Facts(NamedTuple):
    """What is known; ``None`` where it could not be found out, or has no meaning.

    ``breached`` is for how many subjects a watched expectation was; ``overrides`` are by rule, ``ends`` by
    alert: who ended it, and why.
    """

    hit: Hit | None = None
    breached: int | None = None
    deploys: Sequence[Deploy] | None = None
    failures: Sequence[Failure] | None = None
    overrides: Mapping[str, Mapping[str, Any]] | None = None
    ends: Mapping[int, Transition] | None = None


def gather(alerts: Sequence[Alert], specs: Mapping[str, RuleSpec], *, over: bool = False) -> Facts:
    """Return what is known around alerts, in six short queries at most, however many alerts there are.

    Those that are ``over`` are told of the releases until then, and of no causes. Call it outside of a
    transaction: PostgreSQL lets nothing more be done in one in which a query has failed.
    """
    began = min(alert.began_at for alert in alerts)
    until = _end(alerts) if over else clock.now()
    since = began - _before(specs.values())
    caused, released = circumstances.caused_by(alerts, until), began - circumstances.RELEASES_BEFORE
    measures = _watched(alerts, specs)
    names = {alert.rule for alert in alerts}
    return Facts(
        hit=_known(lambda: people.hit(measures, since, until)),
        breached=_known(lambda: circumstances.breached(measures, since, until)),
        deploys=_known(lambda: circumstances.deploys(released, until if over else caused)),
        failures=None if over else _known(lambda: circumstances.new_failures(measures, since, caused)),
        overrides=_known(lambda: circumstances.overrides(names)),
        ends=_known(lambda: circumstances.ends({alert.pk for alert in alerts})) if over else None,
    )


def _known(ask: Callable[[], T]) -> T | None:
    with guard("alerts.facts"):
        return ask()
    return None


def _watched(alerts: Sequence[Alert], specs: Mapping[str, RuleSpec]) -> list[Measure]:
    """Return what the alerts' rules watch, each once. A rule that is gone leaves the journey of its alert."""
    found: dict[Measure, None] = {}
    for alert in alerts:
        spec = specs.get(alert.rule)
        if spec is not None:
            found[spec.of] = None
        elif alert.journey:
            found[Measure(kind="step", journey=alert.journey)] = None
    return list(found)


def _before(specs: Iterable[RuleSpec]) -> timedelta:
    longest = max((spec.numbers.get("window", 0.0) for spec in specs), default=0.0)
    # Not as a timedelta at once: a window may be longer than those can be.
    return max(_LEAST_BEFORE, timedelta(seconds=min(longest, _MOST_BEFORE.total_seconds())))


def _end(alerts: Sequence[Alert]) -> datetime:
    return max(alert.resolved_at or clock.now() for alert in alerts)


def specs_of(alerts: Sequence[Alert]) -> dict[str, RuleSpec]:
    """Return the declared rules of alerts, by name."""
    names = {alert.rule for alert in alerts}
    return {spec.name: spec for spec in registry.rules() if spec.name in names}
