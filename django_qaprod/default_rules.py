"""The rules that come with the app: on from the start, and silent where all is well or nobody comes.

Data alone. ``docs/alerts.md`` says of each what to do.
"""

from __future__ import annotations

from typing import Final

from . import metrics
from .specs import Measure, RuleSpec

CRITICAL_VIEW_FAILS: Final = "a critical view fails"
#: While it fires, what is missing has its reason: ``alerts.telling`` holds such alerts.
SITE_FAILS: Final = "requests fail"
NOT_MET: Final = "an expectation is not met"
SPOOL_FULL: Final = "the spool is nearly full"
DISK_FULL: Final = "the disk is nearly full"
JOB_FAILS: Final = "a job of the worker fails"
WORKER_LATE: Final = "the worker is late"
DRAINER_FAILS: Final = "a drainer fails"
SINK_STANDS: Final = "a sink takes nothing"

_MINUTE: Final = 60.0
_DAY: Final = 86400.0
_REQUESTS: Final = Measure(kind="requests")


def rules() -> tuple[RuleSpec, ...]:
    """Return them, what costs the business most first."""
    return (*_of_the_site(), *_of_ourselves())


def _of_the_site() -> tuple[RuleSpec, ...]:
    failures = Measure(kind="failures", where=(("critical", "1"), ("kind", "unhandled")))
    errors = _REQUESTS._replace(where=(("outcome", "error"),))
    # Those that are repaired, or come a minute late, need nobody. Of a day, so that it is not over before
    # they are: the next one may be found when the last has left a short window.
    breaches = Measure(kind="breaches", where=(("state", "open"),))
    return (
        _rule(
            CRITICAL_VIEW_FAILS, "threshold", failures, by="route", severity="critical",
            at_least=1, window=5 * _MINUTE,
            description="A visitor got an error page of a view that is marked as critical.",
        ),
        # Fifty, so that it takes three errors at least.
        _rule(
            SITE_FAILS, "ratio", errors, per=_REQUESTS,
            above=0.05, min_count=50, window=10 * _MINUTE,
            description="More than one in twenty requests ends in a server error.",
        ),
        _rule(
            NOT_MET, "threshold", breaches, by="expectation",
            at_least=1, window=_DAY, for_=1.5 * _MINUTE,
            description="What was to follow has not, and was not repaired.",
        ),
    )  # fmt: skip


def _of_ourselves() -> tuple[RuleSpec, ...]:
    def gauge(name: str) -> Measure:
        return Measure(kind="gauge", name=name)

    def health(name: str) -> Measure:
        return Measure(kind="health", name=name)

    return (
        _rule(
            SPOOL_FULL, "threshold", gauge(metrics.SPOOL), by="label", at_least=0.8, window=2 * _MINUTE,
            description="Records of a machine cannot be stored, and there is hardly room for more.",
        ),
        _rule(
            DISK_FULL, "threshold", gauge(metrics.DISK), by="label", at_least=0.95, window=5 * _MINUTE,
            description="The file system of a machine's spool is nearly full.",
        ),
        _rule(
            JOB_FAILS, "threshold", health("jobs"), by="job", at_least=1, window=_MINUTE, for_=3 * _MINUTE,
            description="The last run of one of the worker's jobs ended with an error.",
        ),
        # Longer than its window, so that what was late while nothing ran is no news when all is well again.
        _rule(
            WORKER_LATE, "threshold", gauge(metrics.LAG),
            at_least=5 * _MINUTE, window=2 * _MINUTE, for_=3 * _MINUTE,
            description="Jobs are not done when they are due: roll-ups, rules and deliveries are late.",
        ),
        _rule(
            DRAINER_FAILS, "threshold", health("drainers"), by="machine",
            at_least=1, window=_MINUTE, for_=3 * _MINUTE,
            description="The drainer of a machine ends its passes with errors.",
        ),
        _rule(
            SINK_STANDS, "threshold", gauge(metrics.SINK_LAG), by="label", severity="warning",
            at_least=5 * _MINUTE, window=_MINUTE,
            description="Records wait for a sink which has not taken any for five minutes.",
        ),
    )  # fmt: skip


def _rule(
    name: str,
    kind: str,
    of: Measure,
    *,
    description: str,
    per: Measure | None = None,
    by: str = "",
    severity: str = "error",
    for_: float = 0.0,
    **numbers: float,
) -> RuleSpec:
    given = {key: float(value) for key, value in numbers.items()}
    return RuleSpec(
        name=name,
        kind=kind,
        of=of,
        per=per,
        numbers={**given, "for": for_, "keep_firing": 10 * _MINUTE},
        by=by,
        severity=severity,
        description=description,
        builtin=True,
    )
