"""What every channel is given, and what it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol, TypeAlias

from ...exceptions import ChannelError

Kind: TypeAlias = Literal["firing", "reminder", "escalation", "resolved", "digest", "test", "last resort"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message to one channel, ready to be shown.

    ``id`` stays the same when it is sent again because nobody knows whether it was: receivers can tell.
    ``subject`` and ``text`` are plain, ``html`` is escaped; ``data`` is the same for machines (JSON).
    ``look`` and ``act`` are addresses, or empty.
    """

    id: str
    kind: Kind
    severity: str
    subject: str
    text: str
    html: str = ""
    look: str = ""
    act: str = ""
    data: Mapping[str, object] = field(default_factory=dict)


class Channel(Protocol):
    """Sends messages. Blocks as long as it must, with timeouts of its own; called by the worker alone.

    Raises ``ChannelError`` when it could not; ``permanent`` says that to try again is useless, and
    ``PartlySentError`` when some of those whom it reaches were not.
    """

    name: str

    def send(self, message: Message, /) -> None:
        """Send a message."""


class PartlySentError(ChannelError):
    """The message has reached somebody, but not all: it says whom not. It counts as sent."""
