"""Channels: how a message reaches people. ``QAPROD["CHANNELS"]`` says which there are.

A channel is one module beside this one, loaded when it is needed; what it raises leaves here as a
``ChannelError`` without its secrets.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from functools import cache, partial
from time import monotonic

from django.core.signals import setting_changed
from django.utils.translation import gettext as _

from ...exceptions import ChannelError
from ...pipeline import guard
from ...store import channels as store
from ...store import connections
from .. import deadlines
from . import configured, masking
from .base import Channel, Message, PartlySentError
from .configured import LAST_RESORT, Options

__all__ = [
    "LAST_RESORT",
    "WITHIN",
    "FullError",
    "Options",
    "chain",
    "load",
    "names",
    "options",
    "send",
    "send_apart",
    "send_test",
    "taker",
    "trial",
]

#: Seconds after which a channel that does not come back is left to itself.
WITHIN = 60.0
#: Seconds after which no further channel is begun with: a claim in the outbox lasts for three minutes, and
#: then others would send the same.
NONE_AFTER = 110.0


class FullError(ChannelError):
    """None took it, as what would stand in has taken as many messages within the hour as it may."""


def names() -> tuple[str, ...]:
    """Return the names of the channels: those of the settings, or ``admins`` where only ``ADMINS`` is set."""
    return tuple(configured.given())


def options(name: str) -> Options:
    """Return what is asked of any channel; nothing of one that does not exist."""
    return configured.common(configured.given().get(name, {}))


def load(name: str) -> Channel:
    """Return the channel of that name, made at the first call.

    Raises ``ChannelError`` when there is none, or its settings make none.
    """
    return _load(name, os.getpid())


def send(name: str, message: Message, *, is_full: Callable[[str], bool] = lambda one: False) -> str:
    """Send a message by a channel or, when it fails or is left alone, by its fallback, and so on.

    One that ``is_full`` stands in for no other. Return the name of the channel that took it. Not within a
    transaction: what became of it is written down for each channel. Raises ``FullError`` when none took it
    and one was full, else ``ChannelError``, permanent when it is so for all; either is ``unsent`` when
    none of them can have got anything of it.
    """
    errors: list[ChannelError] = []
    until = monotonic() + NONE_AFTER
    for one in _ways(name):
        error = _left_alone(one) or (one != name and _full(one, is_full)) or _attempt(one, message)
        if error is None:
            return one
        errors.append(error)
        if monotonic() > until:
            errors.append(ChannelError("There was no time left for others.", unsent=True))
            break
    words = " ".join(str(error) for error in errors)
    unsent = all(error.unsent for error in errors)
    if any(isinstance(error, FullError) for error in errors):
        raise FullError(words, unsent=unsent)
    raise ChannelError(words, permanent=all(error.permanent for error in errors), unsent=unsent)


def taker(name: str) -> str:
    """Return the channel that is tried first for this one: itself, unless it is left alone or gone.

    Nothing while all that might be tried are left alone: then nothing of it is to be claimed, as it would
    wait under an id of its own in place of going with others.
    """
    known = names()
    ways = [one for one in _ways(name) if one in known]
    # Where there is none whatever, it is for ``send`` to say so.
    return next((one for one in ways if _left_alone(one) is None), "" if ways else name)


def _ways(name: str) -> tuple[str, ...]:
    """Return the channels that are tried for one, in turn.

    For one that is not there any more the others stand in: what is to be told was stored when it was.
    """
    return (*chain(name), *(() if name in names() else names()))


def send_test(name: str, *, who: str = "") -> None:
    """Send a test by this channel and no other, even while it is left alone; ``who`` asked for it.

    Raises ``ChannelError`` when it was not taken.
    """
    if error := _attempt(name, trial(name, who)):
        raise error


def send_apart(given: Mapping[str, object], message: Message) -> None:
    """Send by a channel of these options, touching no database. Raises ``ChannelError``."""
    error = _tried(LAST_RESORT, given, partial(configured.make, LAST_RESORT, given), message)
    if error is not None and not isinstance(error, PartlySentError):
        raise error


def chain(name: str) -> Iterator[str]:
    """Yield a channel and its fallbacks in turn, each once."""
    seen: list[str] = []
    while name and name not in seen:
        seen.append(name)
        yield name
        name = options(name).fallback


@cache
def _load(name: str, pid: int) -> Channel:
    given = configured.given()
    if name not in given:
        raise ChannelError("There is no such channel.", permanent=True)
    return configured.make(name, given[name])


def _left_alone(name: str) -> ChannelError | None:
    # Should the database not answer, better a try too many.
    with guard.guard("channels"):
        if store.is_open(name):
            words = f"{name}: It has failed several times and is left alone for a while."
            return ChannelError(words, unsent=True)
    return None


def _full(name: str, is_full: Callable[[str], bool]) -> ChannelError | None:
    # Should the database not answer, better a message too many.
    with guard.guard("channels"):
        if is_full(name):
            words = f"{name}: It has taken as many messages within the hour as it may."
            return FullError(words, unsent=True)
    return None


def _attempt(name: str, message: Message) -> ChannelError | None:
    """Try a channel and write down what became of it; return why not, if not."""
    error = _tried(name, configured.given().get(name, {}), partial(load, name), message)
    # The message has gone, or has not, whatever becomes of this.
    with guard.guard("channels"):
        if error is None:
            store.succeeded(name)
        elif isinstance(error, PartlySentError):
            store.succeeded(name, remark=str(error))
        elif name in names():
            store.failed(name, str(error))
    return None if isinstance(error, PartlySentError) else error


def _tried(
    name: str, given: Mapping[str, object], made: Callable[[], Channel], message: Message
) -> ChannelError | None:
    """Try a channel; return what went wrong, made anew: the original's frames hold its secrets."""
    secrets, begun = configured.secrets(given), False
    try:
        channel = made()
        secrets |= _secrets(channel)
        begun = True
        if getattr(channel, "bounded", False):
            with guard.ours():
                channel.send(message)
        else:
            deadlines.call(_send, channel, message, within=WITHIN, what=f"channel-{name}")
    except ChannelError as error:
        kind = PartlySentError if isinstance(error, PartlySentError) else ChannelError
        unsent = error.unsent or not begun
        return kind(f"{name}: {masking.mask(str(error), secrets)}", permanent=error.permanent, unsent=unsent)
    except Exception as error:  # noqa: BLE001 - a channel may be the host's, and the libraries are foreign
        words = masking.mask(f"{type(error).__name__}: {guard.words_of(error)}", secrets)
        return ChannelError(f"{name}: {words}", unsent=not begun)
    return None


@connections.kept()
def _send(channel: Channel, message: Message) -> None:
    # Should a channel of the host's ask the database, the connection ends with this thread.
    channel.send(message)


def _secrets(channel: Channel) -> set[str]:
    tell: Callable[[], set[str]] | None = getattr(channel, "secrets", None)
    return set(tell()) if tell is not None else set()


def trial(name: str, who: str) -> Message:
    """Return a message that says that nothing is wrong; ``who`` asked for it."""
    from ...records import new_id

    asked = _("%(who)s asked for this test.") % {"who": who} if who else _("This is a test.")
    text = _("Messages by the channel “%(name)s” arrive. Nothing is wrong.") % {"name": name}
    return Message(
        id=new_id(),
        kind="test",
        severity="info",
        subject=_("Test of the channel %(name)s") % {"name": name},
        text=f"{asked}\n{text}\n",
        data={"channel": name},
    )


def _forget(*, setting: str, **kwargs: object) -> None:
    if setting in {"QAPROD", "ADMINS"}:
        _load.cache_clear()


setting_changed.connect(_forget, dispatch_uid="qaprod.channels")
