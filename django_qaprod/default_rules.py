"""The rules that come with the app: on from the start, and silent where all is well or nobody comes.

Data alone. What to do is their description; ``docs/alerts.md`` says it at more length.
"""

from __future__ import annotations

from typing import Final

from django.utils.translation import gettext as _

from . import metrics
from .specs import Measure, RuleSpec

CRITICAL_VIEW_FAILS: Final = "a critical view fails"
#: While it is wrong, what is missing has its reason: see ``queries.inhibition``.
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
    """Return them, what costs the business most first, described in the language that is active."""
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
            description=_("Open the failure that is named. If something went live before, take it back."),
        ),
        # Fifty, so that it takes three errors at least.
        _rule(
            SITE_FAILS, "ratio", errors, per=_REQUESTS,
            above=0.05, min_count=50, window=10 * _MINUTE,
            description=_("See the requests by route: one is a bug, all of them are a service that is gone."),
        ),
        _rule(
            NOT_MET, "threshold", breaches, by="expectation",
            at_least=1, window=_DAY, for_=1.5 * _MINUTE,
            description=_("Open the breaches: each has what failed around it, and a button that repairs it."),
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
            description=_(
                "Run qaprod_doctor on that machine: what takes too little? Full, it drops records."
            ),
        ),
        _rule(
            DISK_FULL, "threshold", gauge(metrics.DISK), by="label", at_least=0.95, window=5 * _MINUTE,
            description=_("Make room. Without it nothing can be kept when the database is down."),
        ),
        _rule(
            JOB_FAILS, "threshold", health("jobs"), by="job", at_least=1, window=_MINUTE, for_=3 * _MINUTE,
            description=_("See the error on the health page. What the job is for is not done until then."),
        ),
        # Longer than its window, so that what was late while nothing ran is no news when all is well again.
        _rule(
            WORKER_LATE, "threshold", gauge(metrics.LAG),
            at_least=5 * _MINUTE, window=2 * _MINUTE, for_=3 * _MINUTE,
            description=_("It is busy, or its database is: see on the health page with what."),
        ),
        _rule(
            DRAINER_FAILS, "threshold", health("drainers"), by="machine",
            at_least=1, window=_MINUTE, for_=3 * _MINUTE,
            description=_("Run qaprod_doctor on that machine. Its records wait in the spool meanwhile."),
        ),
        _rule(
            SINK_STANDS, "threshold", gauge(metrics.SINK_LAG), by="label", severity="warning",
            at_least=5 * _MINUTE, window=_MINUTE,
            description=_("Its service is down or refuses us. Nothing is lost until the spool is half full."),
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
