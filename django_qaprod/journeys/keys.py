"""The key of a subject: the text under which it is found again."""

from __future__ import annotations

from uuid import UUID

from django.db.models import Model

from ..exceptions import SubjectKeyError
from ..text import clean

MAX_LENGTH = 200

# A union of types would be made anew at each call.
_PLAIN = (str, int, UUID)


def subject_key(subject: object) -> str:
    """Return the key of a subject: a model instance's primary key, or a string, integer or UUID as it is.

    An instance and its primary key are the same subject; one journey is about one kind of subject.

    Raises ``SubjectKeyError`` for an unsaved instance, an empty or overlong text, and anything else.
    """
    if isinstance(subject, Model):
        subject = subject.pk
        if subject is None:
            raise SubjectKeyError("The subject is not saved yet, so it has no primary key: save it first.")
    if isinstance(subject, tuple):
        # A composite primary key.
        return ",".join(_plain(part) for part in subject)
    return _plain(subject)


def _plain(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, _PLAIN):
        raise SubjectKeyError(
            f"A value of type {type(value).__qualname__} cannot be the key of a subject: "
            "pass a saved model instance, a string, an integer or a UUID."
        )
    text = str(value)
    if not text or len(text) > MAX_LENGTH:
        raise SubjectKeyError(
            f"The key of a subject has 1 to {MAX_LENGTH} characters, not {len(text)}: pass its primary key."
        )
    return clean(text, MAX_LENGTH)
