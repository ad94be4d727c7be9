"""The pages of rescued submissions: a submission, what was sent, how far replays are; in plain words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from .. import clock, vault
from ..conf import settings
from ..models import Failure, RescuedSubmission, SubmissionAct, SubmissionVersion
from ..queries import submissions
from ..queries.submissions import Kept, Progress
from ..sent import reference_of
from ..store import replays
from ..store.submissions import WARN_WITHIN, expires_at, expiring_soon
from .sent import user
from .words import cut, number, unstored

#: What an act of seeing was for; stored as it is, shown in the reader's language.
TO_EDIT, TO_DOWNLOAD = "edit", "file"

_Why = RescuedSubmission.Doubt


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """A line of the history: what was done, how it went, and the failure that it met, if that is known."""

    at: datetime
    who: str
    what: str
    how: str
    why: str
    bad: bool
    failure: Failure | None
    fingerprint: str
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt:
    """Why a replay wants a person's word, and what that person should think of."""

    headline: str
    why: str
    advice: str
    yes: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmissionPage:
    """What the template shows of a submission, without what was sent."""

    reference: str
    visitor: str
    doubt: Doubt | None
    expires: datetime
    expires_soon: bool
    failure: Failure | None
    #: What is said where it is not there.
    unstored: str
    #: Why it waits untried although somebody has asked for it; nothing otherwise.
    called_off: str
    history: list[Done]
    versions: list[SubmissionVersion]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """Replays that did not work for one reason: how many, and the latest of them."""

    number: int
    submission: str
    reference: str
    done: Done


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgressPage:
    """How far the replays are that somebody has asked for; ``only`` names the submission if it is one.

    ``untried`` were called off and are not in ``waiting``; ``unsuccessful`` are the latest attempts, of which
    ``looked_at`` were looked at, by reason.
    """

    kept: Kept
    done: bool
    waiting: int
    untried: int
    unsuccessful: list[Tried]
    looked_at: int
    only: str

    @property
    def settled(self) -> int:
        """How many of them have come to an end, of whatever kind."""
        return self.kept.total - self.kept.under_way


def page(rescued: RescuedSubmission) -> SubmissionPage:
    """Return a submission's page. Nothing is decrypted."""
    found = submissions.history(rescued)
    expires = expires_at(rescued)
    return SubmissionPage(
        reference=reference_of(rescued.pk),
        visitor=visitor_of(rescued),
        doubt=doubt(rescued),
        expires=expires,
        expires_soon=rescued.state in submissions.OPEN and expires - clock.now() < WARN_WITHIN,
        failure=found.failures.get(rescued.failure),
        unstored=unstored(rescued.at),
        called_off=_called_off(rescued),
        history=[_done(act, found.failures) for act in found.acts],
        versions=list(found.versions),
    )


def progress(*, after: int, by: str) -> ProgressPage:
    """Return how far the replays are that somebody has asked for after an act."""
    found, untried = submissions.progress(after=after, by=by), replays.called_off(after=after, by=by)
    return ProgressPage(
        kept=found.kept,
        done=found.done,
        # Asked apart, so some may have been called off between the two.
        waiting=max(found.kept.waiting - untried, 0),
        untried=untried,
        unsuccessful=list(_by_reason(found)),
        looked_at=len(found.unsuccessful),
        only=found.only,
    )


def _by_reason(found: Progress) -> Iterator[Tried]:
    """Yield the reasons, that of the most first."""
    reasons = [(act.outcome, act.status, act.why, act.failure) for act in found.unsuccessful]
    latest = dict(zip(reversed(reasons), reversed(found.unsuccessful), strict=True))
    for reason, times in Counter(reasons).most_common():
        act = latest[reason]
        yield Tried(
            number=times,
            submission=act.submission_id,
            reference=reference_of(act.submission_id),
            done=_done(act, found.failures),
        )


def warnings() -> list[str]:
    """Return what is to be done before submissions are lost: keys that are missing, ages that are reached."""
    found = []
    if not vault.available():
        found.append(
            _(
                'There is no key in QAPROD["RESCUE_KEYS"]: no submission can be kept, '
                "and none of those below can be read or replayed."
            )
        )
    if bad := vault.bad_keys():
        found.append(
            ngettext(
                '%(n)s of QAPROD["RESCUE_KEYS"] is no key: what was encrypted with it cannot be read.',
                '%(n)s of QAPROD["RESCUE_KEYS"] are no keys: what was encrypted with them cannot be read.',
                len(bad),
            )
            % {"n": number(len(bad))}
        )
    return found


def expiring() -> str:
    """Return the warning before the age limit bites, or nothing."""
    soon = expiring_soon()
    if not soon:
        return ""
    return ngettext(
        "%(n)s submission that nobody has settled reaches the age limit within %(days)d days and is deleted.",
        "%(n)s submissions that nobody has settled reach the age limit within %(days)d days and are deleted.",
        soon,
    ) % {"n": number(soon), "days": WARN_WITHIN.days}


def doubt(rescued: RescuedSubmission) -> Doubt | None:
    """Return in plain words why a replay of a submission wants a person's word; nothing if it does not."""
    if not rescued.in_doubt:
        return None
    if rescued.in_doubt == _Why.VISITOR:
        return Doubt(
            headline=_("In doubt: nobody could tell who sent it."),
            why=_(
                "When it was sent, nobody could tell whether somebody was signed in, or who: a database or "
                "the session store did not answer, or the site failed before it had asked."
            ),
            advice=_(
                "A replay is made as a visitor who is not signed in. Look at what was sent: if it belongs to "
                "somebody's account, enter it there by hand and discard this submission."
            ),
            yes=_("Replay it as nobody"),
        )
    return Doubt(
        headline=_("In doubt: it may have taken effect already."),
        why=_took_effect().get(rescued.in_doubt, str(rescued.get_in_doubt_display())),
        advice=_(
            "If it has, a replay does it a second time: a second application, order or payment. "
            "Look for its work first; if you find it, discard this submission and say so."
        ),
        yes=_("I have looked: replay it"),
    )


def visitor_of(rescued: RescuedSubmission) -> str:
    """Return who sent it, as far as that is known without what was sent."""
    how = settings().user_ids
    if rescued.user:
        return user(rescued.user) if how == "plain" else cut(rescued.user, 100)
    if rescued.in_doubt == _Why.VISITOR:
        return _("nobody could tell")
    if how == "off":
        return _('not stored (QAPROD["USER_IDS"] is "off"); what was sent says more')
    if rescued.in_doubt:
        # It says why the work may have been done, so not whether anybody could tell.
        return _("nobody, as far as is known; what was sent may say more")
    return _("nobody was signed in")


def _done(act: SubmissionAct, failures: Mapping[str, Failure]) -> Done:
    return Done(
        at=act.at,
        who=act.who,
        what=_what(act),
        how=_how(act),
        why=_why(act),
        bad=act.outcome in submissions.UNSUCCESSFUL,
        failure=failures.get(act.failure),
        fingerprint=act.failure,
        version=act.version,
    )


def _what(act: SubmissionAct) -> str:
    if act.act == SubmissionAct.Act.REPLAYED and act.attempt:
        return _("replay, attempt %(n)s") % {"n": number(act.attempt)}
    return str(act.get_act_display())


def _how(act: SubmissionAct) -> str:
    outcome = str(act.get_outcome_display()) if act.outcome else ""
    if act.status is None:
        return outcome
    return _("%(outcome)s, with status %(status)d") % {"outcome": outcome, "status": act.status}


def _why(act: SubmissionAct) -> str:
    known: Mapping[str, str] = {TO_EDIT: _("to edit it"), TO_DOWNLOAD: _("a file was taken")}
    return known.get(act.why, act.why) if act.act == SubmissionAct.Act.VIEWED else act.why


def _called_off(rescued: RescuedSubmission) -> str:
    if rescued.state != RescuedSubmission.State.WAITING or rescued.reason != replays.CALLED_OFF:
        return ""
    return _(
        "Its replay was called off: one that had failed alike was tried first, and failed again. "
        "When the fault is mended, ask for it again."
    )


def _took_effect() -> dict[str, str]:
    return {
        _Why.COMMIT: _(
            "The connection to the database was lost at the very moment when the work was to be saved. "
            "It may have been saved, or not."
        ),
        _Why.UNTRANSACTED: _(
            "Its view saves its work bit by bit, and nothing takes it back. A part of it may have been saved."
        ),
        _Why.PAGE: _(
            "Its view had ended, so its work is most likely done; only the page that follows failed."
        ),
        _Why.RESENT: _(
            "The visitor has sent the same once more, and this time the view answered as if it had taken it. "
            "It may also have refused it: nobody can tell by the answer alone."
        ),
        _Why.INTERRUPTED: _("A replay was cut off on the way. A part of its work may have been saved."),
    }
