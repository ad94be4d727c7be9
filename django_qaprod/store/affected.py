"""Who was affected: each person and each subject once per failure, up to a cap."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, TypeAlias

from django.db.models import Q

from ..clock import moment
from ..conf import settings
from ..models import Affected, Failure
from ..records import FailureRecord
from .memory import Memory
from .statements import insert, limit, update_each

if TYPE_CHECKING:
    from .failures import Group

# SQLite refuses expressions deeper than a thousand.
_CHUNK = 100

_FIELDS = ("failure", "who", "journey", "key", "served", "at")
_ADD = "UPDATE {table} SET {people} = {people} + %s, {subjects} = {subjects} + %s WHERE {id} = %s"

# Which, journey, key.
Key: TypeAlias = tuple[str, str, str]
Met: TypeAlias = dict[Key, tuple[bool, datetime]]


def save(groups: Sequence[Group], *, using: str, memory: Memory) -> None:
    """Store who met the failures for the first time, and who was not served this time.

    Runs inside the caller's transaction, in which the failures' rows are locked: nobody else adds to the same
    failure meanwhile, so that ``people`` and ``subjects`` are exact up to the cap.
    """
    met = [(group.failure, found) for group in groups if (found := _news(group, memory))]
    for begin in range(0, len(met), _CHUNK):
        _save(met[begin : begin + _CHUNK], using=using)
    for failure, found in met:
        for key, (served, _) in found.items():
            memory.affected.put((failure.pk, *key), served)


def _news(group: Group, memory: Memory) -> Met:
    """Return who met the failure in this batch, without those of whom nothing new is said."""
    news: Met = {}
    for key, (served, at) in _met(group.records).items():
        stored = memory.affected.get((group.failure.pk, *key))
        if stored is None or (stored and not served):
            news[key] = (served, at)
    return news


def _save(met: Sequence[tuple[Failure, Met]], *, using: str) -> None:
    known = _known(met, using=using)
    rows: list[tuple[object, ...]] = []
    totals: list[tuple[int, int, int]] = []
    unserved: list[int] = []
    cap = settings().affected_per_failure
    for failure, found in met:
        room = max(cap - failure.people - failure.subjects, 0)
        new = [key for key in found if (failure.pk, *key) not in known][:room]
        rows += ((failure.pk, *key, *found[key]) for key in new)
        people = sum(who == Affected.Who.USER for who, _, _ in new)
        totals += [(people, len(new) - people, failure.pk)] if new else []
        unserved += _no_longer_served(failure, found, known)
    if rows:
        insert(Affected, _FIELDS, rows, using=using, ignore=True)
        update_each(Failure, _ADD, ("people", "subjects", "id"), totals, using=using)
    if unserved:
        Affected.objects.using(using).filter(pk__in=unserved).update(served=False)


def _met(records: Iterable[FailureRecord]) -> Met:
    met: Met = {}
    for record in records:
        for key in _keys(record):
            served, at = met.get(key, (True, moment(record.at)))
            met[key] = (served and record.served, at)
    return met


def _keys(record: FailureRecord) -> Iterable[Key]:
    if record.user:
        yield Affected.Who.USER.value, "", record.user[: limit(Affected, "key")]
    if record.subject:
        journey = record.journey[: limit(Affected, "journey")]
        yield Affected.Who.SUBJECT.value, journey, record.subject[: limit(Affected, "key")]


def _known(
    met: Sequence[tuple[Failure, Met]], *, using: str
) -> dict[tuple[int, str, str, str], tuple[int, bool]]:
    wanted = (Q(failure=failure.pk, key__in={key for _, _, key in found}) for failure, found in met)
    rows = Affected.objects.using(using).filter(reduce(or_, wanted))
    return {
        (failure, who, journey, key): (pk, served)
        for pk, failure, who, journey, key, served in rows.values_list(
            "pk", "failure", "who", "journey", "key", "served"
        )
    }


def _no_longer_served(
    failure: Failure, found: Met, known: dict[tuple[int, str, str, str], tuple[int, bool]]
) -> Iterable[int]:
    for key, (served, _) in found.items():
        pk, was_served = known.get((failure.pk, *key), (0, False))
        if was_served and not served:
            yield pk
