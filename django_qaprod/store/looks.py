"""Keeps what looks at rules find: of each what it says now, and what becomes of its alerts.

Whoever keeps a look holds the rule's row, if nobody has looked later: so of any number of evaluators one
writes at a time, and the slower one sees that it is late. What changes alerts is a transaction for each rule,
with the alerts' transitions and notifications. Most looks change none: those are kept together.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.db import transaction
from django.db.models import Q

from ..conf import telemetry_alias
from ..models import Alert, Rule
from ..specs import RuleSpec
from ..text import clean
from .alerts import Change, Tell, active, active_rules, apply
from .statements import limit

#: What is kept as from so far ahead of a look is not from a later one: it was by a clock that was wrong, or
#: in the hour that comes twice in autumn.
_AHEAD = timedelta(minutes=5)


class Well(NamedTuple):
    """What a look found of a rule that is not wrong: verdicts, or why it is ``silent``.

    What is silent changes no alert, unless it ``ends`` those that it has.
    """

    rule: str
    verdicts: Sequence[Mapping[str, Any]] = ()
    silent: str = ""
    ends: bool = True


def look(
    spec: RuleSpec,
    *,
    at: datetime,
    verdicts: Sequence[Mapping[str, Any]],
    change: Callable[[Mapping[str, Alert]], Iterable[Change]],
    tell: Tell,
    silent: str = "",
    using: str | None = None,
) -> bool:
    """Keep what a look at a rule found; false when somebody has looked later.

    ``change`` is given the active alerts as they are now and says how each is to stand.
    """
    alias = using or telemetry_alias()
    said: dict[str, Any] = {"silent": clean(silent, limit(Rule, "silent"))}
    if not silent:
        said.update(verdicts=list(verdicts), silent_since=None)
    with transaction.atomic(using=alias):
        if not _judged(spec, at, alias, well_at=at, error="", **said):
            return False
        if silent:
            Rule.objects.using(alias).filter(name=spec.name, silent_since=None).update(silent_since=at)
        before = active(spec.name, using=alias)
        for one in change(before):
            apply(spec, before.get(one.key), one, at=at, tell=tell, using=alias)
    return True


def look_well(found: Iterable[Well], *, at: datetime, using: str | None = None) -> set[str]:
    """Keep what looks found of rules that are well; return those that have alerts, and so are not kept.

    1. The rules' rows are held, in one order: of two evaluators one waits for the other.
    2. Those that somebody has looked at later are left as they are.
    3. So are those whose alerts this look may end, for ``look``. Who made one has held the row, or will.
    4. All others are written at once.

    Four queries, however many rules there are; two more where some were never looked at.
    """
    alias, by_name = using or telemetry_alias(), {one.rule: one for one in found}
    with transaction.atomic(using=alias):
        rows = [row for row in _held(by_name, alias) if not _is_late(row.judged_at, at)]
        ending = [row.name for row in rows if by_name[row.name].ends]
        own = {name for name, _ in active_rules(of=ending, using=alias)}
        kept = [row for row in rows if row.name not in own]
        for row in kept:
            one = by_name[row.name]
            row.judged_at = row.well_at = at
            row.error, row.silent = "", clean(one.silent, limit(Rule, "silent"))
            row.silent_since = (row.silent_since or at) if one.silent else None
            row.verdicts = list(one.verdicts)
        fields = ["judged_at", "well_at", "error", "silent", "silent_since"]
        _write([row for row in kept if by_name[row.name].silent], fields, alias)
        _write([row for row in kept if not by_name[row.name].silent], [*fields, "verdicts"], alias)
    return own


def failed(spec: RuleSpec, error: str, *, at: datetime, using: str | None = None) -> None:
    """Keep that a rule could not be judged. Its alerts stay as they are."""
    _judged(spec, at, using or telemetry_alias(), error=clean(error, limit(Rule, "error")))


def _judged(spec: RuleSpec, at: datetime, using: str, **said: object) -> bool:
    """Change a rule's row, unless somebody has looked later. One query, but for the first, which makes it."""
    before = Q(judged_at=None) | Q(judged_at__lt=at) | Q(judged_at__gt=at + _AHEAD)
    rows = Rule.objects.using(using).filter(name=spec.name)
    if rows.filter(before).update(judged_at=at, **said):
        return True
    if rows.exists():
        return False
    rows.bulk_create([Rule(name=spec.name)], ignore_conflicts=True)
    return bool(rows.filter(before).update(judged_at=at, **said))


def _is_late(judged_at: datetime | None, at: datetime) -> bool:
    return judged_at is not None and at <= judged_at <= at + _AHEAD


def _held(names: Collection[str], using: str) -> list[Rule]:
    """Return the rows of rules, made where there are none, which nobody else changes until the end."""
    rows = Rule.objects.using(using).only("name", "judged_at", "silent_since").order_by("pk")
    held = list(rows.select_for_update().filter(name__in=names))
    missing = sorted(set(names) - {row.name for row in held})
    if missing:
        rows.bulk_create([Rule(name=name) for name in missing], ignore_conflicts=True)
        held += rows.select_for_update().filter(name__in=missing)
    return held


def _write(rows: Sequence[Rule], fields: Sequence[str], using: str) -> None:
    """Change these columns of rows that are held, and no other: somebody may have overridden a number."""
    # Not by ``bulk_update``, whose CASE for each row and field takes eight times as long.
    made = [Rule(pk=row.pk, name=row.name, **{name: getattr(row, name) for name in fields}) for row in rows]
    Rule.objects.using(using).bulk_create(
        made, update_conflicts=True, unique_fields=["name"], update_fields=fields
    )
