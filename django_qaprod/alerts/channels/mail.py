"""By e-mail, with Django's own mail: whatever backend, ``MAILERS`` or ``EMAIL_*``."""

from __future__ import annotations

import re
import smtplib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from email.utils import parseaddr
from typing import Any, NamedTuple, cast

from django.conf import settings
from django.core import mail
from django.core.mail import EmailMultiAlternatives
from django.core.mail.backends.base import BaseEmailBackend

from ...exceptions import ChannelError
from ...text import one_line
from . import masking, wording
from .base import Message, PartlySentError
from .taken import Taken

#: Seconds for each step of the conversation with a mail server where the settings give none: it could hang.
TIMEOUT = 15.0

_PRIORITY = {"critical": "1", "error": "2"}
# What a server says of one message or recipient; after all else there is no use in going on with it.
_ABOUT_ONE = (smtplib.SMTPRecipientsRefused, smtplib.SMTPSenderRefused, smtplib.SMTPDataError, ValueError)


class Email:
    """Sends to each recipient apart, so that one who is refused is known and costs the others nothing.

    All see to whom it went. ``Message-ID`` is made of the message's id: sent again, it is the same.
    """

    def __init__(
        self, name: str, *, email: Sequence[str], sender: str = "", mailer: str = "", timeout: float = TIMEOUT
    ) -> None:
        self.name = name
        self.recipients = tuple(email)
        self._sender = sender
        self._mailer = mailer
        self._timeout = timeout
        self._taken = Taken()

    def send(self, message: Message, /) -> None:
        """Send the message.

        Raises ``ChannelError`` when nobody got it, ``PartlySentError`` when somebody did not.
        """
        wanted = [one for one in self.recipients if one not in self._taken.by(message.id)]
        if not wanted:
            return
        backend, opened = self._backend(), False
        try:
            backend.open()
            opened = True
            refused = list(self._refused(backend, message, wanted))
        except Exception as error:  # noqa: BLE001 - a backend is the host's, and raises what it likes
            refused = [self._refusal("", error)]
        finally:
            # It is sent; that the server does not say goodbye is no news.
            with suppress(Exception):
                backend.close()
        if refused:
            words = "; ".join(one.words for one in refused)
            if self._taken.by(message.id):
                raise PartlySentError(words)
            permanent = all(one.permanent for one in refused)
            raise ChannelError(words, permanent=permanent, unsent=not opened)

    def secrets(self) -> set[str]:
        """Return the passwords with which the host's mail is sent."""
        options = getattr(settings, "MAILERS", {}).get(self._mailer or "default", {}).get("OPTIONS", {})
        # Not asked for where there is ``MAILERS``: Django 6.1 has none then.
        password = options.get("password") if options else getattr(settings, "EMAIL_HOST_PASSWORD", "")
        return {str(password)} if password else set()

    def _refused(
        self, backend: BaseEmailBackend, message: Message, wanted: Sequence[str]
    ) -> Iterator[_Refusal]:
        for recipient in wanted:
            try:
                sent = backend.send_messages([self._written(message, recipient)])
            except _ABOUT_ONE as error:
                yield self._refusal(recipient, error)
            else:
                # Some backends say nothing; one that fails silently says zero.
                if sent == 0:
                    yield _Refusal(f"{recipient}: the mail backend sent nothing", permanent=False)
                else:
                    self._taken.add(message.id, recipient)

    def _refusal(self, recipient: str, error: Exception) -> _Refusal:
        code, said = _answer(error)
        words = masking.mask(": ".join(filter(None, (recipient, said))), self.secrets())
        # A password that is wrong will be put right, and the same message can go then.
        permanent = (500 <= code < 600 and not isinstance(error, smtplib.SMTPAuthenticationError)) or (
            isinstance(error, ValueError) and not isinstance(error, OSError)
        )
        return _Refusal(words, permanent=permanent)

    def _written(self, message: Message, recipient: str) -> EmailMultiAlternatives:
        sender = self._sender or _own("SERVER_EMAIL") or settings.DEFAULT_FROM_EMAIL
        headers = {
            "Message-ID": f"<{_atom(message.id)}@{_domain(sender)}>",
            "To": ", ".join(self.recipients),
            # RFC 3834: no holiday reply is wanted.
            "Auto-Submitted": "auto-generated",
            "X-Auto-Response-Suppress": "All",
            "X-QAProd-Kind": one_line(message.kind, 40),
            "X-QAProd-Severity": one_line(message.severity, 40),
            "X-Priority": _PRIORITY.get(message.severity, "3"),
        }
        written = EmailMultiAlternatives(
            subject=one_line(
                f"{_own('EMAIL_SUBJECT_PREFIX')}{wording.subject(message)}", wording.MAX_SUBJECT + 50
            ),
            body=wording.text(message),
            from_email=sender,
            to=[recipient],
            headers=headers,
        )
        if html := wording.html(message):
            written.attach_alternative(html, "text/html")
        return written

    def _backend(self) -> BaseEmailBackend:
        # Django 6.1 has ``mailers``, which also know the older settings; ``get_connection`` warns there.
        mailers: Any = getattr(mail, "mailers", None)
        backend: Any
        if mailers is None:
            backend = mail.get_connection()
        else:
            backend = mailers[self._mailer] if self._mailer else mailers.default
        if getattr(backend, "timeout", 0) is None:
            backend.timeout = self._timeout
        return cast("BaseEmailBackend", backend)


class _Refusal(NamedTuple):
    """Why one recipient, or none, got it."""

    words: str
    permanent: bool


def _answer(error: Exception) -> tuple[int, str]:
    """Return what the server answered, its code first; without an answer what the error says."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        code, said = next(iter(error.recipients.values()))
        return code, f"{code} {_decoded(said)}"
    if isinstance(error, smtplib.SMTPResponseException):
        return error.smtp_code, f"{error.smtp_code} {_decoded(error.smtp_error)}"
    return 0, f"{type(error).__name__}: {error}"


def _decoded(said: bytes | str) -> str:
    return said.decode("utf-8", "replace") if isinstance(said, bytes) else said


def _own(name: str) -> str:
    """Return a setting if it is the host's own: Django's default says nothing of the site."""
    own = settings.is_overridden(name)  # type: ignore[misc]
    return str(getattr(settings, name)) if own else ""


def _atom(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]", "-", text)[:100]


def _domain(sender: str) -> str:
    """Return a domain for message ids: the sender's. To ask for this machine's name may take long."""
    domain = parseaddr(sender)[1].rpartition("@")[2]
    return domain if domain.isascii() and re.fullmatch(r"[\w.-]+", domain) else "localhost"
