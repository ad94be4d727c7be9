"""Changes of a failure's state, each with its transition: by a person, by an occurrence, by time and rate.

A change is one conditional UPDATE that stamps the rows it changed, then one INSERT for the stamped ones: two
people who press at once change a failure once, and no row is read, thought about and written back.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.db.models import F, Q, QuerySet

from ..clock import epoch, moment, now
from ..conf import telemetry_alias
from ..models import Failure, Transition
from ..records import FailureRecord
from . import deploys
from .statements import limit, select

if TYPE_CHECKING:
    from .failures import Group

#: Who changed the state when it was no person.
OURSELVES = "qaprod"

_OPEN, _RESOLVED, _SILENCED = Failure.State.OPEN, Failure.State.RESOLVED, Failure.State.SILENCED
_UNSILENCED: dict[str, Any] = {"silenced_until": None, "silenced_above": None}
_UNRESOLVED: dict[str, Any] = {"resolve_in_next": False, "resolved_release": ""}
_ASKED_FOR_QUIET = (
    "SELECT 1 FROM {table} WHERE {silenced_until} IS NOT NULL OR {silenced_above} IS NOT NULL LIMIT 1"
)
_CHUNK = 500
#: A failure that exceeded its limit is silent again below this part of it.
HYSTERESIS = 0.5


def resolve(
    failure_ids: Iterable[int], *, who: str, why: str = "", in_next: bool = False, using: str | None = None
) -> int:
    """Say that the failures are mended; return how many changed.

    An occurrence after this reopens a failure, unless it is of a release that went live before the present
    one. With ``in_next`` only an occurrence of a release that goes live later does; where no releases are in
    use there is no next one, and ``in_next`` means nothing.
    """
    alias = using or telemetry_alias()
    release = deploys.current(using=alias)
    in_next = in_next and bool(release)
    if in_next:
        why = f"In the next release. {why}".rstrip()
    changes = {
        **_UNSILENCED, "resolved_release": release, "resolve_in_next": in_next, "regression": False
    }  # fmt: skip
    again = Q(state=_RESOLVED) & ~Q(resolve_in_next=in_next)
    chosen = Q(state__in=(_OPEN, _SILENCED)) | again
    return _change(failure_ids, chosen, _RESOLVED, changes, who=who, why=why, using=alias)


def reopen(failure_ids: Iterable[int], *, who: str, why: str = "", using: str | None = None) -> int:
    """Open resolved and silenced failures again; return how many changed."""
    changes = {**_UNSILENCED, **_UNRESOLVED, "regression": False}
    return _change(failure_ids, ~Q(state=_OPEN), _OPEN, changes, who=who, why=why, using=using)


def silence(
    failure_ids: Iterable[int],
    *,
    who: str,
    why: str = "",
    until: datetime | None = None,
    above: int | None = None,
    using: str | None = None,
) -> int:
    """Ask for quiet: until a time, up to so many occurrences an hour, or for good; return how many changed.

    A failure that is silent already gets the new limits.
    """
    changes = {**_UNRESOLVED, "silenced_until": until, "silenced_above": above}
    said = f"{_limits(until, above)} {why}".strip()
    return _change(failure_ids, Q(), _SILENCED, changes, who=who, why=said, using=using)


def _limits(until: datetime | None, above: int | None) -> str:
    """Say when a silence ends: the failure forgets its limits, the transition keeps them."""
    limits = []
    if until is not None:
        limits.append(f"until {datetime.fromtimestamp(epoch(until), UTC):%Y-%m-%d %H:%M} UTC")
    if above is not None:
        limits.append(f"up to {above} an hour")
    words = ", ".join(limits)
    return f"{words[0].upper()}{words[1:]}." if words else ""


def review(*, using: str | None = None) -> int:
    """End silences whose time is over or whose limit is exceeded, and bring back those that calmed down.

    The worker's; ``rate`` is the column that it keeps. Returns how many changed.
    """
    alias, at = using or telemetry_alias(), now()
    if not select(Failure, _ASKED_FOR_QUIET, (), (), using=alias):
        return 0
    over = Q(silenced_until__lte=at)
    silenced, opened = Q(state=_SILENCED), Q(state=_OPEN, silenced_above__isnull=False)
    return (
        _found(silenced & over, _OPEN, _UNSILENCED, why="The silence is over.", using=alias)
        + _found(
            silenced & Q(rate__gt=F("silenced_above")),
            _OPEN,
            {},
            why="More an hour than was silenced.",
            using=alias,
        )
        + _found(
            opened & Q(rate__lt=F("silenced_above") * HYSTERESIS),
            _SILENCED,
            {},
            why="Well below the limit again.",
            using=alias,
        )
        + Failure.objects.using(alias).filter(opened & over).update(**_UNSILENCED)
    )


def reopen_returned(groups: Iterable[Group], *, using: str) -> None:
    """Reopen the resolved failures among ``groups`` that came back, as regressions.

    Runs inside the caller's transaction, in which the failures' rows are locked.
    """
    resolved = [group for group in groups if group.failure.state == _RESOLVED]
    if not resolved:
        return
    lived = deploys.times(using=using)
    for group in resolved:
        back = next((record for record in group.records if comes_back(group.failure, record, lived)), None)
        if back is not None:
            changes = {**_UNRESOLVED, "regression": True}
            why = f"Came back in release {back.release}." if back.release else "Came back."
            rows = Q(state=_RESOLVED)
            _change(
                [group.failure.pk],
                rows,
                _OPEN,
                changes,
                who=OURSELVES,
                why=why,
                using=using,
                at=moment(back.at),
            )


def comes_back(failure: Failure, record: FailureRecord, lived: dict[str, datetime]) -> bool:
    """Return whether ``record`` shows that a resolved failure is not mended.

    ``lived`` says when each release went live. An error from before the failure was resolved, or from code
    that was old by then, shows nothing; neither does one from the present code when the next was to mend it.
    """
    since, known = failure.state_since, failure.resolved_release
    if since is not None and moment(record.at) <= since:
        return False
    release = deploys.clip(record.release)
    if failure.resolve_in_next:
        return release != known and release in lived and _later(lived[release], lived.get(known))
    if not release or not known or release == known or release not in lived:
        return True
    return _later(lived[release], lived.get(known))


def _later(one: datetime, other: datetime | None) -> bool:
    return other is None or one > other


def _found(which: Q, after: str, changes: dict[str, Any], *, why: str, using: str) -> int:
    ids = Failure.objects.using(using).filter(which).values_list("pk", flat=True)
    found = list(ids)
    return _change(found, which, after, changes, who=OURSELVES, why=why, using=using) if found else 0


def _change(
    failure_ids: Iterable[int],
    which: Q,
    after: str,
    changes: dict[str, Any],
    *,
    who: str,
    why: str,
    using: str | None,
    at: datetime | None = None,
) -> int:
    alias = using or telemetry_alias()
    ids = sorted(failure_ids)
    with transaction.atomic(using=alias):
        return sum(
            _change_some(
                Failure.objects.using(alias).filter(pk__in=ids[begin : begin + _CHUNK]),
                which, after, changes, who=who, why=why, at=at,
            )
            for begin in range(0, len(ids), _CHUNK)
        )  # fmt: skip


def _change_some(
    rows: QuerySet[Failure],
    which: Q,
    after: str,
    changes: dict[str, Any],
    *,
    who: str,
    why: str,
    at: datetime | None,
) -> int:
    changed = 0
    # ``after`` first: what another turn has brought into it is not to be changed a second time.
    states = sorted(Failure.State.values, key=lambda state: state != after)
    for turn, before in enumerate(states):
        stamp = now() + timedelta(microseconds=turn)
        count = rows.filter(which, state=before).update(state=after, state_since=stamp, **changes)
        if count:
            stamped = rows.filter(state=after, state_since=stamp)
            _record(stamped, before, after, who=who, why=why, at=at or stamp)
        changed += count
    return changed


def _record(rows: QuerySet[Failure], before: str, after: str, *, who: str, why: str, at: datetime) -> None:
    Transition.objects.using(rows.db).bulk_create(
        Transition(
            failure_id=pk,
            at=at,
            who=who[: limit(Transition, "who")],
            before=before,
            after=after,
            why=why[: limit(Transition, "why")],
        )
        for pk in rows.values_list("pk", flat=True)
    )
