"""Failures: errors grouped by fingerprint, counted exactly, by any number of drainers at once.

1. Make the rows that are missing (an INSERT that ignores those that exist).
2. Add the counts with one UPDATE per failure. From here to the commit the rows are locked, so that what
   follows may read, decide and write.
3. Decide: does it come back from being resolved; is it worse or wider than was known?
4. Keep some occurrences, their stacks and who was affected; append to the numbers.

Every step goes through its rows in one order, and every transaction through the steps in this one, so that
two drainers never wait for each other in a circle.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..clock import moment
from ..conf import telemetry_alias
from ..models import Failure
from ..records import Cell, FailureRecord
from . import affected, numbers, occurrences, priority, stacks, states
from .memory import Memory
from .statements import limit, update_each

_CHUNK = 500

_COUNT = """
UPDATE {table} SET {count} = {count} + %s, {served} = {served} + %s,
    {first_seen} = CASE WHEN {first_seen} > %s THEN %s ELSE {first_seen} END,
    {message} = CASE WHEN {last_seen} <= %s THEN %s ELSE {message} END,
    {last_release} = CASE WHEN {last_seen} <= %s THEN %s ELSE {last_release} END,
    {last_seen} = CASE WHEN {last_seen} < %s THEN %s ELSE {last_seen} END
WHERE {id} = %s
"""
_COUNT_FIELDS = (
    "count", "served", "first_seen", "first_seen", "last_seen", "message",
    "last_seen", "last_release", "last_seen", "last_seen", "id",
)  # fmt: skip

_WORSE = {"info": 0, "warning": 1, "error": 2, "critical": 3}


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """The errors of one failure in a batch, the earliest first."""

    failure: Failure
    records: Sequence[FailureRecord]


def save(records: Sequence[FailureRecord], *, using: str | None = None, memory: Memory | None = None) -> None:
    """Store the errors. Runs inside the caller's transaction, which it needs."""
    if not records:
        return
    alias, known = using or telemetry_alias(), memory or Memory()
    by_fingerprint = _grouped(records)
    groups = _counted(by_fingerprint, using=alias)
    states.reopen_returned(groups, using=alias)
    _widen(groups, using=alias)
    stacks.save(records, using=alias, memory=known)
    occurrences.save(groups, using=alias)
    affected.save(groups, using=alias, memory=known)
    numbers.save(_cells(groups), using=alias, memory=known)


def _grouped(records: Iterable[FailureRecord]) -> dict[str, list[FailureRecord]]:
    groups: dict[str, list[FailureRecord]] = {}
    for record in sorted(records, key=lambda record: record.at):
        groups.setdefault(record.fingerprint[: limit(Failure, "fingerprint")], []).append(record)
    return groups


def _counted(groups: dict[str, list[FailureRecord]], *, using: str) -> list[Group]:
    """Count the errors; a failure that somebody deletes before its row is locked is made anew."""
    found: list[Group] = []
    waiting = groups
    while waiting:
        ids = _identified(waiting, using=using)
        _count(waiting, ids, using=using)
        rows = Failure.objects.using(using).in_bulk(ids.values())
        found += [
            Group(failure=rows[pk], records=waiting[fingerprint])
            for fingerprint, pk in sorted(ids.items(), key=lambda item: item[1])
            if pk in rows
        ]
        waiting = {text: records for text, records in waiting.items() if ids.get(text) not in rows}
    return found


def _identified(groups: dict[str, list[FailureRecord]], *, using: str) -> dict[str, int]:
    ids = _ids(groups, using=using)
    missing = sorted(groups.keys() - ids.keys())
    if missing:
        rows = [_row(fingerprint, groups[fingerprint]) for fingerprint in missing]
        Failure.objects.using(using).bulk_create(rows, ignore_conflicts=True, batch_size=_CHUNK)
        ids |= _ids(missing, using=using)
    return ids


def _ids(fingerprints: Iterable[str], *, using: str) -> dict[str, int]:
    wanted = list(fingerprints)
    ids: dict[str, int] = {}
    for begin in range(0, len(wanted), _CHUNK):
        rows = Failure.objects.using(using).filter(fingerprint__in=wanted[begin : begin + _CHUNK])
        ids.update(rows.values_list("fingerprint", "pk"))
    return ids


def _row(fingerprint: str, records: Sequence[FailureRecord]) -> Failure:
    first = records[0]
    row = Failure(
        fingerprint=fingerprint,
        kind=first.kind,
        severity=first.severity,
        error_type=first.error_type,
        culprit=first.culprit,
        name=first.name,
        journey=first.journey,
        route=first.route,
        method=first.method,
        critical=first.critical,
        first_seen=moment(first.at),
        # Earlier than any: the UPDATE that counts then takes the latest record's message and release.
        last_seen=moment(first.at),
        state_since=moment(first.at),
        first_release=first.release,
    )
    for name in ("error_type", "culprit", "name", "journey", "route", "method", "first_release"):
        setattr(row, name, getattr(row, name)[: limit(Failure, name)])
    priority.score(row, at=moment(records[-1].at))
    return row


def _count(groups: dict[str, list[FailureRecord]], ids: dict[str, int], *, using: str) -> None:
    rows = []
    for fingerprint, pk in sorted(ids.items(), key=lambda item: item[1]):
        records = groups[fingerprint]
        first, last = moment(records[0].at), moment(records[-1].at)
        message = records[-1].message[: limit(Failure, "message")]
        release = records[-1].release[: limit(Failure, "last_release")]
        served = sum(record.served for record in records)
        rows.append((len(records), served, first, first, last, message, last, release, last, last, pk))
    update_each(Failure, _COUNT, _COUNT_FIELDS, rows, using=using)


def _widen(groups: Iterable[Group], *, using: str) -> None:
    """Raise the severity to the worst seen, and fill in what the first errors did not say."""
    for group in groups:
        failure = group.failure
        severity = max((record.severity for record in group.records), key=_WORSE.__getitem__)
        changes: dict[str, object] = {}
        if _WORSE[severity] > _WORSE[failure.severity]:
            changes["severity"] = severity
        if not failure.critical and any(record.critical for record in group.records):
            changes["critical"] = True
        for name in ("journey", "route", "method"):
            if not getattr(failure, name):
                found = next((value for record in group.records if (value := getattr(record, name))), "")
                if found:
                    changes[name] = found[: limit(Failure, name)]
        if changes:
            Failure.objects.using(using).filter(pk=failure.pk).update(**changes)


def _cells(groups: Iterable[Group]) -> list[Cell]:
    counts: dict[tuple[int, int, str, str, bool], int] = {}
    for group in groups:
        for record in group.records:
            minute = int(record.at) // 60 * 60
            key = (group.failure.pk, minute, record.route, record.release, record.served)
            counts[key] = counts.get(key, 0) + 1
    return [
        Cell(
            name=numbers.FAILURES,
            label=str(failure),
            attributes=(
                ("failure", str(failure)),
                ("release", release),
                ("route", route),
                ("served", "true" if served else "false"),
            ),
            start=minute,
            count=count,
        )
        for (failure, minute, route, release, served), count in counts.items()
    ]
