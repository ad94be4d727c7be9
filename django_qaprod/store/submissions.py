"""Writes rescued submissions: kept once, read only behind an audit row, edited beside the original."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Count, F, Q, QuerySet

from .. import vault
from ..clock import moment, now
from ..conf import events_alias
from ..exceptions import UnreadableError
from ..models import RescuedSubmission, SubmissionAct, SubmissionVersion
from ..records import first_id
from ..sent import Submission, pack, unpack
from ..text import clean
from . import retention
from .statements import limit

#: How long before the age limit bites it is warned of.
WARN_WITHIN = timedelta(days=7)

_CHUNK = 500
_State = RescuedSubmission.State
_Act = SubmissionAct.Act
_Doubt = RescuedSubmission.Doubt

_OPEN = Q(state__in=(_State.WAITING, _State.QUEUED))
#: A replay under way whose work is rolled back if its claim is gone.
_REVOCABLE = Q(state=_State.REPLAYING, transactional=True)
#: What the row of one takes over whose place was held.
_FILLED = (
    *("at", "name", "journey", "subject", "route", "user", "request_id", "release"),
    *("failure", "occurrence", "transactional", "healing"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSubmission:
    """A submission to be kept: its row, and what was sent, encrypted (``content``). ``at`` in epoch seconds.

    The ``key`` is the same for the same click, and another for another. In the spool it may have what no
    table has, to find out who it was: a ``session_key``, and the ``base`` of the key, which is the same for
    whoever it was. And when it was sent ``again``; and ``acts`` to be stored with it: each decryption on the
    way, as act, who and when.
    """

    id: str
    key: str
    at: float
    name: str
    content: bytes
    journey: str = ""
    subject: str = ""
    route: str = ""
    user: str = ""
    request_id: str = ""
    release: str = ""
    failure: str = ""
    occurrence: str = ""
    in_doubt: str = ""
    transactional: bool = True
    healing: str = RescuedSubmission.Healing.BY_HAND
    session_key: str = ""
    base: str = ""
    again: float = 0.0
    acts: tuple[tuple[str, str, float], ...] = ()

    @property
    def may_have_happened(self) -> bool:
        """Whether it may have taken effect already, whoever sent it."""
        return self.in_doubt not in {"", _Doubt.VISITOR}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotation:
    """What a stretch of the rotation found; ``unreadable`` names submissions, ``last`` is where to go on."""

    rotated: int
    current: int
    unreadable: tuple[str, ...]
    last: int | None


def save(new: NewSubmission, *, using: str | None = None) -> str:
    """Store a submission, unless its key is there already; return the id under which it is kept.

    If this click may have taken effect, the one that is there is in doubt as well. One that was given up,
    because a click before this one was taken, waits again, in doubt: whoever is told that this click is kept
    is told the truth.

    In a transaction of its own, or in a savepoint of the one that is open.
    """
    alias = using or events_alias()
    with transaction.atomic(using=alias):
        rows = RescuedSubmission.objects.using(alias)
        rows.bulk_create([_row(new)], ignore_conflicts=True)
        # By its id alone: one that was discarded in the meantime has given its key away.
        found = sorted(rows.filter(Q(key=new.key) | Q(pk=new.id)), key=lambda row: row.key != new.key)
        if not found:
            return new.id
        kept = found[0]
        if kept.version == 0:
            _fill(rows, kept, new)
        if kept.version == 0 or kept.pk == new.id:
            _store_content(kept.pk, new, using=alias)
        if kept.pk != new.id or new.again:
            _meet_again(rows.filter(pk=kept.pk), new)
        if any(place.version == 0 for place in found[1:]):
            # It was held before it was known who it was, and so under another key.
            rows.filter(pk=new.id).delete()
            rows.filter(_OPEN, pk=kept.pk).update(state=_State.WAITING, in_doubt=_Doubt.RESENT)
    return kept.pk


def opened(
    rescued: RescuedSubmission, *, who: str, act: str = _Act.VIEWED, version: int = 0, why: str = ""
) -> Submission:
    """Return what was sent, in its latest version or the one that is named; who asked is stored first.

    Raises ``UnreadableError`` and ``NoKeyError``; then nothing was seen, and nothing is stored.
    """
    alias = rescued._state.db or events_alias()
    with transaction.atomic(using=alias):
        done = _acted(rescued.pk, version or rescued.version, who=who, act=act, why=why, using=alias)
        return read(done)


def read(act: SubmissionAct) -> Submission:
    """Return the version that an act is about, which is stored already: no content without its audit.

    Raises ``UnreadableError`` and ``NoKeyError``.
    """
    if act.pk is None:
        raise ValueError("Save the act first: each decryption has its audit row.")
    versions = SubmissionVersion.objects.using(act._state.db)
    found = versions.filter(submission=act.submission_id, number=act.version)
    content = found.values_list("content", flat=True).first()
    if content is None:
        raise UnreadableError("This version of the submission is gone.")
    return unpack(vault.decrypt(bytes(content)))


def add_version(rescued: RescuedSubmission, submission: Submission, *, by: str) -> bool:
    """Store an edit beside what there is; return whether it was, ``rescued`` being as it was read.

    Not if it is not waiting any more, or somebody else has edited it in the meantime. Raises ``NoKeyError``.
    """
    alias, content = rescued._state.db or events_alias(), vault.encrypt(pack(submission))
    mine = RescuedSubmission.objects.using(alias).filter(
        pk=rescued.pk, state=_State.WAITING, version=rescued.version
    )
    with transaction.atomic(using=alias):
        if not mine.update(version=F("version") + 1):
            return False
        number, who = rescued.version + 1, by[: limit(SubmissionVersion, "by")]
        SubmissionVersion.objects.using(alias).create(
            submission_id=rescued.pk, number=number, content=content, by=who, at=now()
        )
        _acted(rescued.pk, number, who=by, act=_Act.EDITED, why="", using=alias)
    return True


def discard(ids: Iterable[str], *, who: str, reason: str, using: str | None = None) -> int:
    """Give up those that wait, asked for or not; return how many did.

    Their idempotency keys are free again: who sends the same once more has it kept anew.
    """
    chosen, waiting = sorted(ids), RescuedSubmission.objects.using(using or events_alias()).filter(_OPEN)
    return sum(
        _discard(waiting.filter(pk__in=chosen[begin : begin + _CHUNK]), who=who, reason=reason, key=F("id"))
        for begin in range(0, len(chosen), _CHUNK)
    )


def taken(pk: str, *, key: str, name: str, using: str | None = None) -> None:
    """Give up one whose visitor has sent it to the view ``name`` again, which took it then.

    Also one whose replay is under way, if that commits with its outcome: its claim is gone, so that it is
    rolled back. It keeps its idempotency key: the same sent a third time is known. One that still lies in a
    spool is given up before it is brought in.

    In a transaction of its own, or in a savepoint of the one that is open.
    """
    alias = using or events_alias()
    with transaction.atomic(using=alias):
        rows = _place(pk, key, name, using=alias)
        _discard(
            rows.filter(_OPEN | _REVOCABLE),
            who="visitor",
            reason="The visitor sent it again, and it was taken.",
            key=F("key"),
        )
        # That replay goes on; should it fail, nobody tries again unasked.
        rows.filter(state=_State.REPLAYING, transactional=False).update(in_doubt=_Doubt.RESENT)


def doubt_taken(pk: str, *, key: str, name: str, using: str | None = None) -> None:
    """Let one wait in doubt whose visitor has sent it to the view ``name`` again, which may have taken it.

    It does as ``taken`` does, but nothing is given up.
    """
    alias, waits = using or events_alias(), {"state": _State.WAITING, "in_doubt": _Doubt.RESENT}
    with transaction.atomic(using=alias):
        rows = _place(pk, key, name, using=alias)
        rows.filter(state=_State.WAITING).update(in_doubt=_Doubt.RESENT)
        rows.filter(state=_State.QUEUED).update(**waits, state_since=now())
        rows.filter(_REVOCABLE).update(
            **waits, state_since=now(), claim=os.urandom(16).hex(), claimed_until=None
        )
        rows.filter(state=_State.REPLAYING, transactional=False).update(in_doubt=_Doubt.RESENT)


def counts(*, using: str | None = None) -> dict[str, int]:
    """Return how many there are in each state; zero where there is none."""
    rows = RescuedSubmission.objects.using(using or events_alias())
    found = dict(rows.order_by().values_list("state").annotate(Count("pk")))
    return {state: found.get(state, 0) for state in _State.values}


def is_full(*, besides: str = "", using: str | None = None) -> bool:
    """Return whether as many wait as ``QAPROD["MAX_ROWS"]`` allows.

    Not for the idempotency key ``besides``, if it is there already. It costs a look at so many entries of an
    index at most.
    """
    most = retention.most("submissions")
    rows = RescuedSubmission.objects.using(using or events_alias())
    waiting = rows.filter(state__in=(_State.WAITING, _State.QUEUED)).order_by()
    return most > 0 and waiting[most - 1 : most].exists() and not rows.filter(key=besides).exists()


def oldest_waiting(*, using: str | None = None) -> datetime | None:
    """Return when the oldest was sent that waits for somebody, or nothing when none does."""
    rows = RescuedSubmission.objects.using(using or events_alias()).filter(state=_State.WAITING)
    return rows.order_by("pk").values_list("at", flat=True).first()


def expiring_soon(*, using: str | None = None) -> int:
    """Return how many that wait will be deleted within ``WARN_WITHIN``, because they reach the age limit."""
    edge = first_id((now() - days_kept() + WARN_WITHIN).timestamp())
    rows = RescuedSubmission.objects.using(using or events_alias())
    return rows.filter(state__in=(_State.WAITING, _State.QUEUED), pk__lt=edge).count()


def expires_at(rescued: RescuedSubmission) -> datetime:
    """Return when a submission reaches the age limit."""
    return rescued.at + days_kept()


def days_kept() -> timedelta:
    """Return how long submissions are kept: ``QAPROD["RETENTION_DAYS"]["submissions"]``."""
    return timedelta(days=retention.days("submissions"))


def rotate(*, after: int, most: int, who: str, using: str | None = None) -> Rotation:
    """Encrypt some versions anew, from the one behind ``after``; those under the first key stay as they are.

    Of what was discarded nobody is told that it cannot be read.

    Raises ``NoKeyError``.
    """
    alias = using or events_alias()
    versions = SubmissionVersion.objects.using(alias)
    some = list(versions.filter(pk__gt=after).order_by("pk")[:most])
    renewed, current, unreadable = [], 0, []
    for version in some:
        content = bytes(version.content)
        if vault.is_current(content):
            current += 1
            continue
        try:
            version.content = vault.rotate(content)
        except UnreadableError:
            if version.submission.state != _State.DISCARDED:
                unreadable.append(version.submission_id)
        else:
            renewed.append(version)
    with transaction.atomic(using=alias):
        versions.bulk_update(renewed, ("content",))
        SubmissionAct.objects.using(alias).bulk_create(
            _act(one.submission_id, one.number, who=who, act=_Act.ROTATED, why="") for one in renewed
        )
    return Rotation(
        rotated=len(renewed),
        current=current,
        unreadable=tuple(unreadable),
        last=some[-1].pk if len(some) == most else None,
    )


def _place(pk: str, key: str, name: str, *, using: str) -> QuerySet[RescuedSubmission]:
    """Return the rows of one that was kept. If it lies in a spool yet, its place is held: version 0."""
    rows, at = RescuedSubmission.objects.using(using), now()
    place = RescuedSubmission(id=pk, key=key, at=at, state_since=at, name=name, version=0)
    rows.bulk_create([place], ignore_conflicts=True)
    # One click may lie in a spool, and another is stored already, under the same key.
    return rows.filter(Q(pk=pk) | Q(key=key))


def _fill(rows: QuerySet[RescuedSubmission], place: RescuedSubmission, new: NewSubmission) -> None:
    """Write into the place that is held what is known of the submission; what was decided of it stands."""
    row = _row(new)
    values = {name: getattr(row, name) for name in _FILLED}
    if place.pk == new.id:
        values["key"] = new.key
    if new.may_have_happened and place.state == _State.WAITING:
        values["in_doubt"] = new.in_doubt
    rows.filter(pk=place.pk, version=0).update(**values, version=1)


def _store_content(pk: str, new: NewSubmission, *, using: str) -> None:
    content = SubmissionVersion(submission_id=pk, number=1, content=new.content, at=moment(new.at))
    SubmissionVersion.objects.using(using).bulk_create([content], ignore_conflicts=True)
    SubmissionAct.objects.using(using).bulk_create(
        _act(pk, 1, who=who, act=act, why="", at=moment(at)) for act, who, at in new.acts
    )


def _meet_again(kept: QuerySet[RescuedSubmission], new: NewSubmission) -> None:
    """Take note of another click under the key of one that is kept."""
    # A click that came before it was given up says nothing new.
    again = kept.filter(state=_State.DISCARDED, state_since__lt=moment(max(new.at, new.again)))
    if again.update(state=_State.WAITING, state_since=now(), in_doubt=_Doubt.RESENT):
        return
    if not new.may_have_happened:
        return
    sure = kept.filter(in_doubt__in=("", _Doubt.VISITOR))
    sure.filter(_OPEN).update(state=_State.WAITING, in_doubt=new.in_doubt)
    # The replay that is under way goes on; should it fail, nobody tries again unasked.
    sure.filter(state=_State.REPLAYING).update(in_doubt=new.in_doubt)


def _discard(some: QuerySet[RescuedSubmission], *, who: str, reason: str, key: F) -> int:
    using = some.db
    # What marks the rows that this call has changed: two people who press at once discard each once.
    mark = os.urandom(16).hex()
    with transaction.atomic(using=using):
        changed = some.update(
            state=_State.DISCARDED,
            state_since=now(),
            key=key,
            claim=mark,
            claimed_until=None,
            decided_by=who[: limit(RescuedSubmission, "decided_by")],
            reason=reason[: limit(RescuedSubmission, "reason")],
        )
        marked = RescuedSubmission.objects.using(using).filter(claim=mark).values_list("pk", "version")
        SubmissionAct.objects.using(using).bulk_create(
            _act(pk, version, who=who, act=_Act.DISCARDED, why=reason)
            for pk, version in (marked if changed else ())
        )
    return changed


def _acted(pk: str, version: int, *, who: str, act: str, why: str, using: str) -> SubmissionAct:
    done = _act(pk, version, who=who, act=act, why=why)
    done.save(using=using)
    return done


def _act(pk: str, version: int, *, who: str, act: str, why: str, at: datetime | None = None) -> SubmissionAct:
    return SubmissionAct(
        submission_id=pk,
        at=at or now(),
        who=who[: limit(SubmissionAct, "who")],
        act=act,
        version=version,
        why=why[: limit(SubmissionAct, "why")],
    )


def _row(new: NewSubmission) -> RescuedSubmission:
    texts = {
        name: clean(getattr(new, name), limit(RescuedSubmission, name))
        for name in ("name", "journey", "subject", "route", "user", "request_id", "release", "failure")
    }
    at = moment(new.at)
    return RescuedSubmission(
        id=new.id,
        key=new.key,
        at=at,
        state_since=at,
        occurrence=new.occurrence,
        in_doubt=new.in_doubt,
        transactional=new.transactional,
        healing=new.healing,
        **texts,
    )
