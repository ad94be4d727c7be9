"""Repairs breaches: by itself as often as is allowed, or when somebody asks for it."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import timedelta
from time import monotonic

from .. import clock, registry
from ..models import Breach
from ..pipeline import guard
from ..pipeline.failures import report_exception
from ..specs import ExpectationSpec
from ..store import breaches
from ..text import one_line

#: Tries that are made by itself, and what lies between two of them.
MOST_TRIES = 3
PAUSE = timedelta(minutes=10)

#: Seconds that a pass may spend on repairs, well below what the worker's lease lasts.
WITHIN = 20.0
OURSELVES = "qaprod"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """How a try went: ``words`` are those of the repair, or of its error."""

    words: str
    failed: bool


def of(expectation: str) -> ExpectationSpec | None:
    """Return the declared expectation of that name."""
    return next((spec for spec in registry.expectations() if spec.name == expectation), None)


def repair(spec: ExpectationSpec, breach: Breach, *, who: str, dry_run: bool = False) -> Tried:
    """Call the repair of an expectation for somebody, and keep what came of it."""
    tried = _tried(spec, breach, dry_run=dry_run)
    breaches.keep_try(breach, who=who, words=tried.words, failed=tried.failed, dry_run=dry_run)
    if not dry_run:
        with guard.guard("expectations"):
            breaches.close_if_it_came(spec, breach)
    return tried


def repair_by_itself(spec: ExpectationSpec, stop: threading.Event) -> int:
    """Repair what may be repaired without a person now; return how many were tried."""
    now, deadline = clock.now(), monotonic() + WITHIN
    left = spec.repairs_per_hour - breaches.tries_since(spec.name, now - timedelta(hours=1), who=OURSELVES)
    waiting = breaches.repairable(spec.name).filter(tries__lt=MOST_TRIES).exclude(tried_at__gt=now - PAUSE)
    tried = 0
    for breach in waiting[: max(left, 0)]:
        if stop.is_set() or monotonic() > deadline:
            break
        # It may have come, or been dismissed, while others were repaired.
        if not breaches.close_if_it_came(spec, breach) and breaches.claim(breach, who=OURSELVES):
            _repair_claimed(spec, breach)
            tried += 1
    return tried


def _repair_claimed(spec: ExpectationSpec, breach: Breach) -> None:
    dry = _tried(spec, breach, dry_run=True)
    tried = dry if dry.failed else _tried(spec, breach, dry_run=False)
    breaches.keep_end(breach, who=OURSELVES, words=tried.words, failed=tried.failed, dry_run=dry.failed)
    breaches.close_if_it_came(spec, breach)


def _tried(spec: ExpectationSpec, breach: Breach, *, dry_run: bool) -> Tried:
    if spec.repair is None:
        return Tried(words="There is no repair.", failed=True)
    try:
        with guard.theirs():
            said = spec.repair(breach, dry_run=dry_run)
            words = "" if said is None else str(said)
    except Exception as error:  # noqa: BLE001 - the host's; it is told in words, and recorded
        report_exception(error, kind="logged", name=f"repair of {spec.name}")
        told = f"{type(error).__name__}: {guard.words_of(error)}"
        return Tried(words=one_line(told, 500), failed=True)
    return Tried(words=one_line(words, 500), failed=False)
