"""Who is told: the channels, how each did last, and a test by each."""

from __future__ import annotations

from collections.abc import Iterator

from ..alerts import channels
from ..clock import now
from ..conf import settings
from ..exceptions import ChannelError
from ..models import Channel
from ..store import channels as store
from .findings import Finding, error, ok, unknown, warning

_PART = "channels"
_IN_SETTINGS = "Look at what the checks say of it, and at the settings."


def of_channels() -> Iterator[Finding]:
    """Yield which channels there are, and how each did last."""
    names = channels.names()
    if not names:
        yield unknown(
            _PART, "There is none, and nobody in ADMINS: nobody is told.", "Set QAPROD['CHANNELS']."
        )
        return
    states = store.states()
    for name in names:
        yield _state(name, states.get(name))


def send_tests(*, who: str = "qaprod_doctor") -> Iterator[Finding]:
    """Send a test by each channel and by the last resort; yield whether it was taken."""
    for name in channels.names():
        try:
            channels.send_test(name, who=who)
        except ChannelError as problem:
            yield error(_PART, f"A test was not taken by {problem}", _IN_SETTINGS)
        else:
            yield ok(_PART, f"A test was taken by {name}.")
    options = settings().last_resort
    if options is not None:
        try:
            channels.send_apart(options, channels.trial(channels.LAST_RESORT, who))
        except ChannelError as problem:
            yield error(_PART, f"A test was not taken by the {problem}", _IN_SETTINGS)
        else:
            yield ok(_PART, "A test was taken by the last resort.")


def _state(name: str, row: Channel | None) -> Finding:
    if row is None:
        return unknown(_PART, f"{name} has never been used.", "Try it: qaprod_doctor --test-channels.")
    failed = f"{row.error} ({row.failed_at:%Y-%m-%d %H:%M})" if row.failed_at else ""
    if row.open_until is not None and row.open_until > now():
        message = f"{name} has failed {row.failures} times in a row and is left alone until "
        return error(_PART, f"{message}{row.open_until:%H:%M:%S}. {failed}", _IN_SETTINGS)
    if row.failures:
        return warning(_PART, f"{name} failed last: {failed}", _IN_SETTINGS)
    sent = f"sent last at {row.sent_at:%Y-%m-%d %H:%M}" if row.sent_at else "has sent nothing yet"
    return ok(_PART, f"{name} {sent}.")
