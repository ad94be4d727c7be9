"""By everything that Apprise speaks: Slack, Teams, PagerDuty, SMS and so on, each by a URL.

Apprise has clients of its own: what is said in ``safe_http`` does not hold for them. It logs what it does,
with addresses that are secrets; these are taken out.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence

from apprise import Apprise as Client
from apprise import AppriseAsset, AppriseResult, NotifyBase, NotifyFormat, NotifyType, OverflowMode

from ...exceptions import ChannelError
from . import masking, wording
from .base import Message, PartlySentError
from .taken import Taken

#: Characters of a service's messages below which it gets the short form.
SHORT_BELOW = 1000

_TYPES = {
    "info": NotifyType.INFO,
    "warning": NotifyType.WARNING,
    "error": NotifyType.FAILURE,
    "critical": NotifyType.FAILURE,
}
# Those that see the address, a path with a token in it for instance, and log it.
_LOGGERS = ("apprise", "urllib3.connectionpool", "urllib3.util.retry")
_STATUS = re.compile(r"(?:error|status|code)\D{0,3}([1-5]\d\d)\b")


class Apprise:
    """Sends to each of its addresses apart: one that fails costs the others nothing."""

    def __init__(self, name: str, *, apprise: Sequence[str]) -> None:
        self.name = name
        self._urls = tuple(apprise)
        self._taken = Taken()
        _keep_out_of_logs(self.secrets())

    def send(self, message: Message, /) -> None:
        """Send the message.

        Raises ``ChannelError`` when nobody took it, ``PartlySentError`` when one of the addresses did not.
        """
        failed: list[str] = []
        for number, url in enumerate(self._urls, start=1):
            if url in self._taken.by(message.id):
                continue
            if problem := _notify(url, message):
                failed.append(f"{kind(url)} ({number} of {len(self._urls)}): {problem}")
            else:
                self._taken.add(message.id, url)
        if failed:
            words = "; ".join(failed)
            raise PartlySentError(words) if self._taken.by(message.id) else ChannelError(words)

    def secrets(self) -> set[str]:
        """Return what must be said nowhere: all that its addresses consist of, but their kind."""
        return {secret for url in self._urls for secret in masking.of_url(url, host=True)}


def kind(url: str) -> str:
    """Return the service that an address is of: ``slack``. Never anything else of it."""
    scheme = url.partition("://")[0]
    return scheme if re.fullmatch(r"[a-z][a-z0-9_+-]{0,30}", scheme) else "?"


def understood(url: str) -> bool:
    """Whether Apprise knows what to do with an address. It asks nobody."""
    _keep_out_of_logs(masking.of_url(url, host=True))
    return isinstance(Client.instantiate(url, suppress_exceptions=True), NotifyBase)


def _notify(url: str, message: Message) -> str:
    """Send to one address; return why it was not taken, without anything of the address."""
    service = Client.instantiate(url, asset=_asset(), suppress_exceptions=True)
    if not isinstance(service, NotifyBase):
        return "Apprise does not understand this address"
    if "overflow=" not in url:
        # By default the service would refuse what is too long for it.
        service.overflow_mode = OverflowMode.TRUNCATE
    client = Client(asset=_asset())
    client.add(service)
    body, title = _words(service, message)
    result = client.notify(body=body, title=title, notify_type=_type(message), body_format=NotifyFormat.TEXT)
    return "" if result else ", ".join(("it was not taken", *_statuses(result)))


def _statuses(result: AppriseResult) -> list[str]:
    """Return what servers answered, of all that Apprise says the number alone."""
    said = [_STATUS.search(str(entry.message)) for one in result for entry in one.logs()]
    return [f"HTTP {found[1]}" for found in said if found][-1:]


def _words(service: NotifyBase, message: Message) -> tuple[str, str]:
    if 0 < service.body_maxlen < SHORT_BELOW:
        return wording.calling_nobody(wording.short(message)), ""
    return wording.calling_nobody(wording.text(message)), wording.calling_nobody(wording.subject(message))


def _type(message: Message) -> NotifyType:
    if message.kind == "resolved":
        return NotifyType.SUCCESS
    return _TYPES.get(message.severity, NotifyType.WARNING)


def _asset() -> AppriseAsset:
    asset = AppriseAsset(async_mode=False, app_id="django-qaprod", app_desc="django-qaprod")
    if hasattr(asset, "http_redirects"):
        # A redirected POST arrives as a GET without its message, and would count as sent.
        asset.http_redirects = False
    return asset


class _Mask(logging.Filter):
    """Takes what addresses consist of out of whatever is logged: Apprise sends in threads of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.secrets: frozenset[str] = frozenset()

    def filter(self, record: logging.LogRecord) -> bool:
        said = record.getMessage()
        masked = masking.mask(said, self.secrets)
        if masking.MASKED in masked:
            record.msg, record.args = masked, ()
        if self.secrets:
            record.exc_info = record.exc_text = None
        return True


_mask = _Mask()


def _keep_out_of_logs(secrets: set[str]) -> None:
    _mask.secrets |= secrets
    for name in _LOGGERS:
        # Once: a logger knows which it has.
        logging.getLogger(name).addFilter(_mask)
