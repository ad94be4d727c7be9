"""By webhook: JSON, signed as in Standard Webhooks, so that a receiver can be sure who sent it.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import re
import time
from collections.abc import Iterable, Sequence

from ...exceptions import ChannelError
from ...text import clean_json
from .. import safe_http
from . import masking, wording
from .base import Message

_PREFIX = "whsec_"
# Of an answer that will be the same for the same message. Others may be put right: a token, a deployment.
_PERMANENT = frozenset({400, 405, 410, 411, 413, 414, 415, 422, 431})
_USER_AGENT = "django-qaprod"


class Webhook:
    """Posts messages to one address. With several secrets each signs, so that they can be changed in turn."""

    #: It comes back in time by itself.
    bounded = True

    def __init__(
        self,
        name: str,
        *,
        webhook: str,
        secret: Sequence[str] = (),
        allow_private: bool = False,
        timeout: float = safe_http.TIMEOUT,
    ) -> None:
        self.name = name
        self._url = webhook
        self._secrets = tuple(secret)
        self._allow_private = allow_private
        self._timeout = timeout

    def send(self, message: Message, /) -> None:
        """Send the message.

        Raises ``ChannelError`` when the answer is not one of success; a redirect is none.
        """
        body = json.dumps(payload(message), ensure_ascii=False).encode()
        answer = safe_http.request(
            "POST",
            self._url,
            body=body,
            headers=self._headers(message, body),
            timeout=self._timeout,
            allow_private=self._allow_private,
        )
        if 300 <= answer.status < 400:
            raise ChannelError(
                f"It answered {answer.words}: redirects are not followed; give the address that it leads to.",
                permanent=True,
            )
        if not 200 <= answer.status < 300:
            raise ChannelError(f"It answered {answer.words}.", permanent=answer.status in _PERMANENT)

    def secrets(self) -> set[str]:
        """Return what must be said nowhere: of the address all but the host, and the secrets."""
        bare = {secret.removeprefix(_PREFIX) for secret in self._secrets}
        return masking.of_url(self._url) | set(self._secrets) | bare

    def _headers(self, message: Message, body: bytes) -> dict[str, str]:
        key = re.sub(r"[^!-~]", "-", message.id)[:100]
        headers = {
            "Content-Type": "application/json",
            "User-Agent": _USER_AGENT,
            "Idempotency-Key": key,
            "webhook-id": key,
            "webhook-timestamp": str(int(time.time())),
        }
        if self._secrets:
            signed = b".".join((key.encode(), headers["webhook-timestamp"].encode(), body))
            headers["webhook-signature"] = " ".join(signatures(self._secrets, signed))
        return headers


def payload(message: Message) -> dict[str, object]:
    """Return a message as JSON data; the same whenever it is sent."""
    return {
        "id": message.id,
        "type": f"alert.{message.kind}".replace(" ", "_"),
        "severity": message.severity,
        "subject": wording.subject(message),
        "text": wording.text(message),
        "look": message.look,
        "act": message.act,
        "data": clean_json(message.data),
    }


def signatures(secrets: Iterable[str], signed: bytes) -> list[str]:
    """Return the signature of ``id.timestamp.body`` by each secret: HMAC-SHA256, in base64."""
    digests = (hmac.digest(_key(secret), signed, hashlib.sha256) for secret in secrets)
    return [f"v1,{base64.b64encode(digest).decode()}" for digest in digests]


def _key(secret: str) -> bytes:
    """Return the bytes of a secret: base64 behind ``whsec_``, or the text itself."""
    if secret.startswith(_PREFIX):
        try:
            return base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
        except (binascii.Error, ValueError):
            raise ChannelError(f"A secret is no base64 behind {_PREFIX}.", permanent=True) from None
    return secret.encode()
