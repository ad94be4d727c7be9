"""Messages to send."""

from __future__ import annotations

from typing import Any

from django_qaprod.alerts.channels.base import Message

# Newlines, what calls everybody, NUL, half a pair of surrogates, what turns text around, and 100 kB.
HOSTILE = (
    "Down\r\nBcc: thief@example.org\n<!channel> @everyone \x00 \ud800 \u202egpj.exe [a](javascript:alert(1)) "
    + "x" * 100_000
)


def message(**changes: Any) -> Message:
    """Return a message."""
    given: dict[str, Any] = {
        "id": "0123456789abcdef0123456789abcdef",
        "kind": "firing",
        "severity": "error",
        "subject": "Applications fail",
        "text": "Applications fail: 3 in 5 minutes.\nLook: https://jobs.example.org/admin/\n",
        "html": "<p>Applications fail: 3 in 5 minutes.</p>",
        "look": "https://jobs.example.org/admin/",
        "data": {"rule": "applications fail", "value": 3},
    }
    return Message(**{**given, **changes})
