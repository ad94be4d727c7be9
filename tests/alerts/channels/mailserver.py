"""A real SMTP server in this process, which can refuse whom it likes."""

from __future__ import annotations

import email
import email.policy
from email.message import EmailMessage
from typing import Any, Self

import django
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from tests.servers import free_port


class MailServer:
    """Takes mail on a port of 127.0.0.1.

    ``refuses`` says by recipient what is answered, ``answers`` what to all mail.
    """

    def __init__(self) -> None:
        self.refuses: dict[str, str] = {}
        self.answers = "250 taken"
        self.envelopes: list[Envelope] = []
        self.port = free_port()
        self._controller = Controller(self, hostname="127.0.0.1", port=self.port)

    def __enter__(self) -> Self:
        self._controller.start()
        return self

    def __exit__(self, *args: object) -> None:
        self._controller.stop()

    def use(self, settings: Any, *, timeout: float | None = 5) -> None:
        use(settings, self.port, timeout=timeout)

    @property
    def messages(self) -> list[EmailMessage]:
        parse = email.message_from_bytes
        return [
            parse(one.content or b"", policy=email.policy.default)  # type: ignore[arg-type]
            for one in self.envelopes
        ]

    @property
    def recipients(self) -> list[str]:
        return [one for envelope in self.envelopes for one in envelope.rcpt_tos]

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address in self.refuses:
            return self.refuses[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        if self.answers.startswith("250"):
            self.envelopes.append(envelope)
        return self.answers


def use(settings: Any, port: int, *, timeout: float | None = 5, mailers: bool | None = None) -> None:
    """Have Django's mail go to that port: by ``MAILERS`` where Django knows it, unless told otherwise."""
    if django.VERSION >= (6, 1) if mailers is None else mailers:
        options: dict[str, Any] = {"host": "127.0.0.1", "port": port}
        if timeout is not None:
            options["timeout"] = timeout
        backend = "django.core.mail.backends.smtp.EmailBackend"
        settings.MAILERS = {name: {"BACKEND": backend, "OPTIONS": options} for name in ("default", "alerts")}
    else:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_TIMEOUT = "127.0.0.1", port, timeout
