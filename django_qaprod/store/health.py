"""What went wrong inside us, added up by machine and part."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db.models import F

from ..clock import moment
from ..models import Health
from ..records import HealthRecord
from .statements import limit


@dataclass(slots=True, kw_only=True)
class _Sum:
    at: datetime
    errors: int = 0
    dropped: int = 0
    last_error: str = ""


def save(records: Iterable[HealthRecord], *, using: str) -> None:
    """Add what the records counted. Runs inside the caller's transaction."""
    for (host, part), add in sorted(_summed(records).items()):
        _add(host, part, add, using=using)


def _summed(records: Iterable[HealthRecord]) -> dict[tuple[str, str], _Sum]:
    sums: dict[tuple[str, str], _Sum] = {}
    for record in sorted(records, key=lambda record: record.at):
        for part in record.errors.keys() | record.dropped.keys():
            key = (record.host[: limit(Health, "host")], part[: limit(Health, "part")])
            add = sums.setdefault(key, _Sum(at=moment(record.at)))
            add.at = moment(record.at)
            add.errors += record.errors.get(part, 0)
            add.dropped += record.dropped.get(part, 0)
            if words := record.words.get(part):
                add.last_error = words[: limit(Health, "last_error")]
    return sums


def _add(host: str, part: str, add: _Sum, *, using: str) -> None:
    rows = Health.objects.using(using).filter(host=host, part=part)
    changes = {"errors": F("errors") + add.errors, "dropped": F("dropped") + add.dropped, "at": add.at}
    if add.last_error:
        changes["last_error"] = add.last_error
    if not rows.update(**changes):
        Health.objects.using(using).bulk_create(
            [Health(host=host, part=part, at=add.at)], ignore_conflicts=True
        )
        rows.update(**changes)
