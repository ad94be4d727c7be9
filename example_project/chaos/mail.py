"""The demo's mail server: a directory, which refuses every second message when told to."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from smtplib import SMTPServerDisconnected

from django.core.mail import EmailMessage
from django.core.mail.backends.filebased import EmailBackend as FileBackend

from . import faults

_turn = itertools.count()


class EmailBackend(FileBackend):
    """Write each message to a file, unless the fault says no."""

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        if faults.on("flaky-email") and next(_turn) % 2 == 0:
            raise SMTPServerDisconnected("Connection unexpectedly closed: 421 4.3.2 try again later")
        return super().send_messages(email_messages) or 0
