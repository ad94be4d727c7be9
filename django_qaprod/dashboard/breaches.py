"""What the pages of breaches show."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils.timesince import timesince
from django.utils.translation import gettext as _

from .. import clock, registry
from ..models import Breach, Failure
from ..queries.breaches import failures_around


@dataclass(frozen=True, slots=True, kw_only=True)
class Try:
    """One try to repair it."""

    at: datetime
    who: str
    words: str
    failed: bool
    dry_run: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class BreachPage:
    """A breach: ``followed_by`` is the step that was to come, ``late`` how late it is, or was."""

    followed_by: str
    late: str
    tries: list[Try]
    failures: list[Failure]
    declared: bool
    repairable: bool


def page(breach: Breach) -> BreachPage:
    """Return what is shown of a breach."""
    spec = next((spec for spec in registry.expectations() if spec.name == breach.expectation), None)
    is_missing = breach.state == Breach.State.OPEN and breach.kind == Breach.Kind.MISSING
    return BreachPage(
        followed_by=".".join(spec.then) if spec is not None else "",
        late=late(breach),
        tries=[
            Try(
                at=clock.moment(told["at"]),
                who=told["who"],
                words=told["words"],
                failed=told["failed"],
                dry_run=told["dry_run"],
            )
            for told in reversed(breach.tried)
        ],
        failures=failures_around(breach),
        declared=spec is not None,
        repairable=is_missing and spec is not None and spec.repair is not None,
    )


def late(breach: Breach) -> str:
    """Return in words how late the second step is, or came."""
    if breach.kind != Breach.Kind.MISSING:
        return ""
    delay = (breach.closed_at or clock.now()) - breach.due_at
    if delay < timedelta(minutes=1):
        return _("less than a minute")
    return timesince(breach.due_at, breach.due_at + delay, depth=2)
