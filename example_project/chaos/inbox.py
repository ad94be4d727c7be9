"""What is in the team's inbox."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

from django.conf import settings
from django.utils import timezone

MOST_SHOWN = 40
_NAME = re.compile(r"[0-9]+-[0-9]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """One message, as it came."""

    name: str
    at: datetime
    subject: str
    severity: str
    kind: str
    text: str
    html: str


def newest() -> list[Mail]:
    """Return what came last, the newest first."""
    names = sorted((path.stem for path in Path(settings.INBOX_DIR).glob("*.eml")), reverse=True)
    return [mail for name in names[:MOST_SHOWN] if (mail := read(name)) is not None]


def read(name: str) -> Mail | None:
    """Return a message, ``None`` when there is none of that name."""
    path = Path(settings.INBOX_DIR) / f"{name}.eml"
    if not _NAME.fullmatch(name) or not path.exists():
        return None
    message = message_from_bytes(path.read_bytes(), policy=policy.default)
    assert isinstance(message, EmailMessage)
    at = datetime.fromtimestamp(int(name.partition("-")[0]) / 1e9, timezone.get_default_timezone())
    return Mail(
        name=name,
        at=at,
        subject=str(message["Subject"]),
        severity=str(message.get("X-QAProd-Severity", "")),
        kind=str(message.get("X-QAProd-Kind", "")),
        text=_part(message, "plain"),
        html=_part(message, "html"),
    )


def _part(message: EmailMessage, kind: str) -> str:
    found = message.get_body(preferencelist=(kind,))
    return str(found.get_content()) if found is not None else ""
