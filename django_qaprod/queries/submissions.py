"""Rescued submissions: what pages show beside their own columns. What was sent is never read here.

They live with the business and failures with the telemetry, so the two are asked apart and put together here.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Max, Q

from .. import clock
from ..models import Failure, RescuedSubmission, SubmissionAct, SubmissionVersion
from ..records import first_id
from ..store.statements import limit
from ..store.submissions import WARN_WITHIN, days_kept

_State = RescuedSubmission.State
_Outcome = SubmissionAct.Outcome

#: What is not settled: it waits for somebody, or somebody has asked for its replay.
OPEN = (_State.WAITING, _State.QUEUED, _State.REPLAYING)

#: How a replay ends that had no effect, or of which nobody knows.
UNSUCCESSFUL = (_Outcome.FAILED, _Outcome.REFUSED, _Outcome.INTERRUPTED)
_ACTS_SHOWN = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """How many submissions are kept; those ``in_doubt`` wait, too, and are not in ``waiting``."""

    waiting: int = 0
    in_doubt: int = 0
    under_way: int = 0
    replayed: int = 0
    discarded: int = 0

    @property
    def total(self) -> int:
        """All of them."""
        return self.waiting + self.in_doubt + self.under_way + self.replayed + self.discarded


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What was done with a submission, the latest first, and its versions, without what they hold.

    ``failures`` by fingerprint; one whose telemetry is gone is not among them.
    """

    acts: tuple[SubmissionAct, ...]
    versions: tuple[SubmissionVersion, ...]
    failures: dict[str, Failure]


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far the replays are that somebody has asked for; ``unsuccessful`` are the latest, with reasons."""

    kept: Kept
    unsuccessful: tuple[SubmissionAct, ...]
    failures: dict[str, Failure]
    #: The submission, when there is but one.
    only: str

    @property
    def done(self) -> bool:
        """Whether nothing of it is to come."""
        return not self.kept.under_way


def failures(fingerprints: Iterable[str]) -> dict[str, Failure]:
    """Return the failures that are known by their fingerprints. One query at most, on the telemetry."""
    wanted = {fingerprint for fingerprint in fingerprints if fingerprint}
    if not wanted:
        return {}
    found = Failure.objects.filter(fingerprint__in=wanted)
    return {failure.fingerprint: failure for failure in found}


def of_failure(fingerprint: str) -> Kept:
    """Return what is kept of a failure. One query."""
    return _kept(Q(failure=fingerprint))


def elsewhere(view: str, *, besides: str) -> int:
    """Return how many of a view wait at other failures than one (its fingerprint). One query."""
    if not view:
        return 0
    waiting = RescuedSubmission.objects.filter(
        state=_State.WAITING, name=view[: limit(RescuedSubmission, "name")]
    )
    return waiting.exclude(failure=besides).count()


def waiting_for(*, most: int) -> dict[str, datetime]:
    """Return the failures for which submissions wait, by their fingerprints, those with the most first.

    With each goes the time at which the latest of its submissions was sent.
    """
    waiting = RescuedSubmission.objects.filter(state=_State.WAITING).exclude(failure="").order_by()
    counted = waiting.values_list("failure").annotate(n=Count("pk"), latest=Max("at"))
    return {fingerprint: at for fingerprint, _n, at in counted.order_by("-n", "failure")[:most]}


def expiring() -> Q:
    """Return which will be deleted soon, because they reach the age limit, and nobody has settled them."""
    edge = clock.now() - days_kept() + WARN_WITHIN
    return Q(state__in=(_State.WAITING, _State.QUEUED), pk__lt=first_id(clock.epoch(edge)))


def history(rescued: RescuedSubmission) -> History:
    """Return what was done with a submission. Three queries."""
    acts = tuple(rescued.acts.all()[:_ACTS_SHOWN])
    versions = rescued.versions.defer("content").order_by("-number")
    named = failures((rescued.failure, *(act.failure for act in acts)))
    return History(acts=acts, versions=tuple(versions), failures=named)


def latest_act() -> int:
    """Return the number of the latest act of all: what is asked for from now on has a higher one."""
    return int(SubmissionAct.objects.aggregate(latest=Max("pk"))["latest"] or 0)


def progress(*, after: int, by: str) -> Progress:
    """Return how far the replays are that somebody has asked for after an act. Four queries."""
    since = SubmissionAct.objects.filter(pk__gt=after)
    asked = (
        since.filter(act=SubmissionAct.Act.QUEUED, who=by[: limit(SubmissionAct, "who")])
        .order_by()
        .values("submission")
    )
    tried = since.filter(act=SubmissionAct.Act.REPLAYED, outcome__in=UNSUCCESSFUL, submission__in=asked)
    unsuccessful = tuple(tried[:_ACTS_SHOWN])
    kept = _kept(Q(pk__in=asked))
    only = asked.values_list("submission", flat=True).first() if kept.total == 1 else None
    return Progress(
        kept=kept,
        unsuccessful=unsuccessful,
        failures=failures(act.failure for act in unsuccessful),
        only=only or "",
    )


def _kept(which: Q) -> Kept:
    doubtful = ~Q(in_doubt="")
    counted = RescuedSubmission.objects.filter(which).aggregate(
        waiting=Count("pk", filter=Q(state=_State.WAITING) & ~doubtful),
        in_doubt=Count("pk", filter=Q(state=_State.WAITING) & doubtful),
        under_way=Count("pk", filter=Q(state__in=(_State.QUEUED, _State.REPLAYING))),
        replayed=Count("pk", filter=Q(state=_State.REPLAYED)),
        discarded=Count("pk", filter=Q(state=_State.DISCARDED)),
    )
    return Kept(**counted)
