"""Finds out at a replay who it was, where nobody could tell when it was sent.

A dead database knows no sessions either. So the session's key was kept, encrypted with the rest; it is asked
now, with the same right as the visitor's browser would have: what has expired or ended is not there any more.
"""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module
from typing import Any

from django.apps import apps
from django.conf import settings as django_settings
from django.contrib.auth import SESSION_KEY, get_user
from django.http import HttpRequest

from ..pipeline import guard
from ..sent import Submission
from .quiet import QuietSession
from .submission import SESSION


def recognised(submission: Submission) -> Submission:
    """Return the submission with what its visitor's session says by now; as it is, if there is none."""
    if not submission.session_key:
        return submission
    stored: dict[str, Any] = {}
    with guard.guard("replays.session"):
        stored = _stored(submission.session_key)
    if not stored:
        return submission
    missing = [name.removeprefix(SESSION) for name in submission.withheld if name.startswith(SESSION)]
    known = replace(
        submission, session={**submission.session, **{key: stored[key] for key in missing if key in stored}}
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
