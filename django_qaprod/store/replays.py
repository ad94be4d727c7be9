"""Moves rescued submissions from waiting to replayed; each step is a conditional UPDATE, so it is taken once.

Whoever replays one has a claim: a token and a time until which it lasts, by the database's clock. The outcome
of a replay is stored in the transaction of its effect where there is one, and only while the claim holds: of
two who replay the same, one commits, and the other's work is rolled back.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import DateTimeField, Exists, ExpressionWrapper, F, OuterRef, Q, QuerySet
from django.db.models.functions import Now

from ..clock import now
from ..conf import events_alias, settings, telemetry_alias
from ..models import RescuedSubmission, SubmissionAct
from . import deploys
from .statements import limit

#: How long a replay may take. After that it counts as cut off.
TTL = timedelta(minutes=5)
#: How many are asked for after a deploy in one go, and of how many kinds of failure.
HEAL_MOST, HEAL_KINDS = 60, 500
#: The ``reason`` of one that waits again untried, because one that is alike has failed.
CALLED_OFF = "called off"

_CHUNK = 500
_EXPIRE_MOST = 500
# No user's name begins like this: it is asked by nobody.
_HEALER = "release: "
# How the claim of those that are queued begins that were asked for because they failed alike.
_TOGETHER = "all-"
_State = RescuedSubmission.State
_Act = SubmissionAct.Act
_Outcome = SubmissionAct.Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """The right to replay a submission, as its row says it was when it was claimed, and the attempt's act.

    ``together`` says that it was asked for with all of its failure.
    """

    rescued: RescuedSubmission
    act: SubmissionAct
    token: str
    together: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How a replay ended that had no effect. ``doubt``: why it may have had one all the same."""

    outcome: str
    why: str
    status: int | None = None
    failure: str = ""
    request_id: str = ""
    doubt: str = ""


def ask(ids: Iterable[str], *, who: str, doubtful: bool = False, using: str | None = None) -> int:
    """Have those that wait replayed; return how many were queued by this call.

    What may have taken effect already is left alone, unless a person has confirmed it (``doubtful``).
    """
    rows = RescuedSubmission.objects.using(using or events_alias()).filter(state=_State.WAITING)
    return _ask(rows if doubtful else rows.filter(in_doubt=""), ids, who=who)


def ask_all(failure: str, *, who: str, using: str | None = None) -> int:
    """Have all replayed that wait because of a failure (its fingerprint) and are not in doubt.

    If one of them fails before any has succeeded, the others are called off.
    """
    rows = RescuedSubmission.objects.using(using or events_alias()).filter(state=_State.WAITING, in_doubt="")
    ids = rows.filter(failure=failure).values_list("pk", flat=True)
    return _ask(rows, ids, who=who, mark=_TOGETHER)


def queued(*, using: str | None = None) -> Iterator[str]:
    """Yield what is to be replayed, the oldest first, until there is nothing; each is looked for anew.

    What was asked for by another release's healing is left to that release. One that is still queued when
    the next is asked for is passed by.
    """
    rows = RescuedSubmission.objects.using(using or events_alias()).filter(state=_State.QUEUED)
    ours = ~Q(decided_by__startswith=_HEALER) | Q(decided_by=healer(settings().release))
    pks = rows.filter(ours).order_by("pk").values_list("pk", flat=True)
    last = ""
    while (found := pks.filter(pk__gt=last).first()) is not None:
        yield found
        last = found


def claim(pk: str, *, ttl: timedelta = TTL, using: str | None = None) -> Claim | None:
    """Take a queued submission and store the attempt; nothing if another has it, or it is not queued."""
    alias, token = using or events_alias(), os.urandom(16).hex()
    rows = RescuedSubmission.objects.using(alias)
    until = ExpressionWrapper(Now() + ttl, output_field=DateTimeField())
    asked = rows.filter(pk=pk, state=_State.QUEUED).values_list("claim", flat=True).first()
    if asked is None:
        return None
    with transaction.atomic(using=alias):
        taken = rows.filter(pk=pk, state=_State.QUEUED, claim=asked).update(
            state=_State.REPLAYING,
            state_since=now(),
            attempts=F("attempts") + 1,
            claim=token,
            claimed_until=until,
        )
        if not taken:
            return None
        rescued = rows.get(pk=pk)
        act = SubmissionAct.objects.using(alias).create(
            submission_id=pk,
            at=now(),
            who=rescued.decided_by[: limit(SubmissionAct, "who")],
            act=_Act.REPLAYED,
            version=rescued.version,
            attempt=rescued.attempts,
            outcome=_Outcome.RUNNING,
        )
    return Claim(rescued=rescued, act=act, token=token, together=asked.startswith(_TOGETHER))


def settle(mine: Claim, *, status: int, request_id: str) -> bool:
    """Store that the replay has taken effect, within the transaction of that effect.

    False when the claim was lost: then the effect must be rolled back.
    """
    rows = RescuedSubmission.objects.using(_alias(mine)).filter(
        pk=mine.rescued.pk, state=_State.REPLAYING, claim=mine.token
    )
    return _settle(mine, rows, status=status, request_id=request_id)


def settle_late(mine: Claim, *, status: int, request_id: str) -> bool:
    """Store that the replay has taken effect, which nothing can undo any more.

    So it is settled even if it had counted as cut off, unless a later attempt has been begun.
    """
    rows = RescuedSubmission.objects.using(_alias(mine)).filter(
        pk=mine.rescued.pk,
        attempts=mine.rescued.attempts,
        state__in=(_State.REPLAYING, _State.WAITING, _State.QUEUED),
    )
    return _settle(mine, rows, status=status, request_id=request_id)


def settled(mine: Claim) -> RescuedSubmission | None:
    """Return the row if this replay has taken effect: what the database says, whatever went wrong later."""
    rows = RescuedSubmission.objects.using(_alias(mine))
    return rows.filter(pk=mine.rescued.pk, state=_State.REPLAYED, claim=mine.token).first()


def untransacted(mine: Claim) -> None:
    """Store, before the view runs, that its effect and its outcome are not one transaction."""
    if mine.rescued.transactional:
        RescuedSubmission.objects.using(_alias(mine)).filter(
            pk=mine.rescued.pk, state=_State.REPLAYING, claim=mine.token
        ).update(transactional=False)
        mine.rescued.transactional = False


def give_back(mine: Claim, ending: Ending) -> bool:
    """Let it wait again, and store how the attempt ended; false when the claim was lost in the meantime."""
    alias = _alias(mine)
    changes = {"state": _State.WAITING, "state_since": now(), "claimed_until": None}
    if ending.doubt:
        changes["in_doubt"] = ending.doubt
    with transaction.atomic(using=alias):
        held = (
            RescuedSubmission.objects.using(alias)
            .filter(pk=mine.rescued.pk, state=_State.REPLAYING, claim=mine.token)
            .update(**changes)
        )
        SubmissionAct.objects.using(alias).filter(pk=mine.act.pk).exclude(outcome=_Outcome.SUCCEEDED).update(
            outcome=ending.outcome if held else _Outcome.INTERRUPTED,
            finished_at=now(),
            status=ending.status,
            why=ending.why[: limit(SubmissionAct, "why")],
            failure=ending.failure[: limit(SubmissionAct, "failure")],
            request_id=ending.request_id[: limit(SubmissionAct, "request_id")],
        )
    return bool(held)


def expire(*, using: str | None = None) -> int:
    """Give back what was claimed by somebody who has not ended in time, having died for instance.

    It waits for a person. One whose effect is not bound to its outcome is in doubt.
    """
    alias = using or events_alias()
    late = RescuedSubmission.objects.using(alias).filter(state=_State.REPLAYING, claimed_until__lte=Now())
    pks = list(late.values_list("pk", flat=True)[:_EXPIRE_MOST])
    return sum(_interrupt(late.filter(pk=pk), pk, using=alias) for pk in pks)


def healer(release: str) -> str:
    """Return who asks for what is replayed by itself after a deploy."""
    return f"{_HEALER}{release}"[: limit(RescuedSubmission, "decided_by")]


def heal(*, most: int = HEAL_MOST, using: str | None = None) -> int:
    """Ask for some of what may be replayed by itself since this process's release is live.

    What a release before it has asked for, and not come to, waits again first.

    1. Looked at is what came before the release, from another one, and was not tried since.
    2. Of those that failed alike, one is asked for; the rest when one has succeeded, at most ``most`` at a
       time; none after one has failed, until the next release.
    3. One that is refused says nothing about the others: the next one is asked for.
    """
    alias, since = using or events_alias(), _live_since(settings().release)
    if since is None:
        return 0
    _take_back(alias)
    kinds = _healable(since, alias).order_by().values_list("failure", "name").distinct()
    left = most
    for failure, name in list(kinds[:HEAL_KINDS]):
        left -= _heal(failure, name, since, left, using=alias)
        if left <= 0:
            break
    return most - left


def call_off(mine: Claim) -> int:
    """After one has failed: let the others wait that are alike and were asked for with it.

    1. Healing calls off what it has asked for.
    2. Of all of a failure, asked for by a person, the others are called off while none has succeeded.
    3. What a person has chosen one by one is tried in any case.
    """
    rescued = mine.rescued
    rows = RescuedSubmission.objects.using(_alias(mine)).filter(
        state=_State.QUEUED, failure=rescued.failure, name=rescued.name, decided_by=rescued.decided_by
    )
    if not rescued.decided_by.startswith(_HEALER):
        if not mine.together or _one_has_succeeded(mine):
            return 0
        rows = rows.filter(claim__startswith=_TOGETHER)
    return rows.update(state=_State.WAITING, state_since=now(), reason=CALLED_OFF)


def called_off(*, after: int, by: str, using: str | None = None) -> int:
    """Return how many wait untried of those that somebody has asked for after an act."""
    alias = using or events_alias()
    asked = SubmissionAct.objects.using(alias).filter(
        pk__gt=after, act=_Act.QUEUED, who=by[: limit(SubmissionAct, "who")]
    )
    rows = RescuedSubmission.objects.using(alias).filter(pk__in=asked.order_by().values("submission"))
    return rows.filter(state=_State.WAITING, in_doubt="", reason=CALLED_OFF).count()


def _one_has_succeeded(mine: Claim) -> bool:
    alias = _alias(mine)
    acts = SubmissionAct.objects.using(alias).filter(submission=mine.rescued.pk, act=_Act.QUEUED)
    asked_at = acts.order_by("-pk").values_list("at", flat=True)[0]
    alike = _attempts(asked_at, alias).filter(
        submission__failure=mine.rescued.failure, submission__name=mine.rescued.name
    )
    return alike.filter(outcome=_Outcome.SUCCEEDED).exists()


def _ask(rows: QuerySet[RescuedSubmission], ids: Iterable[str], *, who: str, mark: str = "") -> int:
    chosen = sorted(ids)
    return sum(
        _ask_some(rows.filter(pk__in=chosen[begin : begin + _CHUNK]), who=who, mark=mark, using=rows.db)
        for begin in range(0, len(chosen), _CHUNK)
    )


def _ask_some(rows: QuerySet[RescuedSubmission], *, who: str, mark: str, using: str) -> int:
    # What marks the rows that this call has changed: two people who press at once queue each once.
    mark += os.urandom(14).hex()
    with transaction.atomic(using=using):
        changed = rows.update(
            state=_State.QUEUED,
            state_since=now(),
            claim=mark,
            decided_by=who[: limit(RescuedSubmission, "decided_by")],
            reason="",
        )
        marked = RescuedSubmission.objects.using(using).filter(claim=mark).values_list("pk", "version")
        SubmissionAct.objects.using(using).bulk_create(
            SubmissionAct(
                submission_id=pk,
                at=now(),
                who=who[: limit(SubmissionAct, "who")],
                act=_Act.QUEUED,
                version=version,
            )
            for pk, version in (marked if changed else ())
        )
    return changed


def _settle(mine: Claim, rows: QuerySet[RescuedSubmission], *, status: int, request_id: str) -> bool:
    with transaction.atomic(using=rows.db):
        held = rows.update(state=_State.REPLAYED, state_since=now(), claim=mine.token, claimed_until=None)
        if held:
            SubmissionAct.objects.using(rows.db).filter(pk=mine.act.pk).update(
                outcome=_Outcome.SUCCEEDED,
                finished_at=now(),
                status=status,
                request_id=request_id[: limit(SubmissionAct, "request_id")],
            )
    return bool(held)


def _interrupt(late: QuerySet[RescuedSubmission], pk: str, *, using: str) -> int:
    waits = {"state": _State.WAITING, "state_since": now(), "claimed_until": None}
    with transaction.atomic(using=using):
        changed = late.filter(transactional=True).update(**waits) or late.filter(transactional=False).update(
            **waits, in_doubt=RescuedSubmission.Doubt.INTERRUPTED
        )
        if changed:
            SubmissionAct.objects.using(using).filter(submission=pk, outcome=_Outcome.RUNNING).update(
                outcome=_Outcome.INTERRUPTED, finished_at=now()
            )
    return changed


def _healable(since: datetime, using: str) -> QuerySet[RescuedSubmission]:
    tried = _attempts(since, using).filter(submission=OuterRef("pk"))
    asked = RescuedSubmission.objects.using(using).filter(healing=RescuedSubmission.Healing.AFTER_DEPLOY)
    waiting = asked.filter(state=_State.WAITING, in_doubt="", at__lt=since)
    return waiting.filter(~Exists(tried)).exclude(release=settings().release)


def _take_back(using: str) -> None:
    """Let what another release's healing has left in the queue wait again: that release may be gone."""
    queued = RescuedSubmission.objects.using(using).filter(
        state=_State.QUEUED, decided_by__startswith=_HEALER
    )
    left = queued.exclude(decided_by=healer(settings().release))
    # An UPDATE of nothing would lock SQLite all the same.
    if left.exists():
        left.update(state=_State.WAITING, state_since=now())


def _heal(failure: str, name: str, since: datetime, most: int, *, using: str) -> int:
    attempts = _attempts(since, using).filter(submission__failure=failure, submission__name=name)
    if attempts.filter(outcome__in=(_Outcome.FAILED, _Outcome.INTERRUPTED)).exists():
        return 0
    under_way = RescuedSubmission.objects.using(using).filter(
        failure=failure, name=name, state__in=(_State.QUEUED, _State.REPLAYING)
    )
    rest = attempts.filter(outcome=_Outcome.SUCCEEDED).exists()
    number = (most if rest else 1) - under_way.count()
    if number <= 0:
        return 0
    alike = _healable(since, using).filter(failure=failure, name=name).order_by("pk")
    return ask(alike.values_list("pk", flat=True)[:number], who=healer(settings().release), using=using)


def _attempts(since: datetime, using: str) -> QuerySet[SubmissionAct]:
    return SubmissionAct.objects.using(using).filter(act=_Act.REPLAYED, at__gte=since)


def _live_since(release: str) -> datetime | None:
    """Return when this process's release went live, nothing if it is not the one that is live."""
    if not release:
        return None
    live, since = deploys.latest(using=telemetry_alias())
    return since if live == release else None


def _alias(mine: Claim) -> str:
    return mine.rescued._state.db or events_alias()
