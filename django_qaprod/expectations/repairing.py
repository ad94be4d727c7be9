"""Repairs breaches: by itself as often as is allowed, or when somebody asks for it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from .. import clock, registry
from ..models import Breach
from ..pipeline import guard
from ..pipeline.failures import report_exception
from ..registry import ExpectationSpec
from ..store import breaches
from ..text import one_line

#: Tries that are made by itself, and what lies between two of them.
MOST_TRIES = 3
PAUSE = timedelta(minutes=10)

_OURSELVES = "qaprod"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """How a try went: ``words`` are those of the repair, or of its error."""

    words: str
    failed: bool


def of(expectation: str) -> ExpectationSpec | None:
    """Return the declared expectation of that name."""
    return next((spec for spec in registry.expectations() if spec.name == expectation), None)


def repair(spec: ExpectationSpec, breach: Breach, *, who: str, dry_run: bool = False) -> Tried:
    """Call the repair of an expectation for a breach, and keep what came of it. Never raises."""
    tried = Tried(words="There is no repair.", failed=True)
    if spec.repair is not None:
        try:
            words = spec.repair(breach, dry_run=dry_run)
        except Exception as error:  # noqa: BLE001 - the host's; it is told in words, and recorded
            report_exception(error, kind="logged", name=f"repair of {spec.name}")
            tried = Tried(
                words=one_line(f"{type(error).__name__}: {guard.words_of(error)}", 500), failed=True
            )
        else:
            tried = Tried(words=one_line(str(words) if words is not None else "", 500), failed=False)
    breaches.keep_try(breach, who=who, words=tried.words, failed=tried.failed, dry_run=dry_run)
    if not dry_run:
        breaches.close_if_it_came(spec, breach)
    return tried


def repair_by_itself(spec: ExpectationSpec) -> int:
    """Repair what may be repaired without a person now; return how many were tried."""
    now = clock.now()
    left = spec.repairs_per_hour - breaches.tried_since(spec.name, now - timedelta(hours=1))
    waiting = breaches.open_breaches(spec.name).filter(tries__lt=MOST_TRIES).exclude(tried_at__gt=now - PAUSE)
    tried = 0
    for breach in waiting[: max(left, 0)]:
        if not repair(spec, breach, who=_OURSELVES, dry_run=True).failed:
            repair(spec, breach, who=_OURSELVES)
        tried += 1
    return tried
