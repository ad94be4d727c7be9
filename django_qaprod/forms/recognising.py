"""Finds out who it was, where nobody could tell when it was sent: the database or the session store was dead.

So the session's key waits in the spool with the submission, encrypted as all of it, and is asked as soon as
both answer again, with the same right as the visitor's browser would have: what has expired or ended by then
tells nothing. It goes no further than that: neither into the database nor to the host.
"""

from __future__ import annotations

import time
from dataclasses import replace
from importlib import import_module
from typing import Any

from django.apps import apps
from django.conf import settings as django_settings
from django.contrib.auth import SESSION_KEY, get_user
from django.db import connections
from django.http import HttpRequest

from .. import vault
from ..conf import events_alias
from ..exceptions import QAProdError
from ..models import RescuedSubmission, SubmissionAct
from ..pipeline import guard, identity
from ..sent import Submission, pack, unpack
from ..store.submissions import NewSubmission
from .outage import is_outage
from .quiet import QuietSession
from .rescue import key_of
from .submission import SESSION, Withheld, of_session

#: Seconds for which a submission waits for a session store that fails; then it is somebody's to look at.
PATIENCE = 900.0

#: Who has decrypted it, in the audit.
WHO = "qaprod"

_VISITOR = RescuedSubmission.Doubt.VISITOR


class SessionUnavailableError(QAProdError):
    """The session store fails; it may answer later."""


def recognised(new: NewSubmission, *, ask: bool = True) -> NewSubmission:
    """Return what waited in the spool with what its visitor's session says, and without the session's key.

    Where the session is gone, or could not be read for too long, nobody knows who it was, as before. It is
    decrypted only if there is somebody to ask; ``ask`` is false while it is known that the store fails.
    Raises ``NoKeyError``, ``UnreadableError`` and ``SessionUnavailableError``, and an error that
    ``is_outage`` when a database does not answer yet.
    """
    if not new.session_key:
        return new
    # Not every session store says so.
    with connections[events_alias()].cursor():
        pass
    submission = unpack(vault.decrypt(new.content)) if ask else None
    known = _asked(submission, new.session_key) if submission is not None else None
    if known is None and time.time() - new.at < PATIENCE:
        raise SessionUnavailableError("The session store fails.")
    known = known or submission
    if known is None:
        return replace(new, session_key="", base="")
    return replace(
        new,
        # Now that it is known who it was, the same kept in the database is known by it.
        key=key_of(new.base, known, new.session_key) if new.base else new.key,
        session_key="",
        base="",
        acts=(*new.acts, (SubmissionAct.Act.RECOGNISED, WHO, time.time())),
        content=vault.encrypt(pack(known)),
        user=new.user or identity.as_stored(known.user),
        in_doubt="" if new.in_doubt == _VISITOR and not known.user_unknown else new.in_doubt,
    )


def _asked(submission: Submission, key: str) -> Submission | None:
    try:
        return _known(submission, _stored(key))
    except Exception as error:
        # A guard that lets pass that a database does not answer: that says nothing of the session.
        if is_outage(error):
            raise
        guard.caught("rescue.session", error)
        return None


def _known(submission: Submission, stored: dict[str, Any]) -> Submission:
    if not stored:
        return submission
    asked = [name for name in submission.withheld if name.startswith(SESSION)]
    withheld = Withheld()
    session = of_session(stored, [name.removeprefix(SESSION) for name in asked], withheld)
    others = tuple(name for name in submission.withheld if name not in asked)
    known = replace(
        submission, session={**submission.session, **session}, withheld=(*others, *withheld.names())
    )
    if not submission.user_unknown:
        return known
    user = _user_of(stored)
    # A session that names somebody who is not let in by it any more was ended by a change of password.
    return replace(known, user=user, user_unknown=not user and SESSION_KEY in stored)


def _stored(key: str) -> dict[str, Any]:
    store = import_module(django_settings.SESSION_ENGINE).SessionStore(key)
    return dict(store.items())


def _user_of(stored: dict[str, Any]) -> str:
    if not apps.is_installed("django.contrib.auth"):
        return ""
    request = HttpRequest()
    # Django ends a session that it does not believe any more; that is not for us to do.
    request.session = QuietSession(stored)
    key = get_user(request).pk
    return "" if key is None else str(key)
