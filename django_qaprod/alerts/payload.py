"""A message for machines, as ``docs/messages.md`` describes it. Keys are added; none changes its meaning.

If one ever must, ``VERSION`` says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from .. import clock
from ..models import Failure
from ..text import clean_json
from . import addresses
from .facts import Facts
from .lines import MOST_ALERTS
from .words import Entry

VERSION = 1


def of(entries: Sequence[Entry], facts: Facts, *, total: int = 0, **given: object) -> Mapping[str, object]:
    """Return the data of a message: JSON of bounded size, times in UTC (ISO 8601).

    ``total`` is the number of alerts if there are more than entries.
    """
    hit = facts.hit
    data = {
        "version": VERSION,
        **given,
        "made_at": _time(clock.now()),
        "alerts": [_alert(entry) for entry in entries[:MOST_ALERTS]],
        "left_out": max(total, len(entries)) - len(entries[:MOST_ALERTS]),
        "people": hit.people if hit else None,
        "subjects": hit.subjects if hit else None,
        "at_least": hit.at_least if hit else None,
        "breached": facts.breached,
        "releases": [
            {"release": one.release, "at": _time(one.at), "note": one.note}
            for one in facts.deploys or ()
            if not one.flag
        ],
        "flags": [
            {"flag": one.release, "at": _time(one.at), "note": one.note}
            for one in facts.deploys or ()
            if one.flag
        ],
        "new_failures": [_failure(one) for one in facts.failures or ()],
    }
    cleaned = clean_json(data, strict_numbers=True)
    assert isinstance(cleaned, dict)
    return cleaned


def _alert(entry: Entry) -> dict[str, Any]:
    alert, spec = entry.alert, entry.spec
    return {
        "id": alert.pk,
        "told": entry.kind,
        "rule": alert.rule,
        "key": alert.key,
        "kind": alert.kind,
        "severity": alert.severity,
        "state": alert.state,
        "journey": alert.journey,
        "words": alert.words,
        "usual": alert.usual,
        "value": alert.value,
        "limit": alert.limit,
        "flapping": alert.flapping,
        "began_at": _time(alert.began_at),
        "fired_at": _time(alert.fired_at),
        "resolved_at": _time(alert.resolved_at),
        "acknowledged_at": _time(alert.acknowledged_at),
        "acknowledged_by": alert.acknowledged_by,
        "description": spec.description if spec is not None else "",
        "runbook": spec.runbook if spec is not None else "",
        "look": addresses.look(alert),
    }


def _failure(found: Failure) -> dict[str, Any]:
    return {
        "id": found.pk,
        "error_type": found.error_type,
        "message": found.message,
        "journey": found.journey,
        "route": found.route,
        "count": found.count,
        "first_seen": _time(found.first_seen),
        "look": addresses.failure(found),
    }


def _time(moment: datetime | None) -> str | None:
    if moment is None:
        return None
    return datetime.fromtimestamp(clock.epoch(moment), UTC).isoformat(timespec="seconds")
