"""Submissions as visitors send them, for tests of what becomes of them."""

from __future__ import annotations

import time
from typing import Any

from cryptography.fernet import Fernet

from django_qaprod import vault
from django_qaprod.records import new_id
from django_qaprod.sent import SentFile, Submission, pack
from django_qaprod.store import submissions
from django_qaprod.store.submissions import NewSubmission

KEY = Fernet.generate_key().decode()
CANARY = "Xk9canaryQ7vZ2mLw8"


def sent(**fields: Any) -> Submission:
    """What a visitor sent."""
    values: dict[str, Any] = {
        "path": "/apply/7/",
        "host": "testserver",
        "secure": True,
        "locale": "en",
        "user": "17",
        "fields": (("name", "Ada"), ("letter", CANARY)),
        "files": (SentFile(field="cv", name="cv.pdf", content_type="application/pdf", content=b"%PDF\x00"),),
    }
    return Submission(**values | fields)


def new(
    key: str = "k", *, at: float | None = None, submission: Submission | None = None, **fields: Any
) -> NewSubmission:
    """A submission on its way into the store."""
    at = time.time() if at is None else at
    content = vault.encrypt(pack(submission or sent()))
    values = {"id": new_id(at), "key": key, "at": at, "name": "jobs.views.apply", "content": content}
    return NewSubmission(**values | fields)


def stored(key: str = "k", **fields: Any) -> str:
    """A submission in the store; its id."""
    return submissions.save(new(key, **fields))
