"""The demo's mail server: two directories. What goes to schools is refused now and then when told to."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Sequence
from pathlib import Path
from smtplib import SMTPServerDisconnected

from django.conf import settings
from django.core.mail import EmailMessage
from django.core.mail.backends.filebased import EmailBackend as FileBackend

from . import faults

_turn = itertools.count()


class EmailBackend(FileBackend):
    """Write each message to a file, unless the fault says no. The team's own mail is another server's."""

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        to_team = [message for message in email_messages if message.recipients() == [settings.TEAM]]
        for message in to_team:
            deliver(message)
        others = [message for message in email_messages if message not in to_team]
        if not others:
            return len(to_team)
        if faults.on("flaky-email") and next(_turn) % 2 == 0:
            raise SMTPServerDisconnected("Connection unexpectedly closed: 421 4.3.2 try again later")
        return len(to_team) + (super().send_messages(others) or 0)


def deliver(message: EmailMessage) -> None:
    """Put a message into the team's inbox."""
    directory = Path(settings.INBOX_DIR)
    directory.mkdir(parents=True, exist_ok=True)
    name = f"{time.time_ns():020d}-{os.getpid()}"
    # Who looks sees the whole of it or nothing.
    new = directory / f"{name}.new"
    new.write_bytes(message.message().as_bytes())
    new.rename(directory / f"{name}.eml")
