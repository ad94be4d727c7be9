"""Runs a kept submission once more, through the host's whole handler, as who sent it.

A replay has succeeded when its outcome is stored, and that is stored in the transaction of its effect: by
``settle``, which ``serve_form`` calls when the view has answered. Whatever else ends it, the view's work is
rolled back and the submission waits again; nothing is tried anew by itself.
"""

from __future__ import annotations

import contextvars
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, cast

from asgiref.sync import async_to_sync
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils import translation

from .. import context
from ..exceptions import NoKeyError, QAProdError, UnreadableError
from ..models import RescuedSubmission, SubmissionAct
from ..pipeline import guard
from ..pipeline.failures import link_of, report_exception, type_name
from ..store import replays, submissions
from ..store.replays import Claim, Ending
from . import signals
from .confirmed import has_said, is_instead
from .verdict import leads_back, leads_to_login, shows_again, tells_error, took_step

if TYPE_CHECKING:
    from django.core.handlers.wsgi import WSGIRequest

    from ..sent import Submission

#: Bytes of a streamed response that are waited for.
STREAM_MOST: Final = 16 * 1024 * 1024

_Outcome = SubmissionAct.Outcome
_SAY_SO = (
    "If it has taken it, let it say so: by a step of a journey, or confirm(request, response, taken=True)."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """What a view finds as ``request.qaprod_replay``: this is a kept submission's replay.

    ``key`` is the same for every attempt, and for nothing else: an idempotency key to pass on. ``at`` is when
    it was sent, ``attempt`` counts from 1, ``who`` has asked for it.
    """

    id: str
    key: str
    at: datetime
    attempt: int
    who: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a replay went: ``outcome`` is a ``SubmissionAct.Outcome``, ``why`` is for staff."""

    id: str
    outcome: str
    status: int | None
    why: str = ""
    failure: str = ""


class NotSettledError(QAProdError):
    """Raised within the view's transaction so that its work is rolled back; the visitor's answer is kept."""

    def __init__(self, message: str, *, response: HttpResponseBase) -> None:
        super().__init__(message)
        self.response = response


class ClaimLostError(NotSettledError):
    """The replay took so long that another may have been begun."""


class Run:
    """A replay under way."""

    def __init__(self, claim: Claim, submission: Submission) -> None:
        self.claim = claim
        self.submission = submission
        self.request_id = os.urandom(16).hex()
        #: Whether something of the view's work may last although there was no success.
        self.may_last = False
        #: What the view has raised.
        self.error: Exception | None = None
        self.outcome = ""
        self.why = ""

    def refuse(self, why: str) -> None:
        """Say that it must not or did not take effect."""
        self.outcome, self.why = _Outcome.REFUSED, why


def run_of(request: HttpRequest) -> Run:
    """Return the replay that a request is."""
    return cast("Run", cast("Any", request)._qaprod_run)


def replay(pk: str) -> Outcome | None:
    """Replay a queued submission; nothing if another does, or it is not queued.

    Call it in a thread of its own in which no transaction is open. Raises when there is no database; what was
    begun then counts as cut off after ``replays.TTL``.
    """
    claim = replays.claim(pk)
    # What the host's middleware leaves behind (language, time zone, URLconf) is gone afterwards.
    return None if claim is None else contextvars.Context().run(_replay, claim)


def begin(request: HttpRequest) -> None:
    """Note that a view is called of which nothing takes back what it does.

    Called by ``serve_form``, not before: what controls access stands in front of it, and may refuse.
    """
    run_of(request).may_last = True


def settle(request: HttpRequest, response: HttpResponseBase, valid: bool | None) -> None:
    """Store that a replay has taken effect, together with that effect.

    Called by ``serve_form`` when the view has answered, within its transaction. Raises ``NotSettledError``
    when there was no success, or the claim was lost, so that nothing is left of it.
    """
    run = run_of(request)
    run.outcome, run.why = _judged(run, request, response, valid)
    if run.outcome != _Outcome.SUCCEEDED:
        raise NotSettledError(run.why, response=response)
    store = replays.settle if run.claim.rescued.transactional else replays.settle_late
    if not store(run.claim, status=response.status_code, request_id=run.request_id):
        run.outcome, run.why = (
            _Outcome.INTERRUPTED,
            "It took too long, or the visitor sent it again meanwhile.",
        )
        raise ClaimLostError(run.why, response=response)
    # The view's work may be committed on one database, and this on another not.
    run.may_last = True


def _replay(claim: Claim) -> Outcome:
    try:
        submission = submissions.read(claim.act)
    except (UnreadableError, NoKeyError) as error:
        return _given_back(claim, Ending(outcome=_Outcome.FAILED, why=str(error)))
    doubt = RescuedSubmission.Doubt.VISITOR
    # Whoever has confirmed that it had no effect has not been told yet that it would be nobody's.
    if submission.user_unknown and claim.rescued.in_doubt != doubt:
        why = "Nobody could tell who was signed in when it was sent."
        return _given_back(claim, Ending(outcome=_Outcome.REFUSED, why=why, doubt=doubt))
    run = Run(claim, submission)
    response = _answered(run)
    try:
        return _concluded(run, response)
    finally:
        if response is not None:
            # What ends a request for the host, and for its connections.
            response.close()


def _answered(run: Run) -> HttpResponseBase | None:
    # Not before it is needed: they load the host's middleware.
    from . import resending
    from .handler import handler

    request = resending.request_of(resending.environ(run.submission, run.request_id))
    _introduce(request, run)
    context.enter(context.Context(request))
    try:
        response = handler().answer(request)
    except Exception as error:  # noqa: BLE001 - a replay that fails is an attempt, and the next one is to run
        run.error = error
        report_exception(error, kind="unhandled", name=run.claim.rescued.name)
        return None
    if response.streaming:
        _consume(response)
    return response


def _introduce(request: WSGIRequest, run: Run) -> None:
    rescued = run.claim.rescued
    marked = cast("Any", request)
    marked._qaprod_run = run
    marked.qaprod_replay = Replay(
        id=rescued.pk,
        key=rescued.key,
        at=rescued.at,
        attempt=rescued.attempts,
        who=rescued.decided_by,
    )


@guard.guarded("replays.stream")
def _consume(response: Any) -> None:
    """Let a streamed response do its work."""
    if response.is_async:
        async_to_sync(_aconsume)(response.streaming_content)
        return
    length = 0
    for part in response.streaming_content:
        length += len(part)
        if length > STREAM_MOST:
            break


async def _aconsume(parts: AsyncIterator[bytes]) -> None:
    length = 0
    async for part in parts:
        length += len(part)
        if length > STREAM_MOST:
            break


def _concluded(run: Run, response: HttpResponseBase | None) -> Outcome:
    """Ask the database what became of it: the transaction may have failed after ``settle``."""
    status = response.status_code if response is not None else None
    rescued = replays.settled(run.claim)
    if rescued is None:
        return _given_back(run.claim, _ending(run, response))
    with translation.override(run.submission.locale or None):
        signals.tell(signals.submission_replayed, rescued.name, rescued=rescued, response=response)
    return Outcome(id=rescued.pk, outcome=_Outcome.SUCCEEDED, status=status)


def _ending(run: Run, response: HttpResponseBase | None) -> Ending:
    outcome, why, failure = _why(run, response)
    doubt = ""
    # Also when it counts as refused: what was done remains.
    if run.may_last and not run.claim.rescued.transactional:
        doubt = run.claim.rescued.in_doubt or RescuedSubmission.Doubt.UNTRANSACTED
    return Ending(
        outcome=outcome,
        why=why,
        status=response.status_code if response is not None else None,
        failure=failure,
        request_id=run.request_id,
        doubt=doubt,
    )


def _why(run: Run, response: HttpResponseBase | None) -> tuple[str, str, str]:
    """Return the outcome, the words for staff and the failure's fingerprint."""
    if run.error is not None:
        # Its words may be those that were sent; they stand where a failure's stand, scrubbed.
        return _Outcome.FAILED, type_name(type(run.error)), link_of(run.error)[1]
    if run.outcome and run.outcome != _Outcome.SUCCEEDED:
        return run.outcome, run.why, ""
    status = response.status_code if response is not None else 500
    if run.outcome:
        return _Outcome.FAILED, f"What it had done was rolled back; the answer had status {status}.", ""
    outcome = _Outcome.FAILED if status >= 500 else _Outcome.REFUSED
    return outcome, f"Its view was not reached; the answer had status {status}.", ""


def _given_back(claim: Claim, ending: Ending) -> Outcome:
    held = replays.give_back(claim, ending)
    if held and ending.outcome == _Outcome.FAILED:
        replays.call_off(claim)
    return Outcome(
        id=claim.rescued.pk,
        outcome=ending.outcome if held else _Outcome.INTERRUPTED,
        status=ending.status,
        why=ending.why,
        failure=ending.failure,
    )


def _judged(
    run: Run, request: HttpRequest, response: HttpResponseBase, valid: bool | None
) -> tuple[str, str]:
    """Return whether what a view answers says that it has taken the submission, and why not.

    Where nobody can tell, it waits again: that is seen, and what counts as replayed is never looked at.
    """
    status, said = response.status_code, has_said(request)
    if is_instead(response):
        return _Outcome.FAILED, "The view passes on what another view was served instead of its answer."
    if status >= 400:
        return _Outcome.FAILED, f"The view answered with status {status}."
    if said is False:
        return _Outcome.REFUSED, "The view says that it has not taken it."
    if said or took_step(run.claim.rescued.journey):
        return _Outcome.SUCCEEDED, ""
    refused = _refused(run, request, response, valid)
    return (_Outcome.REFUSED, refused) if refused else (_Outcome.SUCCEEDED, "")


def _refused(run: Run, request: HttpRequest, response: HttpResponseBase, valid: bool | None) -> str:
    """Return why an answer looks like a refusal, nothing if it looks like success."""
    if tells_error(request):
        return "The view tells the visitor of an error."
    if response.status_code >= 300:
        if leads_to_login(request, response):
            return "The view wants the visitor to sign in."
        return f"The view leads back to the form. {_SAY_SO}" if leads_back(request, response) else ""
    if valid is None:
        words = "Nobody can tell whether it was taken; the view answered with status"
        return f"{words} {response.status_code}. {_SAY_SO}"
    if not valid:
        return "The form is not valid as it was sent."
    again = shows_again(response, {name for name, _ in run.submission.fields})
    return f"The view shows the form again. {_SAY_SO}" if again else ""
