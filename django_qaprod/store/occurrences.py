"""Occurrences: which of a failure's errors are kept.

The first, the last, those around each change of state, and of the rest a fair sample: the lowest of random
ranks, which is a uniform sample without replacement however many there were and whoever drew the ranks
(bottom-k sketch; Cohen and Kaplan, "Summarizing data using bottom-k sketches", PODC 2007). A drainer stores
what may be needed; the worker thins out to the cap.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.db.models import Count

from ..clock import moment
from ..conf import settings, telemetry_alias
from ..models import Failure, Occurrence, Transition
from ..records import ChainLink, FailureRecord, LogLine
from .statements import insert, limit

if TYPE_CHECKING:
    from .failures import Group

FIRST = 5
LAST = 10
AROUND = 3
_RANKS = 2**63
# How many times more than the sample a drainer lets in: that the k lowest ranks of n lie above 2k/n is less
# likely than one in ten thousand for the k in use here.
_MARGIN = 2
_CHUNK = 500
_TRANSITIONS = 20

_TEXTS = (
    "id", "message", "stack", "journey", "subject", "route", "method", "request_id",
    "trace_id", "span_id", "user", "browser", "release", "host",
)  # fmt: skip
_FIELDS = ("failure", "at", "severity", "served", "chain", "lines", "extra", "rank", *_TEXTS)


def rank_of(record_id: str) -> int:
    """Return the place of a record in the fair sample: uniform over 63 bits."""
    return int.from_bytes(blake2b(record_id.encode(), digest_size=8).digest()) >> 1


def save(groups: Iterable[Group], *, using: str) -> None:
    """Store those of the batch that may have to be kept. Runs inside the caller's transaction."""
    rows = [_row(group.failure.pk, record, rank) for group in groups for rank, record in _chosen(group)]
    insert(Occurrence, _FIELDS, rows, using=using, ignore=True)


def _chosen(group: Group) -> Iterator[tuple[int, FailureRecord]]:
    records = group.records
    threshold = _MARGIN * settings().occurrences_per_failure * _RANKS // max(group.failure.count, 1)
    first, last = AROUND, len(records) - LAST
    if group.failure.count - len(records) < FIRST:
        first = FIRST
    for position, record in enumerate(records):
        rank = rank_of(record.id)
        if rank <= threshold or position < first or position >= last:
            yield rank, record


def _row(failure_id: int, record: FailureRecord, rank: int) -> list[Any]:
    return [
        failure_id,
        moment(record.at),
        record.severity,
        record.served,
        [_plain(link) for link in record.chain],
        [_plain(line) for line in record.lines],
        record.extra,
        rank,
        *(getattr(record, name)[: limit(Occurrence, name)] for name in _TEXTS),
    ]


def _plain(item: ChainLink | LogLine) -> dict[str, object]:
    return {name: getattr(item, name) for name in item.__slots__}


def thin_out(*, since: datetime, using: str | None = None) -> int:
    """Delete what is over the cap in failures seen since then; return how many occurrences went.

    Failures that were not seen have nothing new to thin out: the cost follows what happens.
    """
    alias = using or telemetry_alias()
    cap = settings().occurrences_per_failure
    seen = list(Failure.objects.using(alias).filter(last_seen__gte=since).values_list("pk", flat=True))
    return sum(
        _thin_out_failure(pk, cap=cap, using=alias)
        for begin in range(0, len(seen), _CHUNK)
        for pk in _over(seen[begin : begin + _CHUNK], cap=cap, using=alias)
    )


def _over(failure_ids: Sequence[int], *, cap: int, using: str) -> list[int]:
    rows = Occurrence.objects.using(using).filter(failure__in=failure_ids).order_by()
    return list(rows.values_list("failure", flat=True).annotate(kept=Count("pk")).filter(kept__gt=cap))


def _thin_out_failure(failure_id: int, *, cap: int, using: str) -> int:
    rows = Occurrence.objects.using(using).filter(failure=failure_id)
    stored = list(rows.order_by("at", "pk").values_list("pk", "at", "rank"))
    changes = Transition.objects.using(using).filter(failure=failure_id).order_by("-at")
    keep = kept(stored, list(changes.values_list("at", flat=True)[:_TRANSITIONS]), cap=cap)
    surplus = [pk for pk, _, _ in stored if pk not in keep]
    for begin in range(0, len(surplus), _CHUNK):
        with transaction.atomic(using=using):
            rows.filter(pk__in=surplus[begin : begin + _CHUNK]).delete()
    return len(surplus)


def kept(stored: Sequence[tuple[str, datetime, int]], changes: Sequence[datetime], *, cap: int) -> set[str]:
    """Return the ids to keep of ``stored`` (id, at, rank; the earliest first), at most ``cap``.

    ``changes`` are the times of transitions, the latest first: when there are too many, old ones lose.
    """
    ids = [pk for pk, _, _ in stored]
    wanted = [*ids[:FIRST], *reversed(ids[-LAST:])]
    for change in changes:
        behind = next((place for place, (_, at, _) in enumerate(stored) if at >= change), len(stored))
        wanted += ids[max(behind - AROUND, 0) : behind + AROUND]
    wanted += [pk for pk, _, _ in sorted(stored, key=lambda row: row[2])]
    return set(list(dict.fromkeys(wanted))[:cap])
