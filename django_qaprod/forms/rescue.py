"""Keeps what was sent, durably, before the visitor is told so: in the database, or encrypted in the spool."""

from __future__ import annotations

import hashlib
import json
import os
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from django.conf import settings as django_settings
from django.db import connections
from django.http import HttpRequest
from django.utils.crypto import salted_hmac

from .. import context, vault
from ..conf import events_alias, in_test_run, settings
from ..exceptions import CannotKeepError, NoKeyError, SpoolUnavailableError
from ..pipeline import guard, identity, spool
from ..records import new_id
from ..sent import Submission, pack, reference_of
from ..store import submissions
from ..store.submissions import NewSubmission
from . import signals, waiting
from .confirmed import NONCE
from .submission import SESSION

if TYPE_CHECKING:
    from .options import ServeOptions

_SALT = "django_qaprod.rescue"
_TOKEN = "csrfmiddlewaretoken"  # noqa: S105 - the name of an input
# A browser sends no longer cookie; with signed cookies the whole session is in it.
_SESSION_KEY_MOST = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """Where a submission is kept. ``duplicate``: it was kept before, under the same ``reference``.

    ``besides`` are the names of what came and is none of the form's.
    """

    id: str
    key: str
    reference: str
    duplicate: bool
    where: Literal["database", "spool"]
    besides: tuple[str, ...] = ()


def keep(
    request: HttpRequest,
    submission: Submission,
    *,
    options: ServeOptions,
    name: str,
    subject: str = "",
    failure: str = "",
    occurrence: str = "",
    in_doubt: str = "",
    transactional: bool = True,
    database: bool = True,
) -> Kept:
    """Keep what was sent; when this returns, it survives the death of process, database and machine.

    ``failure`` is a fingerprint and ``occurrence`` a record id: that record may be stored later. Without
    ``database`` it is not asked, because it is known to be dead. Raises ``CannotKeepError``.
    """
    base, session_key = _base(request, submission), _session_key(request, submission)
    key = key_of(base, submission, session_key)
    at = time.time()
    current = context.current() or context.Context(request)
    new = NewSubmission(
        # The last digits are the reference: of the key, so that a second click gets the same.
        id=new_id(at)[:17] + key[:15],
        key=key,
        at=at,
        name=name,
        content=_encrypted(submission),
        journey=options.journey,
        subject=subject,
        route=current.route,
        user=identity.user_of(request),
        request_id=current.request_id,
        release=settings().release,
        failure=failure,
        occurrence=occurrence,
        # Whoever replays it is to know that it would be an anonymous visitor's.
        in_doubt=in_doubt or ("visitor" if submission.user_unknown else ""),
        transactional=transactional,
        healing=options.replay,
        session_key=session_key,
        base=base if session_key else "",
    )
    kept = replace(_stored(new, database=database), besides=_besides(request, submission))
    if not kept.duplicate:
        signals.tell(signals.submission_rescued, name, submission=submission, kept=kept, request=request)
    return kept


def _stored(new: NewSubmission, *, database: bool) -> Kept:
    if new.session_key and not in_test_run():
        # In the spool it waits until the visitor's session can be asked.
        try:
            return _in_spool(new)
        except CannotKeepError:
            if not database:
                raise
    if not database or not _commits():
        return _in_spool(new)
    try:
        with guard.ours():
            return _in_database(replace(new, session_key="", base=""))
    except CannotKeepError:
        raise
    except Exception as error:  # noqa: BLE001 - the guard's other half
        guard.caught("rescue.database", error)
        # In here: that the spool does not take it either comes from a database that is not to be asked again.
        return _in_spool(new)


def _encrypted(submission: Submission) -> bytes:
    try:
        return vault.encrypt(pack(submission))
    except NoKeyError as error:
        raise CannotKeepError(str(error)) from error


def _session_key(request: HttpRequest, submission: Submission) -> str:
    """Return the key of the session that can tell later what nobody can tell now (``recognising``)."""
    if not submission.user_unknown and not any(name.startswith(SESSION) for name in submission.withheld):
        return ""
    key = request.COOKIES.get(django_settings.SESSION_COOKIE_NAME, "")
    return key if len(key) <= _SESSION_KEY_MOST else ""


def key_of(base: str, submission: Submission, session_key: str) -> str:
    """Return the idempotency key: another for whoever else sends the same, from the same page.

    Where nobody can tell who it was, ``session_key`` stands for the visitor until somebody can.
    """
    visitor = ("session", session_key) if submission.user_unknown else ("user", submission.user)
    return salted_hmac(_SALT, json.dumps((base, *visitor)), algorithm="sha256").hexdigest()


def _base(request: HttpRequest, submission: Submission) -> str:
    """Return the same for a double click, and another for the same words in a page that was loaded anew."""
    nonce = request.POST.get(NONCE) or request.POST.get(_TOKEN)
    if not nonce:
        return os.urandom(32).hex()
    files = [(one.field, one.name, hashlib.sha256(one.content).hexdigest()) for one in submission.files]
    # As JSON, so that no two ways of cutting the same text are the same.
    sent = json.dumps((nonce, submission.path, submission.fields, files))
    return salted_hmac(_SALT, sent, algorithm="sha256").hexdigest()


def _besides(request: HttpRequest, submission: Submission) -> tuple[str, ...]:
    known = {name for name, _ in submission.fields} | {file.field for file in submission.files}
    return tuple(sorted({*request.POST, *request.FILES} - known - set(submission.withheld) - {NONCE, _TOKEN}))


def _in_database(new: NewSubmission) -> Kept:
    if submissions.is_full(besides=new.key):
        guard.dropped("rescue.full")
        raise CannotKeepError("As many submissions wait as QAPROD['MAX_ROWS']['submissions'] allows.")
    return _kept(new, submissions.save(new), "database")


def _commits() -> bool:
    """Whether a row is there for good as soon as it is written.

    Within a transaction of somebody else's, opened by a middleware for instance, it may be rolled back after
    the visitor was told that it is there; so that goes to the spool. A host's test case is such a transaction
    as well, but there the row is what its tests want to see.
    """
    connection = connections[events_alias()]
    if connection.in_atomic_block:
        return in_test_run()
    if connection.connection is None:
        return bool(connection.settings_dict["AUTOCOMMIT"])
    return connection.autocommit


def _in_spool(new: NewSubmission) -> Kept:
    path = spool.directory()
    if path is None:
        raise CannotKeepError(f"The database does not take it, and {spool.status().problem}")
    return _kept(new, _written(path, new), "spool")


def _written(path: Path, new: NewSubmission) -> str:
    try:
        return waiting.write(path, new)
    except (OSError, SpoolUnavailableError) as error:
        raise CannotKeepError(f"Neither database nor spool takes it: {error}") from error


def _kept(new: NewSubmission, kept: str, where: Literal["database", "spool"]) -> Kept:
    return Kept(id=kept, key=new.key, reference=reference_of(kept), duplicate=kept != new.id, where=where)
